# Lua values to JSON text (decisions 6, 37): tables are walked raw, and the same value always gives the same bytes.
#
# The members of an object are collected first, for they are written in the order of their keys: key and value stay on
# the Lua stack while there is room for them, and the sort moves only their descriptions.

cdef enum:
    WRITE_STACKED = 256         # members of one object whose values wait on the stack; the rest is looked up by key
    WRITE_ROOM = 64             # stack slots to ask Lua for at a time
    WRITE_CHARGE = 16384        # table members between two charges to the budget
    PATH_SIZE = 160

ctypedef struct JsonMember:
    uint64_t prefix             # the key's first bytes, as a number that sorts as they do
    const char *key             # the table's own string
    size_t size
    int slot                    # of the value on the Lua stack; 0: fetch it by its key

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


cdef inline char *buffer_room(Buffer *b, size_t size) noexcept nogil:
    """Where `size` bytes may be written, or NULL."""
    if b.capacity - b.length < size and not buffer_reserve(b, size):
        return NULL
    return b.data + b.length


cdef bint refuse_value(JsonWriter *w, const char *problem) noexcept nogil:
    snprintf(w.problem, sizeof(w.problem), b"%s", problem)
    return False


cdef void path_front(JsonWriter *w, const char *text, size_t size) noexcept nogil:
    if w.path_cut or size > <size_t>w.path_start:
        w.path_cut = True
        return
    w.path_start -= <int>size
    memcpy(w.path + w.path_start, text, size)


cdef void path_index(JsonWriter *w, lua_Integer index) noexcept nogil:
    """The path leads through element `index` of the table being left."""
    cdef char text[32]
    if w.depth < w.path_depth:
        path_front(w, text, snprintf(text, sizeof(text), b"[%lld]", <long long>index))


cdef void path_key(JsonWriter *w, const char *key, size_t size) noexcept nogil:
    """The path leads through the member `key` of the table being left."""
    cdef char text[64]
    cdef int length = 0
    cdef size_t i
    cdef bint plain = 0 < size and not is_digit(<const uint8_t *>key, <const uint8_t *>key + size)
    if w.depth >= w.path_depth:
        return
    for i in range(size):
        if not (is_word(key[i])):
            plain = False
    if plain and size < sizeof(text):
        path_front(w, key, size)
        path_front(w, b".", 1)
        return
    # Not a Lua name: quoted, shortened, and with anything unprintable as an escape.
    length = snprintf(text, sizeof(text), b"[\"")
    for i in range(size):
        if length > 48:
            length += snprintf(text + length, sizeof(text) - length, b"...")
            break
        if 32 <= <uint8_t>key[i] < 127 and key[i] != b'"' and key[i] != b"\\":
            text[length] = key[i]
            length += 1
        else:
            length += snprintf(text + length, sizeof(text) - length, b"\\x%02X", <int><uint8_t>key[i])
    length += snprintf(text + length, sizeof(text) - length, b"\"]")
    path_front(w, text, length)


cdef inline bint is_word(char c) noexcept nogil:
    return c == b"_" or b"a" <= c <= b"z" or b"A" <= c <= b"Z" or b"0" <= c <= b"9"


# ---- strings and numbers

cdef bint write_escaped(Buffer *b, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Append the rest of a string, from its first character that is not plain, and the closing quote."""
    cdef char *out
    cdef int length
    cdef uint8_t c
    while at < end:
        out = buffer_room(b, (end - at) + 8)
        if out == NULL:
            return True
        c = at[0]
        if c >= 128:
            length = utf8_length(at, end)
            if length == 0:
                return False
            memcpy(out, at, length)
            at += length
            b.length += length
            if at < end and at[0] >= 128:
                continue
            out += length
        else:
            at += 1
            length = 2
            out[0] = b"\\"
            if c == b'"' or c == b"\\":
                out[1] = <char>c
            elif c == 10:
                out[1] = b"n"
            elif c == 9:
                out[1] = b"t"
            elif c == 13:
                out[1] = b"r"
            elif c == 8:
                out[1] = b"b"
            elif c == 12:
                out[1] = b"f"
            else:
                memcpy(out + 1, b"u00", 3)
                out[4] = b"0123456789abcdef"[c >> 4]
                out[5] = b"0123456789abcdef"[c & 15]
                length = 6
            b.length += length
            out += length
        length = <int>copy_plain(out, <const char *>at, end - at)
        at += length
        b.length += length
    buffer_byte(b, b'"')
    return True


cdef inline bint write_string(Buffer *b, const char *text, size_t size) noexcept nogil:
    """Append the text as a JSON string; False if it is not UTF-8."""
    cdef char *out = buffer_room(b, size + 2)
    cdef size_t plain
    if out == NULL:
        return True
    out[0] = b'"'
    plain = copy_plain(out + 1, text, size)
    if plain == size:
        out[size + 1] = b'"'
        b.length += size + 2
        return True
    b.length += plain + 1
    return write_escaped(b, <const uint8_t *>text + plain, <const uint8_t *>text + size)


cdef void write_number(JsonWriter *w, int index) noexcept nogil:
    cdef char *out = buffer_room(w.out, NUMBER_SIZE)
    cdef double value
    cdef int64_t integer
    if out == NULL:
        return
    if lua_isinteger(w.L, index):
        w.out.length += format_integer(out, lua_tointegerx(w.L, index, NULL))
        return
    value = lua_tonumberx(w.L, index, NULL)
    if -9007199254740992.0 <= value <= 9007199254740992.0:
        integer = <int64_t>value
        if value == <double>integer:
            if integer == 0 and 1.0 / value < 0:
                buffer_text(w.out, b"-0")
            else:
                w.out.length += format_integer(out, integer)
            return
    elif value != value or isinf(value):
        buffer_text(w.out, b"null")
        return
    w.out.length += format_double(out, value)


# ---- tables

cdef bint writer_room(JsonWriter *w, int top) noexcept nogil:
    """Make sure that a few more values can be pushed. `top`: of the Lua stack."""
    if top + 8 <= w.room:
        return True
    if not lua_checkstack(w.L, WRITE_ROOM):
        return refuse_value(w, b"there is not enough memory to encode the value")
    w.room = top + WRITE_ROOM
    return True


cdef inline void writer_charge(JsonWriter *w, uint32_t members) noexcept nogil:
    # Members that are dropped leave no bytes, and a table may be met many times: the output's size does not tell the work.
    w.work += members
    if w.work >= WRITE_CHARGE:
        charge(w.L, w.work >> 2)
        w.work = 0


cdef bint refuse_cycle_or_depth(JsonWriter *w, int index) noexcept nogil:
    """The table at `index` is one level too deep: say whether that is because a table contains itself."""
    cdef int outer, inner
    cdef const void *table
    w.tables[JSON_DEPTH] = index
    for inner in range(1, JSON_DEPTH + 1):
        table = lua_topointer(w.L, w.tables[inner])
        for outer in range(inner):
            if lua_topointer(w.L, w.tables[outer]) == table:
                w.path_depth = inner + 1
                return refuse_value(w, b"cannot encode a table that contains itself")
    return refuse_value(w, b"cannot encode a value that is nested more than 128 levels deep")


cdef bint refuse_keys(JsonWriter *w, int index, int top) noexcept nogil:
    """Say why the keys of the table at `index` are neither strings nor 1..n."""
    cdef lua_State *L = w.L
    cdef lua_Integer count = 0, highest = 0, key
    cdef bint strings = False, odd_numbers = False, others = False
    lua_settop(L, top)
    lua_pushnil(L)
    while lua_next(L, index):
        lua_pop(L, 1)
        if lua_type(L, -1) == LUA_TSTRING:
            strings = True
        elif lua_type(L, -1) != LUA_TNUMBER:
            others = True
        else:
            key = lua_tointegerx(L, -1, NULL)
            count += 1
            if not lua_isinteger(L, -1) or key < 1:
                odd_numbers = True
            elif key > highest:
                highest = key
    if others:
        return refuse_value(w, b"cannot encode a table with keys that are neither strings nor numbers")
    if strings:
        return refuse_value(w, b"cannot encode a table with both string and number keys")
    if odd_numbers:
        return refuse_value(w, b"cannot encode a table with number keys other than 1, 2, 3 ...")
    snprintf(w.problem, sizeof(w.problem),
             b"cannot encode a sparse array (%lld elements, the highest index is %lld)",
             <long long>count, <long long>highest)
    return False


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
        if not write_value(w, top + 1, top + 1):
            path_index(w, done)
            return False
        lua_settop(L, top)
    return True


cdef bint write_array(JsonWriter *w, int index, int top) noexcept nogil:
    """Append the table at `index`, as far as its keys are 1, 2, 3 ... Stack: ..., first key, first value."""
    cdef lua_State *L = w.L
    cdef lua_Integer done = 0
    buffer_byte(w.out, b"[")
    while True:
        if not lua_isinteger(L, top + 1) or lua_tointegerx(L, top + 1, NULL) != done + 1:
            if not write_unordered_array(w, index, top, done):
                return False
            break
        done += 1
        if done > 1:
            buffer_byte(w.out, b",")
        if not write_value(w, top + 2, top + 2):
            path_index(w, done)
            return False
        lua_settop(L, top + 1)
        if not lua_next(L, index):
            break
    writer_charge(w, <uint32_t>done)
    buffer_byte(w.out, b"]")
    return True


cdef inline bint member_less(JsonMember *a, JsonMember *b) noexcept nogil:
    cdef int order
    if a.prefix != b.prefix:
        return a.prefix < b.prefix
    order = memcmp(a.key, b.key, a.size if a.size < b.size else b.size)
    return order < 0 or (order == 0 and a.size < b.size)


cdef void sort_few(JsonMember *members, size_t count) noexcept nogil:
    """Insertion sort."""
    cdef JsonMember member
    cdef size_t i, j
    for i in range(1, count):
        if not member_less(&members[i], &members[i - 1]):
            continue
        member = members[i]
        j = i
        while j > 0 and member_less(&member, &members[j - 1]):
            members[j] = members[j - 1]
            j -= 1
        members[j] = member


cdef void sort_members(JsonMember *members, JsonMember *spare, size_t count) noexcept nogil:
    """Merge sort: never quadratic, whatever the keys. `spare` has room for half of them."""
    cdef size_t half = count // 2, i = 0, j, k = 0
    if count <= 12:
        sort_few(members, count)
        return
    sort_members(members, spare, half)
    sort_members(members + half, spare, count - half)
    if not member_less(&members[half], &members[half - 1]):
        return
    memcpy(spare, members, half * sizeof(JsonMember))
    j = half
    while i < half:
        if j < count and member_less(&members[j], &spare[i]):
            members[k] = members[j]
            j += 1
        else:
            members[k] = spare[i]
            i += 1
        k += 1


cdef inline bint is_dropped(lua_State *L, int index) noexcept nogil:
    """Is the value a host object, which no member of a JSON object can be? (An error object is its message.)"""
    cdef int kind = lua_type(L, index)
    if kind == LUA_TLIGHTUSERDATA:
        return lua_touserdata(L, index) != NULL
    if kind != LUA_TUSERDATA:
        return False
    if not error_fields(L, index):
        return True
    lua_pop(L, 1)
    return False


cdef bint collect_members(JsonWriter *w, int index, int *top) noexcept nogil:
    """List the table's members on w.members. Stack: ..., first key, first value -> ..., those that wait there."""
    cdef lua_State *L = w.L
    cdef JsonMember *member
    cdef int slot = top[0]
    cdef int last = slot + 2 * WRITE_STACKED
    cdef uint32_t count = 0
    while True:
        # stack: ..., key (at slot + 1), value
        if lua_type(L, slot + 1) != LUA_TSTRING:
            return refuse_keys(w, index, top[0])
        count += 1
        if not is_dropped(L, slot + 2):
            member = <JsonMember *>buffer_room(w.members, sizeof(JsonMember))
            if member == NULL:
                return refuse_value(w, b"there is not enough memory to encode the value")
            w.members.length += sizeof(JsonMember)
            member.key = lua_tolstring(L, slot + 1, &member.size)
            member.prefix = order_prefix(member.key, member.size)
            member.slot = 0
            if slot < last and writer_room(w, slot + 2):
                member.slot = slot + 2
                slot += 2
                lua_pushvalue(L, slot - 1)
            else:
                lua_settop(L, slot + 1)
        else:
            lua_settop(L, slot + 1)
        if not lua_next(L, index):
            break
    writer_charge(w, count)
    top[0] = slot
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
    sort_members(<JsonMember *>(w.members.data + start), <JsonMember *>(w.members.data + w.members.length), count)
    buffer_byte(w.out, b"{")
    for i in range(count):
        # Inner objects may move the list.
        member = <JsonMember *>(w.members.data + start) + i
        if i > 0:
            buffer_byte(w.out, b",")
        if not write_string(w.out, member.key, member.size):
            return refuse_value(w, b"cannot encode a key that is not UTF-8")
        buffer_byte(w.out, b":")
        slot = member.slot
        if slot == 0:
            lua_pushlstring(L, member.key, member.size)
            lua_rawget(L, index)
        if not write_value(w, slot if slot else top + 1, top if slot else top + 1):
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


cdef bint write_value(JsonWriter *w, int index, int top) noexcept nogil:
    """Append the value at stack index `index`. `top`: of the Lua stack."""
    cdef lua_State *L = w.L
    cdef int kind = lua_type(L, index)
    cdef const char *text
    cdef size_t size
    if kind == LUA_TSTRING:
        text = lua_tolstring(L, index, &size)
        if not write_string(w.out, text, size):
            return refuse_value(w, b"cannot encode a string that is not UTF-8")
    elif kind == LUA_TNUMBER:
        write_number(w, index)
    elif kind == LUA_TTABLE:
        return write_table(w, index, top)
    elif kind == LUA_TBOOLEAN:
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
            if not write_string(w.out, text, size):
                return refuse_value(w, b"cannot encode an error whose message is not UTF-8")
        else:
            buffer_put(w.out, b"null", 4)
        lua_settop(L, top)
    else:
        buffer_put(w.out, b"null", 4)
    return True


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
    if writer_room(&w, top) and write_value(&w, lua_absindex(L, index), top):
        return True
    lua_settop(L, top)
    if w.path_start == PATH_SIZE:
        snprintf(wrong, wrong_size, b"%s", w.problem)
    else:
        snprintf(wrong, wrong_size, b"%s at %s%.*s", w.problem, b"..." if w.path_cut else b"",
                 PATH_SIZE - w.path_start, w.path + w.path_start)
    return False
