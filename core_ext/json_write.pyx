# Lua values to JSON text (decisions 6, 37): tables are walked raw, and the same value always gives the same bytes.
#
# The members of an object are collected first, for they are written in the order of their keys: key and value stay on
# the Lua stack while there is room for them, and the sort moves only their descriptions.

cdef enum:
    WRITE_STACKED = 4096        # members of one object whose values wait on the stack; the rest is looked up by key
    WRITE_ROOM = 64             # stack slots to ask Lua for at a time
    WRITE_AT_ONCE = 8           # elements of an array that are fetched together
    WRITE_CHARGE = 16384        # table members between two charges to the budget
    PATH_SIZE = 160

ctypedef struct JsonMember:
    uint64_t prefix             # the key's first bytes, as a number that sorts as they do
    const char *key             # the table's own string
    size_t size
    int slot                    # of the value on the Lua stack; 0: fetch it by its key
    int kind                    # the type of the value

ctypedef struct JsonWriter:
    lua_State *L
    Buffer *out
    Buffer *members             # JsonMember of every object that is open, innermost last
    int room                    # the top of the Lua stack that Lua has promised
    int depth
    uint32_t work               # members seen since the budget was charged
    int[129] tables             # stack slots of the open tables
    # What is wrong, told on the way out: every level puts its part of the path in front.
    char problem[128]
    char path[160]
    int path_start              # the path is path[path_start:PATH_SIZE]
    int path_depth              # tables at this depth and deeper are not part of the path
    bint path_cut


cdef bint writer_room(JsonWriter *w, int top) noexcept nogil:
    """Make sure that a few more values can be pushed. `top`: of the Lua stack."""
    if top + 16 <= w.room:
        return True
    if not lua_checkstack(w.L, WRITE_ROOM):
        return refuse_value(w, b"there is not enough memory to encode the value")
    w.room = top + WRITE_ROOM
    return True


cdef inline void writer_charge(JsonWriter *w, uint32_t members) noexcept nogil:
    # Members that are dropped leave no bytes, and a table may be met many times: the output's size does not tell the work.
    w.work += members
    if w.work >= WRITE_CHARGE:
        charge(w.L, w.work)
        w.work = 0


cdef bint write_unordered_array(JsonWriter *w, int index, int top, lua_Integer done) noexcept nogil:
    """Go on with an array whose keys do not come in order. Stack: ..., key, value; elements 1..done are written."""
    cdef lua_State *L = w.L
    cdef lua_Integer count = done, highest = done, key
    while True:
        if not lua_isinteger(L, top + 1):
            return refuse_keys(w, index, top)
        key = lua_tointegerx(L, top + 1, NULL)
        if key <= done:
            return refuse_keys(w, index, top)
        if key > highest:
            highest = key
        count += 1
        lua_settop(L, top + 1)
        if not lua_next(L, index):
            break
    # The keys differ and all lie in done+1..highest: as many as places means that there is no gap.
    if count != highest:
        return refuse_keys(w, index, top)
    writer_charge(w, <uint32_t>(count - done))
    while done < count:
        done += 1
        lua_rawgeti(L, index, done)
        if done > 1:
            buffer_byte(w.out, b",")
        if not write_value(w, lua_type(L, top + 1), top + 1, top + 1):
            path_index(w, done)
            return False
        lua_settop(L, top)
    return True


cdef enum:
    ARRAY_SIZE_OFFSET = 12      # in a table: behind its header of 10 bytes, its flags and the size of its hash part


cdef inline unsigned int array_part(lua_State *L, int index) noexcept nogil:
    """How many integer keys, from 1, the table at `index` keeps in its array part (proved in selfcheck.pyx)."""
    return (<const unsigned int *>(<const char *>lua_topointer(L, index) + ARRAY_SIZE_OFFSET))[0]


cdef bint write_plain_array(JsonWriter *w, int index, int top, lua_Integer length) noexcept nogil:
    """Append the elements 1..length of a table that keeps all its integer keys in its array part."""
    cdef lua_State *L = w.L
    cdef lua_Integer done = 0
    cdef int[WRITE_AT_ONCE] kinds
    cdef int count, i
    while done < length:
        count = <int>min(length - done, WRITE_AT_ONCE)
        for i in range(count):
            kinds[i] = lua_rawgeti(L, index, done + 1 + i)
        for i in range(count):
            if kinds[i] == LUA_TNIL:
                return refuse_keys(w, index, top)
            if done + i > 0:
                buffer_byte(w.out, b",")
            if not write_value(w, kinds[i], top + 1 + i, top + count):
                path_index(w, done + 1 + i)
                return False
        lua_settop(L, top)
        done += count
    return True


cdef bint write_array(JsonWriter *w, int index, int top) noexcept nogil:
    """Append the table at `index`, whose keys should be 1, 2, 3 ... Stack: ..., first key, first value."""
    cdef lua_State *L = w.L
    cdef lua_Integer done = 0
    cdef lua_Integer length = <lua_Integer>lua_rawlen(L, index)
    buffer_byte(w.out, b"[")
    if 0 < length <= array_part(L, index):
        # Iteration goes through the array part first: nothing after `length` means that there is no other key at all.
        lua_settop(L, top)
        lua_pushinteger(L, length)
        if lua_next(L, index):
            return refuse_keys(w, index, top)
        writer_charge(w, <uint32_t>length)
        if not write_plain_array(w, index, top, length):
            return False
        buffer_byte(w.out, b"]")
        return True
    while True:
        if not lua_isinteger(L, top + 1) or lua_tointegerx(L, top + 1, NULL) != done + 1:
            if not write_unordered_array(w, index, top, done):
                return False
            break
        done += 1
        if done > 1:
            buffer_byte(w.out, b",")
        if not write_value(w, lua_type(L, top + 2), top + 2, top + 2):
            path_index(w, done)
            return False
        lua_settop(L, top + 1)
        if not lua_next(L, index):
            break
    writer_charge(w, <uint32_t>done)
    buffer_byte(w.out, b"]")
    return True


cdef bint write_object(JsonWriter *w, int index, int top) noexcept nogil:
    """Append the table at `index`, whose keys should be strings. Stack: ..., first key, first value."""
    cdef lua_State *L = w.L
    cdef size_t start = w.members.length
    cdef size_t count, i
    cdef JsonMember *member
    cdef int slot
    if not collect_members(w, index, &top):
        return False
    count = (w.members.length - start) // sizeof(JsonMember)
    if count > 12 and buffer_room(w.members, count // 2 * sizeof(JsonMember)) == NULL:
        return refuse_value(w, b"there is not enough memory to encode the value")
    # The spare room begins where the list ends.
    sort_object(<JsonMember *>(w.members.data + start), <JsonMember *>(w.members.data + w.members.length), count)
    buffer_byte(w.out, b"{")
    for i in range(count):
        # Inner objects may move the list.
        member = <JsonMember *>(w.members.data + start) + i
        if not write_key(w.out, member.key, member.size, i == 0):
            return refuse_value(w, b"cannot encode a key that is not UTF-8")
        slot = member.slot
        if slot == 0:
            lua_pushlstring(L, member.key, member.size)
            lua_rawget(L, index)
        if not write_value(w, member.kind, slot if slot else top + 1, top if slot else top + 1):
            member = <JsonMember *>(w.members.data + start) + i
            path_key(w, member.key, member.size)
            return False
        if slot == 0:
            lua_settop(L, top)
    w.members.length = start
    buffer_byte(w.out, b"}")
    return True


cdef bint write_table(JsonWriter *w, int index, int top) noexcept nogil:
    """Append the table at `index`; the stack is as before when it returns True."""
    cdef lua_State *L = w.L
    cdef bint written
    if w.depth == JSON_DEPTH:
        return refuse_cycle_or_depth(w, index)
    if w.out.failed:
        w.path_depth = 0        # it is the whole that is too large
        return refuse_value(w, b"the value is too large")
    if not writer_room(w, top):
        return False
    w.tables[w.depth] = index
    lua_pushnil(L)
    if not lua_next(L, index):
        buffer_put(w.out, b"{}" if is_marked_object(L, index) else b"[]", 2)
        return True
    w.depth += 1
    if lua_type(L, top + 1) == LUA_TSTRING:
        written = write_object(w, index, top)
    else:
        written = write_array(w, index, top)
    w.depth -= 1
    if written:
        lua_settop(L, top)
    return written


cdef bint write_other(JsonWriter *w, int kind, int index, int top) noexcept nogil:
    """Append a value that is neither a table nor a string nor a number."""
    cdef lua_State *L = w.L
    cdef const char *text
    cdef size_t size
    cdef bint written = True
    if kind == LUA_TBOOLEAN:
        if lua_toboolean(L, index):
            buffer_put(w.out, b"true", 4)
        else:
            buffer_put(w.out, b"false", 5)
    elif kind == LUA_TFUNCTION:
        return refuse_value(w, b"cannot encode a function")
    elif kind == LUA_TTHREAD:
        return refuse_value(w, b"cannot encode a coroutine")
    elif kind == LUA_TUSERDATA and writer_room(w, top) and error_fields(L, index):
        lua_pushstring(L, b"message")
        if lua_rawget(L, top + 1) == LUA_TSTRING:
            text = lua_tolstring(L, -1, &size)
            written = write_string(w.out, text, size) or refuse_value(w, b"cannot encode an error whose message is not UTF-8")
        else:
            buffer_put(w.out, b"null", 4)
        lua_settop(L, top)
    else:
        buffer_put(w.out, b"null", 4)
    return written


cdef inline bint write_value(JsonWriter *w, int kind, int index, int top) noexcept nogil:
    """Append the value at stack index `index`. `kind`: its type. `top`: of the Lua stack."""
    cdef const char *text
    cdef size_t size
    if kind == LUA_TSTRING:
        text = lua_tolstring(w.L, index, &size)
        return write_string(w.out, text, size) or refuse_value(w, b"cannot encode a string that is not UTF-8")
    if kind == LUA_TNUMBER:
        write_number(w, index)
        return True
    if kind == LUA_TTABLE:
        return write_table(w, index, top)
    return write_other(w, kind, index, top)


cdef bint json_write(lua_State *L, int index, Buffer *b, char *wrong, size_t wrong_size) noexcept nogil:
    """Append the value at `index` to the buffer as JSON (decisions 6, 37).

    Returns False if the value cannot be JSON: `wrong` then says what is wrong and the path to it, and what has been
    appended is of no use. A buffer that outgrows its limit is marked failed. Raises for want of memory, and when the
    budget is spent.
    """
    cdef JsonWriter w
    cdef int top = lua_gettop(L)
    w.L = L
    w.out = b
    w.members = &JSON_MEMBERS
    w.room = top
    w.depth = 0
    w.work = 0
    w.path_start = PATH_SIZE
    w.path_depth = JSON_DEPTH + 2
    w.path_cut = False
    buffer_start(w.members, 0)
    index = lua_absindex(L, index)
    if writer_room(&w, top) and write_value(&w, lua_type(L, index), index, top):
        return True
    lua_settop(L, top)
    if w.path_start == PATH_SIZE:
        snprintf(wrong, wrong_size, b"%s", w.problem)
    else:
        snprintf(wrong, wrong_size, b"%s at %s%.*s", w.problem, b"..." if w.path_cut else b"",
                 PATH_SIZE - w.path_start, w.path + w.path_start)
    return False
