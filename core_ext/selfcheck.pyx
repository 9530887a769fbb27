# At import: bind the Lua 5.5 in lupa's wheel, and prove that it is the one that this core was written for.

cdef str bind_lua():
    """Returns what is wrong, or ''."""
    cdef const char *missing
    cdef bytes path
    try:
        import lupa.lua55 as vm
    except ImportError as error:
        return f"it has no Lua 5.5 ({error})"
    path = vm.__file__.encode()
    missing = fleet_bind_lua(path)
    if missing != NULL:
        return f"its Lua 5.5 does not export what is needed: {(<bytes>missing).decode()}"
    return check_layout()


cdef int probe(lua_State *L) noexcept nogil:
    """Protected: 0 if serials are found where the allocator put them, for each type of object, and arrays' sizes."""
    cdef uint64_t before
    luaL_checkversion_(L, LUA_VERSION_NUM, 8 * 16 + 8)
    before = state_of(L).serial
    lua_newtable(L)
    if serial_of(L, -1) != before + 1:
        return luaL_error(L, b"table")
    lua_newuserdatauv(L, 16, 1)
    if serial_of(L, -1) != before + 2:
        return luaL_error(L, b"userdata")
    lua_newthread(L)
    if serial_of(L, -1) != before + 3:
        return luaL_error(L, b"coroutine")
    lua_pushnil(L)
    lua_pushcclosure(L, probe, 1)
    if serial_of(L, -1) != before + 4:
        return luaL_error(L, b"function")
    lua_pushcfunction(L, probe)
    if serial_of(L, -1) != 0:
        return luaL_error(L, b"C function")
    lua_createtable(L, 7, 3)
    if array_part(L, -1) != 7:
        return luaL_error(L, b"array")
    lua_createtable(L, 0, 3)
    if array_part(L, -1) != 0:
        return luaL_error(L, b"array")
    return check_weakness(L)


cdef str check_layout():
    cdef StateC st
    cdef int status
    memset(&st, 0, sizeof(StateC))
    st.limit = 1 << 20
    st.L = lua_newstate(allocate, &st, HASH_SEED)
    if st.L == NULL:
        return "a Lua state could not be made"
    (<StateC **>lua_getextraspace(st.L))[0] = &st
    try:
        if lua_version(st.L) != LUA_VERSION_NUM:
            return f"its Lua is {lua_version(st.L)}, not {LUA_VERSION_NUM}"
        lua_pushcfunction(st.L, probe)
        status = lua_pcall(st.L, 0, 0, 0)
        if status != LUA_OK:
            return f"its objects are laid out differently: {(<bytes>lua_tostring(st.L, -1)).decode()}"
    finally:
        arena_free(&st)
    return ""


def _require_lua():
    problem = bind_lua()
    if problem:
        import lupa
        raise ImportError(
            f"fleet._core cannot use the installed lupa {lupa.__version__}: {problem}. "
            "Install the version that lua-fleet was built for: pip install 'lupa==2.8'")


_require_lua()
