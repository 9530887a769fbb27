# What a script sees: an allow-list. `base` has the stock functions that are safe as they are, our own for those that are
# not, and explanations in place of what is absent (libraries.pyx); the stock libraries themselves are in no state.

cdef enum:
    FIRST_COLLECTION = 32 * 1024    # bytes that a new state may allocate before its first collection: most calls end before
    HASH_SEED = 0x5EED      # fixed: two processes hash strings, and so order tables, alike

cdef void describe_core() noexcept nogil:
    member(b"core", b"class", core_class)
    member(b"core", b"set_error_maker", core_set_error_maker)
    member(b"core", b"set_error_class", core_set_error_class)
    member(b"core", b"current", core_current)
    member(b"core", b"park", core_park)
    member(b"core", b"wake", core_wake)
    member(b"core", b"interrupt", core_interrupt)
    member(b"core", b"start", core_start)
    member(b"core", b"stop", core_stop)
    member(b"core", b"others_ready", core_others_ready)
    member(b"core", b"waiting", core_waiting)
    member(b"core", b"offer", core_offer)
    member(b"core", b"pending", core_pending)
    member(b"core", b"new_channel", channel_new)
    member(b"core", b"close_channel", channel_close_lua)
    member(b"core", b"drain", core_drain)
    member(b"core", b"host", core_host)
    member(b"core", b"module", core_module)
    member(b"core", b"chunk", core_chunk)
    member(b"core", b"manifest", core_manifest)
    member(b"core", b"payload", core_payload)
    member(b"core", b"from_payload", core_from_payload)
    member(b"core", b"undecodable", core_undecodable)
    member(b"core", b"seed", core_seed)
    member(b"core", b"random_bytes", core_random_bytes)
    member(b"core", b"charge", core_charge)
    member(b"core", b"refuse", core_refuse)
    member(b"core", b"serials", core_serials)
    member(b"core", b"passing", core_passing)
    member(b"core", b"run_body", core_run_body)
    member(b"channel", b"new", channel_new)
    member(b"channel", b"select", channel_select)
    member(b"coroutine", b"spawn", coroutine_spawn)
    member(b"coroutine", b"create", coroutine_create)
    member(b"coroutine", b"resume", coroutine_resume)
    member(b"coroutine", b"yield", coroutine_yield)
    member(b"coroutine", b"wrap", coroutine_wrap)
    member(b"coroutine", b"status", coroutine_status)
    member(b"coroutine", b"running", coroutine_running)
    member(b"coroutine", b"isyieldable", coroutine_isyieldable)
    member(b"coroutine", b"close", coroutine_close)


cdef void describe_methods() noexcept nogil:
    member(b"core", b"json_encode", json_encode)
    member(b"core", b"json_decode", json_decode)
    member(b"core", b"json_object", json_object)
    member(b"__index", b"send", channel_send)
    member(b"__index", b"receive", channel_receive)
    member(b"__index", b"close", channel_close_lua)
    member(b"__index", b"case_send", channel_case_send)
    member(b"__index", b"case_receive", channel_case_receive)


cdef int core_charge(lua_State *L) noexcept nogil:
    """core.charge(n): spend n steps of the budget on work done elsewhere"""
    charge(L, <uint64_t>luaL_checkinteger(L, 1))
    return 0


cdef int core_passing(lua_State *L) noexcept nogil:
    """core.passing(flag) -> what it was. While it is set, what Lua allocates is kept apart: it will be freed together."""
    cdef StateC *st = state_of(L)
    lua_pushboolean(L, st.passing != 0)
    st.passing = PASSING if lua_toboolean(L, 1) else 0
    return 1


cdef int core_serials(lua_State *L) noexcept nogil:
    """core.serials([n]) -> the last creation serial; with n, that of the next object is n + 1"""
    cdef StateC *st = state_of(L)
    cdef uint64_t last = st.serial
    if not lua_isnoneornil(L, 1):
        st.serial = <uint64_t>luaL_checkinteger(L, 1)
    lua_pushinteger(L, <lua_Integer>last)
    return 1


cdef int core_refuse(lua_State *L) noexcept nogil:
    """core.refuse(message[, level=1]): raise for something that the sandbox does not have; level as in error()"""
    return raise_sandbox_at(L, luaL_checklstring(L, 1, NULL), <int>luaL_optinteger(L, 2, 1))


cdef int core_run_body(lua_State *L) noexcept nogil:
    """core.run_body(chunk[, env]) -> what it returns. Runs the body of a file, which must not block. env: from now on the
    environment of chunks that the script makes with load()."""
    cdef StateC *st = state_of(L)
    cdef bint outer = st.must_not_block
    lua_settop(L, 2)
    if lua_istable(L, 2):
        lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS)
    lua_settop(L, 1)
    # An error in the body fails the load of the program, so the flag need not survive a jump.
    st.must_not_block = True
    lua_call(L, 0, 1)
    st.must_not_block = outer
    return 1


cdef void push_metatable(lua_State *L, const void *key, const char *name) noexcept nogil:
    """Push the metatable that registry[key] has for one class of objects, made when the first one is. name: what the
    script knows them by."""
    if lua_rawgetp(L, LUA_REGISTRYINDEX, key) != LUA_TNIL:
        return
    lua_pop(L, 1)
    lua_createtable(L, 0, 4)
    lua_pushstring(L, name)
    lua_setfield(L, -2, b"__name")
    lua_pushboolean(L, False)
    lua_setfield(L, -2, b"__metatable")
    lua_pushvalue(L, -1)
    lua_rawsetp(L, LUA_REGISTRYINDEX, key)


cdef void push_channel_metatable(lua_State *L) noexcept nogil:
    push_metatable(L, &CHANNEL_KEY, b"channel")
    if lua_getfield(L, -1, b"__index") == LUA_TNIL:
        lua_createtable(L, 0, members_of(b"__index"))
        put_members(L, b"__index")
        lua_setfield(L, -3, b"__index")
    lua_pop(L, 1)


cdef void grant(lua_State *L, Py_ssize_t size) noexcept nogil:
    """The collector looks on while `size` more bytes are allocated."""
    global_of(L).total += size
    global_of(L).debt += size


cdef int open_sandbox(lua_State *L) noexcept nogil:
    """Protected: prepare a state and load the engine whose name is given as light userdata."""
    cdef const char *engine = <const char *>lua_touserdata(L, 1)
    lua_gc(L, LUA_GCSTOP)       # nearly all of this stays: a collection on the way finds nothing
    luaL_checkversion_(L, LUA_VERSION_NUM, 8 * 16 + 8)
    lua_newtable(L)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &TASKS_KEY)
    if state_of(L).shared == NULL:
        hide_weakness(L)
    else:
        open_maker(L)
    open_libraries(L)
    open_json(L)
    lua_pushvalue(L, -2)
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS)

    # stack: ..., base, core. The engine's chunk gets both.
    lua_pushcfunction(L, core_module)
    lua_pushstring(L, engine)
    lua_call(L, 1, 1)
    if lua_type(L, -1) != LUA_TFUNCTION:
        return luaL_error(L, b"there is no engine called %s", engine)
    lua_insert(L, -2)
    lua_pushvalue(L, -3)
    lua_call(L, 2, 1)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ENGINE_KEY)
    lua_settop(L, 0)
    lua_gc(L, LUA_GCRESTART)
    grant(L, FIRST_COLLECTION)
    return 0
