# The order of keys (decision 6): integers ascending, other numbers, strings in byte order, false, true, objects in
# order of creation, then what has no serial of its own: built-in functions by name, the main thread, light userdata.
#
# A traversal works on a snapshot: a userdata with the sorted keys, so that fields may be changed or removed on the way.
# A table whose keys are exactly 1..n (the usual array) needs no keys in its snapshot, only n.

cdef char SNAPSHOTS_KEY         # registry[&SNAPSHOTS_KEY][t] = the snapshot that next(t, k) walks; weak keys
cdef char FIRST_KEY             # registry[&FIRST_KEY][t] = the key that next(t) gave last; weak keys

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
    RESTART = -1                # Snapshot.position: next(t) was asked since, so the traversal may begin anew
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

cdef void read_key(lua_State *L, int index, Key *key) noexcept nogil:
    """Bring the key at `index` (not nil, not NaN) into comparable form. Never raises."""
    cdef int kind = lua_type(L, index)
    cdef int integral = 0
    cdef lua_Integer integer
    cdef lua_Number number
    cdef uint64_t bits
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
        number = lua_tonumber(L, index)
        memcpy(&bits, &number, 8)
        key.rank = RANK_FLOAT
        key.order = ~bits if bits & SIGN else bits | SIGN
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


# ---- pairs

cdef int pairs_step(lua_State *L) noexcept nogil:
    """The iterator of pairs. Upvalues: snapshot, table, the snapshot's keys."""
    cdef Snapshot *s = <Snapshot *>lua_touserdata(L, lua_upvalueindex(1))
    lua_settop(L, 2)
    if not lua_rawequal(L, 1, lua_upvalueindex(2)) or not is_key(L, 2, lua_upvalueindex(3), s, s.position):
        return ordered_next(L)      # called by hand with another key: any key will do, as with the stock iterator
    return give_next(L, 1, lua_upvalueindex(3), s)


cdef int pairs_continued(lua_State *L, int status, lua_KContext context) noexcept nogil:
    return 4


cdef int ordered_pairs(lua_State *L) noexcept nogil:
    """pairs(t) -> iterator, t, nil. In the order of decision 6; __pairs is honoured."""
    luaL_checkany(L, 1)
    if luaL_getmetafield(L, 1, b"__pairs") != LUA_TNIL:
        lua_pushvalue(L, 1)
        lua_callk(L, 1, 4, 0, pairs_continued)
        return 4
    luaL_checktype(L, 1, LUA_TTABLE)
    push_snapshot(L, 1)
    lua_pushvalue(L, 1)
    lua_getiuservalue(L, -2, 1)
    lua_pushcclosure(L, pairs_step, 3)
    lua_pushvalue(L, 1)
    lua_pushnil(L)
    return 3


# ---- next: without an iterator of its own, so what it needs to remember is kept by table, for as long as the table lives

cdef void new_weak_table(lua_State *L, const void *key) noexcept nogil:
    """registry[key] = a table with weak keys. Before hide_weakness() only."""
    lua_newtable(L)
    lua_createtable(L, 0, 1)
    lua_pushstring(L, b"k")
    lua_setfield(L, -2, b"__mode")
    lua_setmetatable(L, -2)
    lua_rawsetp(L, LUA_REGISTRYINDEX, key)


cdef void open_order(lua_State *L) noexcept nogil:
    new_weak_table(L, &SNAPSHOTS_KEY)
    new_weak_table(L, &FIRST_KEY)


cdef void push_kept(lua_State *L, const void *key) noexcept nogil:
    """Push what is kept under `key` for the table at 1."""
    lua_rawgetp(L, LUA_REGISTRYINDEX, key)
    lua_pushvalue(L, 1)
    lua_rawget(L, -2)
    lua_remove(L, -2)


cdef void keep(lua_State *L, const void *key) noexcept nogil:
    """Keep the value on top, popping it, under `key` for the table at 1."""
    lua_rawgetp(L, LUA_REGISTRYINDEX, key)
    lua_insert(L, -2)
    lua_pushvalue(L, 1)
    lua_insert(L, -2)
    lua_rawset(L, -3)
    lua_pop(L, 1)


cdef int next_first(lua_State *L) noexcept nogil:
    """The first key of the table at 1 and its value. One look if it is empty, one pass without sorting if not."""
    cdef Key key, best
    cdef uint64_t count = 0
    cdef Snapshot *s
    lua_settop(L, 1)
    lua_pushnil(L)
    lua_pushnil(L)
    # stack: table, best key, key
    while lua_next(L, 1):
        lua_pop(L, 1)
        count += 1
        read_key(L, -1, &key)
        if count == 1 or compare_keys(&key, &best) < 0:
            best = key
            lua_copy(L, 3, 2)
    if count == 0:
        lua_pushnil(L)
        return 1
    charge(L, 1 + count // COUNT_PER_STEP)
    lua_pushvalue(L, 2)
    keep(L, &FIRST_KEY)
    push_kept(L, &SNAPSHOTS_KEY)
    s = <Snapshot *>lua_touserdata(L, -1)
    if s != NULL:
        s.position = RESTART
    lua_settop(L, 2)
    lua_pushvalue(L, 2)
    lua_rawget(L, 1)
    return 2


cdef int next_after(lua_State *L) noexcept nogil:
    """Continue after the key at 2, which is in the table or was given for it before. Stack: table, key, snapshot | nil."""
    cdef Snapshot *s = <Snapshot *>lua_touserdata(L, 3)
    cdef Key key
    cdef lua_Integer at = 0
    cdef bint found = False, first
    read_key(L, 2, &key)
    push_kept(L, &FIRST_KEY)
    first = lua_rawequal(L, -1, 2)
    lua_settop(L, 3)
    if s != NULL:
        at = find_key(s, &key, &found)
    if s == NULL or not found or (s.position == RESTART and first):
        lua_pushvalue(L, 2)
        if not (found or first or lua_rawget(L, 1) != LUA_TNIL):
            return luaL_error(L, b"invalid key to 'next'")
        lua_settop(L, 2)
        s = push_snapshot(L, 1)
        lua_pushvalue(L, 3)
        keep(L, &SNAPSHOTS_KEY)
        at = find_key(s, &key, &found)
    s.position = at
    lua_getiuservalue(L, 3, 1)
    return give_next(L, 1, 4, s)


cdef int ordered_next(lua_State *L) noexcept nogil:
    """next(t[, key]) -> key, value | nil. In the order of decision 6."""
    cdef Snapshot *s
    cdef int count
    luaL_checktype(L, 1, LUA_TTABLE)
    lua_settop(L, 2)
    if lua_isnil(L, 2):
        return next_first(L)
    push_kept(L, &SNAPSHOTS_KEY)
    s = <Snapshot *>lua_touserdata(L, 3)
    if s != NULL:
        lua_getiuservalue(L, 3, 1)
    if s != NULL and s.position > 0 and is_key(L, 2, 4, s, s.position):
        count = give_next(L, 1, 4, s)
    else:
        lua_settop(L, 3)
        count = next_after(L)
    if count == 1:
        # The end: nothing needs to be remembered any more.
        lua_pushnil(L)
        keep(L, &SNAPSHOTS_KEY)
        lua_pushnil(L)
        keep(L, &FIRST_KEY)
    return count
