# Lua values to JSON text (decisions 6, 37): tables are walked raw, and the same value always gives the same bytes.
#
# Values are read where they lie in memory (lua_layout.h). Nothing moves meanwhile: only what is odd goes through the
# Lua API, and the writer keeps no pointer to the Lua stack.

cdef enum:
    WRITE_CHARGE = 16384        # table members between two charges to the budget
    WRITE_SLOTS = 16            # of the Lua stack, for what is odd
    PATH_SIZE = 160

ctypedef struct JsonMember:
    uint64_t prefix             # the key's first bytes, as a number that sorts as they do
    const LuaText *key
    const LuaNode *node

ctypedef struct JsonWriter:
    lua_State *L
    Buffer *out
    Buffer *members             # JsonMember of every object that is open, innermost last
    int depth
    uint32_t work               # members seen since the budget was charged
    const LuaTable *tables[129]  # the open tables
    # What is wrong, told on the way out: every level puts its part of the path in front.
    char problem[128]
    char path[160]
    int path_start              # the path is path[path_start:PATH_SIZE]
    int path_depth              # tables at this depth and deeper are not part of the path
    bint path_cut


cdef inline void writer_charge(JsonWriter *w, uint32_t members) noexcept nogil:
    # Members that are dropped leave no bytes, and a table may be met many times: the output's size does not tell the work.
    w.work += members
    if w.work >= WRITE_CHARGE:
        charge(w.L, w.work)
        w.work = 0


# ---- arrays

cdef inline bint write_element(JsonWriter *w, LuaSlot slot, size_t number) noexcept nogil:
    """Append element `number` of an array, with a comma unless it is the first."""
    if number > 1:
        buffer_byte(w.out, b",")
    if write_value(w, slot):
        return True
    path_index(w, <lua_Integer>number)
    return False


cdef bint write_plain_array(JsonWriter *w, const LuaTable *table, size_t length) noexcept nogil:
    """Append the elements 1..length, which are places of the table's array part."""
    cdef size_t i
    cdef LuaSlot slot
    for i in range(length):
        slot = array_slot(table, i)
        if tag_is_nil(slot.tag):
            return refuse_keys(w, table)
        if not write_element(w, slot, i + 1):
            return False
    return True


cdef bint write_unordered_array(JsonWriter *w, const LuaTable *table, size_t place, size_t done) noexcept nogil:
    """Go on with an array whose keys do not come in order: elements 1..done are written, the rest is at `place` and on."""
    cdef size_t start = w.members.length
    cdef size_t end = place_count(table)
    cdef size_t next = place, count = 0, i
    cdef lua_Integer highest = 0
    cdef LuaSlot key
    while next < end:
        key = key_at(table, next)
        if key.tag != TAG_INTEGER or key.word.integer <= <lua_Integer>done:
            return refuse_keys(w, table)
        highest = max(highest, key.word.integer)
        count += 1
        next = seek_value(table, next + 1)
    # The keys differ and all lie in done+1..highest: as many as places means that there is no gap.
    if <lua_Integer>(done + count) != highest:
        return refuse_keys(w, table)
    writer_charge(w, <uint32_t>count)
    if buffer_room(w.members, count * sizeof(size_t)) == NULL:
        return refuse_value(w, b"there is not enough memory to encode the value")
    w.members.length += count * sizeof(size_t)
    while place < end:
        (<size_t *>(w.members.data + start))[key_at(table, place).word.integer - done - 1] = place
        place = seek_value(table, place + 1)
    for i in range(count):
        # Inner tables may move the list.
        place = (<size_t *>(w.members.data + start))[i]
        if not write_element(w, slot_at(table, place), done + i + 1):
            return False
    w.members.length = start
    return True


cdef bint write_odd_array(JsonWriter *w, const LuaTable *table, size_t place) noexcept nogil:
    """Append the elements of a table with holes, or with integer keys that are not in its array part; `place`: the first."""
    cdef lua_State *L = w.L
    cdef size_t end = place_count(table), length, done = 0
    cdef LuaSlot key
    push_word(L, TAG_TABLE, table)
    length = <size_t>lua_rawlen(L, -1)
    lua_pop(L, 1)
    if 0 < length <= table.array_size:
        if seek_value(table, length) < end:
            return refuse_keys(w, table)
        writer_charge(w, <uint32_t>length)
        return write_plain_array(w, table, length)
    while place < end:
        key = key_at(table, place)
        if key.tag != TAG_INTEGER or key.word.integer != <lua_Integer>done + 1:
            if not write_unordered_array(w, table, place, done):
                return False
            break
        done += 1
        if not write_element(w, slot_at(table, place), done):
            return False
        place = seek_value(table, place + 1)
    writer_charge(w, <uint32_t>done)
    return True


cdef bint write_array(JsonWriter *w, const LuaTable *table, size_t first) noexcept nogil:
    """Append the table, whose keys should be 1, 2, 3 ...; `first`: its first place with a value."""
    cdef size_t length = array_run(table)
    buffer_byte(w.out, b"[")
    if length > 0 and seek_value(table, length) == place_count(table):
        writer_charge(w, <uint32_t>length)
        if not write_plain_array(w, table, length):
            return False
    elif not write_odd_array(w, table, first):
        return False
    buffer_byte(w.out, b"]")
    return True


# ---- objects

cdef bint write_object(JsonWriter *w, const LuaTable *table, size_t first) noexcept nogil:
    """Append the table, whose keys should be strings; `first`: its first place with a value."""
    cdef size_t start = w.members.length
    cdef size_t count, size, i
    cdef JsonMember *member
    cdef LuaSlot slot
    cdef const char *key
    if not collect_members(w, table, first):
        return False
    count = (w.members.length - start) // sizeof(JsonMember)
    if count > 12 and buffer_room(w.members, count * sizeof(JsonMember)) == NULL:
        return refuse_value(w, b"there is not enough memory to encode the value")
    # The spare room begins where the list ends.
    sort_object(<JsonMember *>(w.members.data + start), <JsonMember *>(w.members.data + w.members.length), count)
    buffer_byte(w.out, b"{")
    for i in range(count):
        # Inner objects may move the list.
        member = <JsonMember *>(w.members.data + start) + i
        key = text_of(member.key, &size)
        if not write_key(w.out, key, size, i == 0):
            return refuse_value(w, b"cannot encode a key that is not UTF-8")
        slot.word = member.node.word
        slot.tag = member.node.tag
        if not write_value(w, slot):
            path_key(w, key, size)
            return False
    w.members.length = start
    buffer_byte(w.out, b"}")
    return True


# ---- values

cdef bint write_table(JsonWriter *w, const LuaTable *table) noexcept nogil:
    """Append the table."""
    cdef lua_State *L = w.L
    cdef size_t first
    cdef bint written
    if w.depth == JSON_DEPTH:
        return refuse_cycle_or_depth(w, table)
    if w.out.failed:
        w.path_depth = 0        # it is the whole that is too large
        return refuse_value(w, b"the value is too large")
    first = seek_value(table, 0)
    if first == place_count(table):
        push_word(L, TAG_TABLE, table)
        buffer_put(w.out, b"{}" if is_marked_object(L, lua_gettop(L)) else b"[]", 2)
        lua_pop(L, 1)
        return True
    w.tables[w.depth] = table
    w.depth += 1
    if tag_is_string(key_at(table, first).tag):
        written = write_object(w, table, first)
    else:
        written = write_array(w, table, first)
    w.depth -= 1
    return written


cdef bint write_userdata(JsonWriter *w, LuaSlot slot) noexcept nogil:
    """Append an error object, which is its message, or null for any other userdata."""
    cdef lua_State *L = w.L
    cdef const char *text
    cdef size_t size
    cdef bint written = True
    cdef int top = lua_gettop(L)
    push_slot(L, slot)
    if error_fields(L, top + 1):
        lua_pushstring(L, b"message")
        if lua_rawget(L, -2) == LUA_TSTRING:
            text = lua_tolstring(L, -1, &size)
            written = write_string(w.out, text, size) or refuse_value(w, b"cannot encode an error whose message is not UTF-8")
        else:
            buffer_put(w.out, b"null", 4)
    else:
        buffer_put(w.out, b"null", 4)
    lua_settop(L, top)
    return written


cdef bint write_other(JsonWriter *w, LuaSlot slot) noexcept nogil:
    """Append a value that is neither a table nor a string nor a number."""
    cdef int kind = slot.tag & 15
    if slot.tag == TAG_TRUE:
        buffer_put(w.out, b"true", 4)
    elif slot.tag == TAG_FALSE:
        buffer_put(w.out, b"false", 5)
    elif kind == LUA_TFUNCTION:
        return refuse_value(w, b"cannot encode a function")
    elif kind == LUA_TTHREAD:
        return refuse_value(w, b"cannot encode a coroutine")
    elif kind == LUA_TUSERDATA:
        return write_userdata(w, slot)
    else:
        buffer_put(w.out, b"null", 4)
    return True


cdef inline bint write_value(JsonWriter *w, LuaSlot slot) noexcept nogil:
    """Append the value."""
    cdef const char *text
    cdef size_t size
    if tag_is_string(slot.tag):
        text = text_of(<const LuaText *>slot.word.object, &size)
        return write_string(w.out, text, size) or refuse_value(w, b"cannot encode a string that is not UTF-8")
    if slot.tag == TAG_INTEGER:
        write_integer(w.out, slot.word.integer)
        return True
    if slot.tag == TAG_FLOAT:
        write_float(w.out, slot.word.number)
        return True
    if slot.tag == TAG_TABLE:
        return write_table(w, <const LuaTable *>slot.word.object)
    return write_other(w, slot)


cdef bint json_write(lua_State *L, int index, Buffer *b, char *wrong, size_t wrong_size) noexcept nogil:
    """Append the value at `index` to the buffer as JSON (decisions 6, 37).

    Returns False if the value cannot be JSON: `wrong` then says what is wrong and the path to it, and what has been
    appended is of no use. A buffer that outgrows its limit is marked failed. Raises for want of memory, and when the
    budget is spent.
    """
    cdef JsonWriter w
    cdef int top = lua_gettop(L)
    cdef LuaSlot slot
    w.L = L
    w.out = b
    w.members = &JSON_MEMBERS
    w.depth = 0
    w.work = 0
    w.path_start = PATH_SIZE
    w.path_depth = JSON_DEPTH + 2
    w.path_cut = False
    buffer_start(w.members, 0)
    if not lua_checkstack(L, WRITE_SLOTS):
        snprintf(wrong, wrong_size, b"there is not enough memory to encode the value")
        return False
    lua_pushvalue(L, index)
    slot = top_slot(L)
    lua_settop(L, top)
    if write_value(&w, slot):
        return True
    lua_settop(L, top)
    if w.path_start == PATH_SIZE:
        snprintf(wrong, wrong_size, b"%s", w.problem)
    else:
        snprintf(wrong, wrong_size, b"%s at %s%.*s", w.problem, b"..." if w.path_cut else b"",
                 PATH_SIZE - w.path_start, w.path + w.path_start)
    return False
