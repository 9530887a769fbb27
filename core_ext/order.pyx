# The order of keys (decision 6): integers ascending, other numbers, strings in byte order, false, true, objects in
# order of creation, then what has no serial of its own: built-in functions by name, the main thread, light userdata.
#
# A traversal works on a snapshot: a userdata with the sorted keys, so that fields may be changed or removed on the way.
# A table whose keys are exactly 1..n (the usual array) needs no keys in its snapshot, only n.

cdef enum KeyRank:
    RANK_INTEGER = 0
    RANK_FLOAT = 1
    RANK_STRING = 2
    RANK_BOOLEAN = 3
    RANK_OBJECT = 4
    RANK_BUILTIN = 5
    RANK_MAIN_THREAD = 6
    RANK_POINTER = 7            # light userdata: no script ever holds one

cdef enum:
    INSERTION_SORT = 12         # runs up to this length are sorted by insertion
    COUNT_PER_STEP = 4          # keys counted in the time of one VM instruction

cdef uint64_t SIGN = 1ULL << 63


# A key in comparable form: by rank, then by `order`, and strings with equal first bytes by all of them.
ctypedef struct Key:
    uint64_t order
    const char *text            # of a string: kept alive by the snapshot's keys
    uint32_t size
    uint32_t slot               # where the key itself is in the snapshot's user value, a table
    uint32_t rank               # KeyRank


# Followed in memory by `count` sorted Keys, unless it is a sequence.
ctypedef struct Snapshot:
    lua_Integer count
    lua_Integer position        # of the key that was given last; 0 before the first
    bint sequence               # the keys are 1..count
    bint integers               # all keys are integers: the user value is not needed


cdef inline Key *keys_of(Snapshot *s) noexcept nogil:
    return <Key *>(s + 1)


# ---- comparing

cdef inline uint64_t float_order(lua_Number number) noexcept nogil:
    """The bits of a float (no NaN) so that they compare as the floats do; both zeros are one."""
    cdef uint64_t bits
    if number == 0:
        return SIGN
    memcpy(&bits, &number, 8)
    return ~bits if bits & SIGN else bits | SIGN


cdef void read_key(lua_State *L, int index, Key *key) noexcept nogil:
    """Bring the key at `index` (not nil, not NaN) into comparable form. Never raises."""
    cdef int kind = lua_type(L, index)
    cdef int integral = 0
    cdef lua_Integer integer
    cdef size_t size = 0
    cdef uint32_t i
    key.text = NULL
    key.size = 0
    if kind == LUA_TNUMBER:
        integer = lua_tointegerx(L, index, &integral)
        if integral:
            key.rank = RANK_INTEGER
            key.order = <uint64_t>integer ^ SIGN
            return
        key.rank = RANK_FLOAT
        key.order = float_order(lua_tonumber(L, index))
    elif kind == LUA_TSTRING:
        key.rank = RANK_STRING
        key.text = lua_tolstring(L, index, &size)
        key.size = <uint32_t>size
        key.order = 0
        for i in range(8):
            key.order = key.order << 8 | (<uint8_t>key.text[i] if i < size else 0)
    elif kind == LUA_TBOOLEAN:
        key.rank = RANK_BOOLEAN
        key.order = lua_toboolean(L, index)
    else:
        key.order = serial_of(L, index)
        key.rank = RANK_OBJECT
        if key.order == 0:
            if kind == LUA_TFUNCTION:
                key.rank = RANK_BUILTIN
                key.order = builtin_rank(lua_tocfunction(L, index))
            elif kind == LUA_TTHREAD:
                key.rank = RANK_MAIN_THREAD
            else:
                key.rank = RANK_POINTER
                key.order = <uint64_t>lua_touserdata(L, index)


cdef int compare_keys(const Key *a, const Key *b) noexcept nogil:
    """Negative, zero or positive, as a goes before, with or after b."""
    cdef int difference
    if a.rank != b.rank:
        return -1 if a.rank < b.rank else 1
    if a.order != b.order:
        return -1 if a.order < b.order else 1
    if a.rank != RANK_STRING:
        return 0
    difference = memcmp(a.text, b.text, a.size if a.size < b.size else b.size)
    if difference != 0 or a.size == b.size:
        return difference
    return -1 if a.size < b.size else 1


cdef void insertion_sort(Key *keys, lua_Integer count) noexcept nogil:
    cdef lua_Integer i, j
    cdef Key key
    for i in range(1, count):
        key = keys[i]
        j = i
        while j > 0 and compare_keys(&key, &keys[j - 1]) < 0:
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = key


cdef void merge_sort(Key *keys, Key *scratch, lua_Integer count) noexcept nogil:
    """Sort bottom-up; `scratch` has room for as many keys."""
    cdef lua_Integer width = INSERTION_SORT, start, middle, end, left, right, out
    cdef Key *source = keys
    cdef Key *target = scratch
    start = 0
    while start < count:
        insertion_sort(keys + start, INSERTION_SORT if count - start > INSERTION_SORT else count - start)
        start += INSERTION_SORT
    while width < count:
        start = 0
        while start < count:
            middle = start + width if count - start > width else count
            end = middle + width if count - middle > width else count
            if middle == end or compare_keys(&source[middle - 1], &source[middle]) < 0:
                memcpy(target + start, source + start, <size_t>(end - start) * sizeof(Key))
            else:
                left, right = start, middle
                for out in range(start, end):
                    if right == end or (left < middle and compare_keys(&source[left], &source[right]) <= 0):
                        target[out] = source[left]
                        left += 1
                    else:
                        target[out] = source[right]
                        right += 1
            start = end
        source, target = target, source
        width *= 2
    if source != keys:
        memcpy(keys, source, <size_t>count * sizeof(Key))


cdef uint64_t sorting_cost(lua_Integer count) noexcept nogil:
    """Steps of the budget for a snapshot of `count` keys."""
    cdef uint64_t levels = 4
    cdef lua_Integer rest = count
    while rest > 1:
        rest >>= 1
        levels += 1
    return <uint64_t>count * levels // 2


# ---- snapshots

cdef Snapshot *push_snapshot(lua_State *L, int index) noexcept nogil:
    """Push a snapshot of the table at `index`. Charges the budget; may raise."""
    cdef lua_Integer count = 0, length, i
    cdef bint integers = True, sequence
    cdef Snapshot *s
    cdef Key *keys
    luaL_checkstack(L, 8, b"table nested too deeply")
    index = lua_absindex(L, index)
    length = <lua_Integer>lua_rawlen(L, index)
    sequence = True
    lua_pushnil(L)
    while lua_next(L, index):
        lua_pop(L, 1)
        count += 1
        if not lua_isinteger(L, -1):
            integers = sequence = False
        elif sequence:
            sequence = 1 <= lua_tointeger(L, -1) <= length
    sequence = sequence and count == length
    charge(L, 1 + (<uint64_t>count // COUNT_PER_STEP if sequence else sorting_cost(count)))
    s = <Snapshot *>lua_newuserdatauv(L, sizeof(Snapshot) + (0 if sequence else <size_t>count * sizeof(Key)), 1)
    s.count = count
    s.position = 0
    s.sequence = sequence
    s.integers = integers
    if sequence:
        return s
    keys = keys_of(s)
    if not integers:
        lua_createtable(L, <int>count, 0)
    else:
        lua_pushnil(L)
    i = 0
    lua_pushnil(L)
    # stack: snapshot, table of keys or nil, key
    while i < count and lua_next(L, index):
        lua_pop(L, 1)
        read_key(L, -1, &keys[i])
        keys[i].slot = <uint32_t>(i + 1)
        i += 1
        if not integers:
            lua_pushvalue(L, -1)
            lua_rawseti(L, -3, i)
    lua_settop(L, -2)
    lua_setiuservalue(L, -2, 1)
    if count <= INSERTION_SORT:
        insertion_sort(keys, count)
    else:
        merge_sort(keys, <Key *>lua_newuserdatauv(L, <size_t>count * sizeof(Key), 1), count)
        lua_pop(L, 1)
    return s


cdef inline lua_Integer integer_at(Snapshot *s, lua_Integer position) noexcept nogil:
    return position if s.sequence else <lua_Integer>(keys_of(s)[position - 1].order ^ SIGN)


cdef void push_key(lua_State *L, int keys, Snapshot *s, lua_Integer position) noexcept nogil:
    """Push key number `position` (from 1); `keys` is where the snapshot's user value is."""
    if s.integers:
        lua_pushinteger(L, integer_at(s, position))
    else:
        lua_rawgeti(L, keys, keys_of(s)[position - 1].slot)


cdef bint is_key(lua_State *L, int index, int keys, Snapshot *s, lua_Integer position) noexcept nogil:
    """Is the value at `index` key number `position`?"""
    cdef bint same
    if position <= 0:
        return position == 0 and lua_isnil(L, index)
    if s.integers:
        return lua_isinteger(L, index) and lua_tointeger(L, index) == integer_at(s, position)
    push_key(L, keys, s, position)
    same = lua_rawequal(L, -1, index)
    lua_pop(L, 1)
    return same


cdef lua_Integer find_key(Snapshot *s, const Key *key, bint *found) noexcept nogil:
    """How many keys of the snapshot are at or before `key`."""
    cdef lua_Integer low = 0, high = s.count, middle
    cdef int order
    cdef lua_Integer number
    found[0] = False
    if s.sequence:
        if key.rank != RANK_INTEGER:
            return s.count
        number = <lua_Integer>(key.order ^ SIGN)
        found[0] = 1 <= number <= s.count
        return 0 if number < 1 else number if number < s.count else s.count
    while low < high:
        middle = low + (high - low) // 2
        order = compare_keys(&keys_of(s)[middle], key)
        if order == 0:
            found[0] = True
        if order <= 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef int give_next(lua_State *L, int table, int keys, Snapshot *s) noexcept nogil:
    """Push the next key that is still in the table, and its value; or nil at the end. Returns how many were pushed."""
    while s.position < s.count:
        s.position += 1
        push_key(L, keys, s, s.position)
        lua_pushvalue(L, -1)
        if lua_rawget(L, table) != LUA_TNIL:
            return 2
        lua_pop(L, 2)
    lua_pushnil(L)
    return 1


cdef lua_Integer push_sorted_keys(lua_State *L, int index) noexcept nogil:
    """Push a new table with the keys of the table at `index` in their order, at 1..count; returns count. May raise."""
    cdef lua_Integer i, count
    cdef Snapshot *s = push_snapshot(L, index)
    count = s.count
    lua_getiuservalue(L, -1, 1)
    lua_createtable(L, <int>count, 0)
    for i in range(1, count + 1):
        push_key(L, -2, s, i)
        lua_rawseti(L, -2, i)
    lua_insert(L, -3)
    lua_pop(L, 2)
    return count
