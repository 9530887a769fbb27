# pairs and next in the order of keys (decision 6), over the snapshots of order.pyx.

cdef char SNAPSHOTS_KEY         # registry[&SNAPSHOTS_KEY][t] = the snapshot that next(t, k) walks; weak keys
cdef char FIRST_KEY             # registry[&FIRST_KEY][t] = the key that next(t) gave last; weak keys

cdef enum:
    FEW_KEYS = INSERTION_SORT
    RESTART = -1                # Snapshot.position: next(t) was asked since, so the traversal may begin anew


# ---- pairs: one closure per loop. It holds the keys themselves if they are few, n if they are 1..n, else a snapshot.

cdef int sequence_step(lua_State *L) noexcept nogil:
    """The iterator over an array. Upvalues: table, n. Without a memory: the last key says where it is."""
    cdef lua_Integer i = lua_tointeger(L, 2)
    cdef lua_Integer count = lua_tointeger(L, lua_upvalueindex(2))
    lua_settop(L, 2)
    if not lua_rawequal(L, 1, lua_upvalueindex(1)) or i < 0 or (i == 0 and not lua_isnil(L, 2)):
        return ordered_next(L)      # called by hand with another key: any key will do, as with the stock iterator
    while i < count:
        i += 1
        if lua_rawgeti(L, 1, i) != LUA_TNIL:
            lua_pushinteger(L, i)
            lua_insert(L, -2)
            return 2
        lua_pop(L, 1)
    lua_pushnil(L)
    return 1


cdef int few_step(lua_State *L) noexcept nogil:
    """The iterator over few keys. Upvalues: table, position of the last key, count, the keys."""
    cdef int position = <int>lua_tointeger(L, lua_upvalueindex(2))
    cdef int count = <int>lua_tointeger(L, lua_upvalueindex(3))
    cdef bint here
    lua_settop(L, 2)
    here = lua_rawequal(L, 2, lua_upvalueindex(3 + position)) if position > 0 else lua_isnil(L, 2)
    if not here or not lua_rawequal(L, 1, lua_upvalueindex(1)):
        return ordered_next(L)
    while position < count:
        position += 1
        lua_pushvalue(L, lua_upvalueindex(3 + position))
        lua_pushvalue(L, -1)
        if lua_rawget(L, 1) != LUA_TNIL:
            lua_pushinteger(L, position)
            lua_replace(L, lua_upvalueindex(2))
            return 2
        lua_pop(L, 2)
    lua_pushnil(L)
    return 1


cdef int pairs_step(lua_State *L) noexcept nogil:
    """The iterator over many keys. Upvalues: snapshot, table, the snapshot's keys."""
    cdef Snapshot *s = <Snapshot *>lua_touserdata(L, lua_upvalueindex(1))
    lua_settop(L, 2)
    if not lua_rawequal(L, 1, lua_upvalueindex(2)) or not is_key(L, 2, lua_upvalueindex(3), s, s.position):
        return ordered_next(L)
    return give_next(L, 1, lua_upvalueindex(3), s)


cdef bint push_few(lua_State *L) noexcept nogil:
    """Push the iterator over the table at 1 if it has few keys; else leave the stack as it is."""
    cdef Key keys[FEW_KEYS]
    cdef int i, count = 0, top = lua_gettop(L)
    luaL_checkstack(L, 2 * FEW_KEYS + 8, NULL)
    lua_pushnil(L)
    # stack: the keys so far, the last one twice while lua_next works on it
    while lua_next(L, 1):
        lua_pop(L, 1)
        if count == FEW_KEYS:
            lua_settop(L, top)
            return False
        read_key(L, -1, &keys[count])
        count += 1
        keys[count - 1].slot = <uint32_t>(top + count)
        lua_pushvalue(L, -1)
    charge(L, 2 * <uint64_t>count)
    insertion_sort(keys, count)
    lua_pushvalue(L, 1)
    lua_pushinteger(L, 0)
    lua_pushinteger(L, count)
    for i in range(count):
        lua_pushvalue(L, <int>keys[i].slot)
    lua_pushcclosure(L, few_step, 3 + count)
    return True


cdef int pairs_continued(lua_State *L, int status, lua_KContext context) noexcept nogil:
    return 4


cdef int ordered_pairs(lua_State *L) noexcept nogil:
    """pairs(t) -> iterator, t, nil. In the order of decision 6; __pairs is honoured."""
    cdef Snapshot *s
    luaL_checkany(L, 1)
    if luaL_getmetafield(L, 1, b"__pairs") != LUA_TNIL:
        lua_pushvalue(L, 1)
        lua_callk(L, 1, 4, 0, pairs_continued)
        return 4
    luaL_checktype(L, 1, LUA_TTABLE)
    if not push_few(L):
        s = push_snapshot(L, 1)
        if s.sequence:
            lua_pushvalue(L, 1)
            lua_pushinteger(L, s.count)
            lua_pushcclosure(L, sequence_step, 2)
        else:
            lua_pushvalue(L, 1)
            lua_getiuservalue(L, -2, 1)
            lua_pushcclosure(L, pairs_step, 3)
    lua_pushvalue(L, 1)
    lua_pushnil(L)
    return 3


# ---- next: without an iterator of its own, so what it needs to remember is kept by table, for as long as the table lives

cdef void new_weak_table(lua_State *L, const void *key) noexcept nogil:
    """Push a table with weak keys, which registry[key] is from now on."""
    lua_newtable(L)
    lua_createtable(L, 0, 1)
    # The string that the collector knows, which is hidden from everybody else.
    push_word(L, <uint8_t>TAG_SHORT_STRING, global_of(L).names[MODE_NAME])
    lua_pushstring(L, b"k")
    lua_rawset(L, -3)
    lua_setmetatable(L, -2)
    lua_pushvalue(L, -1)
    lua_rawsetp(L, LUA_REGISTRYINDEX, key)


cdef void push_kept(lua_State *L, const void *key) noexcept nogil:
    """Push what is kept under `key` for the table at 1."""
    if lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TNIL:
        return
    lua_pushvalue(L, 1)
    lua_rawget(L, -2)
    lua_remove(L, -2)


cdef void keep(lua_State *L, const void *key) noexcept nogil:
    """Keep the value on top, popping it, under `key` for the table at 1."""
    if lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TNIL:
        lua_pop(L, 1)
        new_weak_table(L, key)
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
