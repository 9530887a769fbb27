# table.*: as in Lua 5.5, metamethods included, but every loop charges the budget, and sort is a stable merge sort: the
# stock one picks pivots at random and so orders ties differently from process to process (decisions 5 and 11).

cdef enum Access:
    ACCESS_READ = 1
    ACCESS_WRITE = 2
    ACCESS_LENGTH = 4

cdef enum:
    LOOP_UNIT = 256             # elements between two charges
    ELEMENT_COST = 2            # steps of the budget for reading and writing one element
    MOST_ELEMENTS = 0x7FFFFFFF  # as in the stock library


# ---- arguments and accounting

cdef void check_tablelike(lua_State *L, int arg, int access) noexcept nogil:
    """Raise unless the argument is a table or has the metamethods to act as one."""
    cdef int kind = lua_type(L, arg)
    if kind == LUA_TTABLE:
        return
    if lua_getmetatable(L, arg):
        if (not access & ACCESS_READ or has_field(L, -1, b"__index")) \
                and (not access & ACCESS_WRITE or has_field(L, -1, b"__newindex")) \
                and (not access & ACCESS_LENGTH or kind == LUA_TSTRING or has_field(L, -1, b"__len")):
            lua_pop(L, 1)
            return
    luaL_checktype(L, arg, LUA_TTABLE)


cdef lua_Integer length_of(lua_State *L, int access) noexcept nogil:
    """#t of the first argument, which must allow `access`."""
    if lua_type(L, 1) == LUA_TTABLE:
        if not lua_getmetatable(L, 1):
            return <lua_Integer>lua_rawlen(L, 1)
        lua_pop(L, 1)
    check_tablelike(L, 1, access | ACCESS_LENGTH)
    return luaL_len(L, 1)


cdef inline void tick(lua_State *L, uint64_t *elements) noexcept nogil:
    """Count an element of a loop and charge now and then; `loop_done` charges the rest."""
    elements[0] += 1
    if elements[0] % LOOP_UNIT == 0:
        charge(L, LOOP_UNIT * ELEMENT_COST)


cdef inline void loop_done(lua_State *L, uint64_t elements) noexcept nogil:
    charge(L, elements % LOOP_UNIT * ELEMENT_COST)


cdef inline void move_element(lua_State *L, int source, lua_Integer i, int target, lua_Integer j) noexcept nogil:
    lua_geti(L, source, i)
    lua_seti(L, target, j)


# ---- the small ones

cdef int table_insert(lua_State *L) noexcept nogil:
    """table.insert(t, [position,] value)"""
    cdef lua_Integer position, i, end
    cdef uint64_t done = 0
    end = <lua_Integer>(<lua_Unsigned>length_of(L, ACCESS_READ | ACCESS_WRITE) + 1)
    position = end
    if lua_gettop(L) == 3:
        position = luaL_checkinteger(L, 2)
        if <lua_Unsigned>position - 1 >= <lua_Unsigned>end:
            return luaL_argerror(L, 2, b"position out of bounds")
        i = end
        while i > position:
            move_element(L, 1, i - 1, 1, i)
            i -= 1
            tick(L, &done)
        loop_done(L, done)
    elif lua_gettop(L) != 2:
        return luaL_error(L, b"wrong number of arguments to 'insert'")
    lua_seti(L, 1, position)
    return 0


cdef int table_remove(lua_State *L) noexcept nogil:
    """table.remove(t[, position]) -> the value that was there"""
    cdef lua_Integer size = length_of(L, ACCESS_READ | ACCESS_WRITE)
    cdef lua_Integer position = luaL_optinteger(L, 2, size)
    cdef uint64_t done = 0
    if position != size and <lua_Unsigned>position - 1 > <lua_Unsigned>size:
        return luaL_argerror(L, 2, b"position out of bounds")
    lua_geti(L, 1, position)
    while position < size:
        move_element(L, 1, position + 1, 1, position)
        position += 1
        tick(L, &done)
    loop_done(L, done)
    lua_pushnil(L)
    lua_seti(L, 1, position)
    return 1


cdef int table_move(lua_State *L) noexcept nogil:
    """table.move(source, first, last, to[, target]) -> target"""
    cdef lua_Integer first = luaL_checkinteger(L, 2)
    cdef lua_Integer last = luaL_checkinteger(L, 3)
    cdef lua_Integer to = luaL_checkinteger(L, 4)
    cdef int target = 1 if lua_isnoneornil(L, 5) else 5
    cdef lua_Integer count, i
    cdef uint64_t done = 0
    check_tablelike(L, 1, ACCESS_READ)
    check_tablelike(L, target, ACCESS_WRITE)
    if last >= first:
        if first <= 0 and last >= MAX_INTEGER + first:
            return luaL_argerror(L, 3, b"too many elements to move")
        count = last - first + 1
        if to > MAX_INTEGER - count + 1:
            return luaL_argerror(L, 4, b"destination wrap around")
        if to > last or to <= first or (target != 1 and not lua_compare(L, 1, target, LUA_OPEQ)):
            for i in range(count):
                move_element(L, 1, first + i, target, to + i)
                tick(L, &done)
        else:
            # Onto itself further up: from the end, or elements would be overwritten before they are read.
            i = count - 1
            while i >= 0:
                move_element(L, 1, first + i, target, to + i)
                i -= 1
                tick(L, &done)
        loop_done(L, done)
    lua_pushvalue(L, target)
    return 1


cdef lua_Integer MAX_INTEGER = 0x7FFFFFFFFFFFFFFF


cdef int table_unpack(lua_State *L) noexcept nogil:
    """table.unpack(t[, first[, last]]) -> t[first], ..., t[last]"""
    cdef lua_Integer length = length_of(L, ACCESS_READ)
    cdef lua_Integer first = luaL_optinteger(L, 2, 1)
    cdef lua_Integer last = luaL_optinteger(L, 3, length)
    cdef lua_Unsigned count
    cdef lua_Unsigned i
    if first > last:
        return 0
    count = <lua_Unsigned>last - <lua_Unsigned>first
    if count >= MOST_ELEMENTS or not lua_checkstack(L, <int>(count + 1)):
        return luaL_error(L, b"too many results to unpack")
    charge(L, count * ELEMENT_COST)
    for i in range(count + 1):
        lua_geti(L, 1, <lua_Integer>(<lua_Unsigned>first + i))
    return <int>(count + 1)


cdef int table_create(lua_State *L) noexcept nogil:
    """table.create(elements[, fields]) -> empty table with room for them"""
    cdef lua_Integer elements = luaL_checkinteger(L, 1)
    cdef lua_Integer fields = luaL_optinteger(L, 2, 0)
    if elements < 0 or elements > MOST_ELEMENTS:
        return luaL_argerror(L, 1, b"out of range")
    if fields < 0 or fields > MOST_ELEMENTS:
        return luaL_argerror(L, 2, b"out of range")
    charge(L, <uint64_t>(elements + fields) // ELEMENT_COST)
    lua_createtable(L, <int>elements, <int>fields)
    return 1


cdef int table_concat(lua_State *L) noexcept nogil:
    """table.concat(t[, separator[, first[, last]]]) -> string"""
    cdef lua_Integer length = length_of(L, ACCESS_READ)
    cdef size_t gap = 0, size = 0
    cdef const char *separator = luaL_optlstring(L, 2, b"", &gap)
    cdef lua_Integer i = luaL_optinteger(L, 3, 1)
    cdef lua_Integer last = luaL_optinteger(L, 4, length)
    cdef const char *piece
    cdef uint64_t done = 0
    cdef Text text
    lua_settop(L, 2)
    text_start(&text, L)
    while i <= last:
        lua_geti(L, 1, i)
        if lua_type(L, -1) != LUA_TSTRING and lua_type(L, -1) != LUA_TNUMBER:
            return luaL_error(L, b"invalid value (%s) at index %I in table for 'concat'",
                              lua_typename(L, lua_type(L, -1)), i)
        piece = lua_tolstring(L, -1, &size)
        text_add(&text, piece, size)
        lua_pop(L, 1)
        tick(L, &done)
        if i == last:
            break               # before i overflows
        text_add(&text, separator, gap)
        i += 1
    loop_done(L, done)
    text_push(&text)
    return 1


# ---- sort. Stack: table, comparator | nil, table of the values, order (a userdata)

cdef enum SortKind:
    SORT_MIXED = 0              # by comparator or metamethod, or numbers of both types
    SORT_INTEGERS = 1
    SORT_FLOATS = 2
    SORT_STRINGS = 3


cdef SortKind kind_of_value(lua_State *L, int index) noexcept nogil:
    cdef int kind = lua_type(L, index)
    cdef lua_Number number
    if kind == LUA_TSTRING:
        return SORT_STRINGS
    if kind != LUA_TNUMBER:
        return SORT_MIXED
    if lua_isinteger(L, index):
        return SORT_INTEGERS
    number = lua_tonumber(L, index)
    return SORT_FLOATS if number == number else SORT_MIXED


cdef SortKind read_values(lua_State *L, lua_Integer count) noexcept nogil:
    """Push a table with the elements 1..count; returns what they all are."""
    cdef SortKind kind = SORT_MIXED
    cdef lua_Integer i
    cdef uint64_t done = 0
    lua_createtable(L, <int>count, 0)
    for i in range(1, count + 1):
        lua_geti(L, 1, i)
        if i == 1:
            kind = kind_of_value(L, -1)
        elif kind != SORT_MIXED and kind_of_value(L, -1) != kind:
            kind = SORT_MIXED
        lua_rawseti(L, 3, i)
        tick(L, &done)
    loop_done(L, done)
    return kind


cdef void sort_values(lua_State *L, lua_Integer count) noexcept nogil:
    """Sort values of one natural order without Lua calls, and write them back."""
    cdef Key *keys
    cdef lua_Integer i
    charge(L, sorting_cost(count))
    keys = <Key *>lua_newuserdatauv(L, <size_t>count * 2 * sizeof(Key), 1)
    for i in range(count):
        lua_rawgeti(L, 3, i + 1)
        read_key(L, -1, &keys[i])
        # An integral float reads as an integer key; here all floats must compare alike (and -0.0 equals 0.0).
        if lua_type(L, -1) == LUA_TNUMBER and not lua_isinteger(L, -1):
            keys[i].rank = RANK_FLOAT
            keys[i].order = float_order(lua_tonumber(L, -1))
        keys[i].slot = <uint32_t>(i + 1)
        lua_pop(L, 1)
    merge_sort(keys, keys + count, count)
    for i in range(count):
        lua_rawgeti(L, 3, keys[i].slot)
        lua_seti(L, 1, i + 1)


cdef bint comes_before(lua_State *L, uint32_t a, uint32_t b) noexcept nogil:
    """Does value number a go before value number b? May raise anything."""
    cdef bint before
    charge(L, ELEMENT_COST)
    if lua_isnil(L, 2):
        lua_rawgeti(L, 3, a)
        lua_rawgeti(L, 3, b)
        before = lua_compare(L, -2, -1, LUA_OPLT)
        lua_pop(L, 2)
    else:
        lua_pushvalue(L, 2)
        lua_rawgeti(L, 3, a)
        lua_rawgeti(L, 3, b)
        lua_call(L, 2, 1)
        before = lua_toboolean(L, -1)
        lua_pop(L, 1)
    return before


cdef void merge_runs(lua_State *L, const uint32_t *source, uint32_t *target, lua_Integer start, lua_Integer middle,
                     lua_Integer end) noexcept nogil:
    """Merge source[start:middle] and source[middle:end] into target. Whatever the comparator says, it ends and stays inside."""
    cdef lua_Integer left = start, right = middle, out
    if middle == end or not comes_before(L, source[middle], source[middle - 1]):
        memcpy(target + start, source + start, <size_t>(end - start) * sizeof(uint32_t))
        return
    for out in range(start, end):
        # The left one on a tie: that is what makes it stable.
        if right == end or (left < middle and not comes_before(L, source[right], source[left])):
            target[out] = source[left]
            left += 1
        else:
            target[out] = source[right]
            right += 1


cdef void sort_by_comparing(lua_State *L, lua_Integer count) noexcept nogil:
    """Sort by comparator or metamethods, and write the values back. On an error the table stays as it was."""
    cdef uint32_t *source = <uint32_t *>lua_newuserdatauv(L, <size_t>count * 2 * sizeof(uint32_t), 1)
    cdef uint32_t *target = source + count
    cdef lua_Integer width = 1, start, middle, end, i
    cdef uint64_t done = 0
    for i in range(count):
        source[i] = <uint32_t>(i + 1)
    while width < count:
        start = 0
        while start < count:
            middle = start + width if count - start > width else count
            end = middle + width if count - middle > width else count
            merge_runs(L, source, target, start, middle, end)
            start = end
        source, target = target, source
        width *= 2
    for i in range(count):
        lua_rawgeti(L, 3, source[i])
        lua_seti(L, 1, i + 1)
        tick(L, &done)
    loop_done(L, done)


cdef int table_sort(lua_State *L) noexcept nogil:
    """table.sort(t[, before]): stable. before(a, b) must not wait for anything; an inconsistent one does no harm."""
    cdef lua_Integer count = length_of(L, ACCESS_READ | ACCESS_WRITE)
    cdef SortKind kind
    if count < 2:
        return 0
    if count >= MOST_ELEMENTS:
        return luaL_argerror(L, 1, b"array too big")
    if not lua_isnoneornil(L, 2):
        luaL_checktype(L, 2, LUA_TFUNCTION)
    lua_settop(L, 2)
    luaL_checkstack(L, 8, NULL)
    charge(L, <uint64_t>count)
    kind = read_values(L, count)
    if kind != SORT_MIXED and lua_isnil(L, 2):
        sort_values(L, count)
    else:
        sort_by_comparing(L, count)
    return 0
