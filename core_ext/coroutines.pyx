# coroutine.resume, wrap and friends. Blocking inside a manual coroutine blocks the task that resumed it: such a yield
# (`handed_over`) is passed on upward, and the values of waking are passed down again.

cdef int auxresume(lua_State *L, lua_State *co, int nargs) noexcept nogil:
    """Resume `co` with the top `nargs` values of L. Returns the count of results pushed, -1 with an error pushed,
    or -2 when a blocking operation in `co` must be passed on."""
    cdef StateC *st = state_of(L)
    cdef Resumption resumption
    cdef int status, count
    if not lua_checkstack(co, nargs + 1):
        lua_pushstring(L, b"too many arguments to resume")
        return -1
    if lua_status(co) == LUA_OK and lua_gettop(co) == 0:
        lua_pop(L, nargs)
        lua_pushstring(L, b"cannot resume dead coroutine")
        return -1
    lua_xmove(L, co, nargs)
    lua_sethook(co, on_count, LUA_MASKCOUNT, HOOK_INTERVAL)
    resumption.L = co
    resumption.outer = st.resumption
    st.resumption = &resumption
    status = lua_resume(co, L, nargs, &count)
    st.resumption = resumption.outer
    if status == LUA_YIELD and st.handed_over:
        return -2
    if status == LUA_OK or status == LUA_YIELD:
        if not lua_checkstack(L, count + 1):
            lua_pop(co, count)
            lua_pushstring(L, b"too many results to resume")
            return -1
        lua_xmove(co, L, count)
        return count
    lua_xmove(co, L, 1)
    return -1


cdef bint is_running(lua_State *L, lua_State *co) noexcept nogil:
    cdef lua_Debug ar
    return co == L or (lua_status(co) == LUA_OK and lua_getstack(co, 0, &ar))


cdef bint is_managed(lua_State *L, int index) noexcept nogil:
    """Is the coroutine at `index` a task, or blocked inside one? Then only the scheduler may resume it."""
    cdef bint managed
    lua_rawgetp(L, LUA_REGISTRYINDEX, &TASKS_KEY)
    lua_pushvalue(L, index)
    managed = lua_rawget(L, -2) != LUA_TNIL
    lua_pop(L, 2)
    return managed


cdef void set_managed(lua_State *L, int index, bint managed) noexcept nogil:
    lua_pushvalue(L, index)
    lua_rawgetp(L, LUA_REGISTRYINDEX, &TASKS_KEY)
    lua_insert(L, -2)
    if managed:
        lua_pushboolean(L, True)
    else:
        lua_pushnil(L)
    lua_rawset(L, -3)
    lua_pop(L, 1)


cdef lua_State *check_coroutine(lua_State *L) noexcept nogil:
    cdef lua_State *co = lua_tothread(L, 1)
    if co == NULL:
        luaL_typeerror(L, 1, b"coroutine")
    return co


cdef bint refuse_resume(lua_State *L, int index) noexcept nogil:
    """Push why the coroutine at `index` cannot be resumed by hand, if so."""
    if is_running(L, lua_tothread(L, index)):
        lua_pushstring(L, b"cannot resume non-suspended coroutine")
        return True
    if is_managed(L, index):
        lua_pushstring(L, b"cannot resume a coroutine that the scheduler runs (spawned, or waiting for something)")
        return True
    return False


cdef int resume_passed_on(lua_State *L, int status, lua_KContext base) noexcept nogil:
    set_managed(L, 1, False)
    return resume_done(L, auxresume(L, lua_tothread(L, 1), state_of(L).wake_nargs), base)


cdef int resume_done(lua_State *L, int count, lua_KContext base) noexcept nogil:
    if count == -2:
        set_managed(L, 1, True)
        lua_settop(L, <int>base)
        return lua_yieldk(L, 0, base, resume_passed_on)
    if count < 0:
        lua_pushboolean(L, False)
        lua_insert(L, -2)
        return 2
    lua_pushboolean(L, True)
    lua_insert(L, -(count + 1))
    return count + 1


cdef int coroutine_resume(lua_State *L) noexcept nogil:
    cdef lua_State *co = check_coroutine(L)
    if refuse_resume(L, 1):
        lua_pushboolean(L, False)
        lua_insert(L, -2)
        return 2
    return resume_done(L, auxresume(L, co, lua_gettop(L) - 1), 1)


cdef int wrap_passed_on(lua_State *L, int status, lua_KContext base) noexcept nogil:
    cdef lua_State *co = lua_tothread(L, lua_upvalueindex(1))
    set_managed(L, lua_upvalueindex(1), False)
    return wrap_done(L, co, auxresume(L, co, state_of(L).wake_nargs))


cdef int wrap_done(lua_State *L, lua_State *co, int count) noexcept nogil:
    if count == -2:
        set_managed(L, lua_upvalueindex(1), True)
        return lua_yieldk(L, 0, 0, wrap_passed_on)
    if count >= 0:
        return count
    if lua_status(co) != LUA_OK and lua_status(co) != LUA_YIELD:
        if lua_closethread(co, L) != LUA_OK and lua_gettop(co) > 0:
            lua_xmove(co, L, 1)
    if lua_type(L, -1) == LUA_TSTRING:
        luaL_where(L, 1)
        lua_insert(L, -2)
        lua_concat(L, 2)
    return lua_error(L)


cdef int wrapped(lua_State *L) noexcept nogil:
    cdef lua_State *co = lua_tothread(L, lua_upvalueindex(1))
    if refuse_resume(L, lua_upvalueindex(1)):
        return wrap_done(L, co, -1)
    return wrap_done(L, co, auxresume(L, co, lua_gettop(L)))


cdef int coroutine_create(lua_State *L) noexcept nogil:
    cdef lua_State *co
    luaL_checktype(L, 1, LUA_TFUNCTION)
    co = lua_newthread(L)
    lua_pushvalue(L, 1)
    lua_xmove(L, co, 1)
    return 1


cdef int coroutine_wrap(lua_State *L) noexcept nogil:
    coroutine_create(L)
    lua_pushcclosure(L, wrapped, 1)
    return 1


cdef int coroutine_yield(lua_State *L) noexcept nogil:
    if state_of(L).must_not_block or not lua_isyieldable(L):
        return cannot_block(L, state_of(L))
    return lua_yield(L, lua_gettop(L))


cdef int coroutine_status(lua_State *L) noexcept nogil:
    cdef lua_State *co = check_coroutine(L)
    cdef lua_Debug ar
    cdef const char *text
    if co == L:
        text = b"running"
    elif lua_status(co) == LUA_YIELD:
        text = b"suspended"
    elif lua_status(co) != LUA_OK:
        text = b"dead"
    elif lua_getstack(co, 0, &ar):
        text = b"normal"
    else:
        text = b"suspended" if lua_gettop(co) else b"dead"
    lua_pushstring(L, text)
    return 1


cdef int coroutine_running(lua_State *L) noexcept nogil:
    """coroutine.running() -> thread | nil in the main coroutine (lua_api.md 4)"""
    cdef StateC *st = state_of(L)
    if L == st.L or (st.tasks != NULL and st.tasks.id == 1 and st.tasks.L == L):
        lua_pushnil(L)
        return 1
    lua_pushthread(L)
    return 1


cdef int coroutine_isyieldable(lua_State *L) noexcept nogil:
    lua_pushboolean(L, lua_isyieldable(lua_tothread(L, 1) if lua_type(L, 1) == LUA_TTHREAD else L))
    return 1


cdef int coroutine_close(lua_State *L) noexcept nogil:
    cdef lua_State *co = check_coroutine(L)
    if is_running(L, co) or is_managed(L, 1):
        return luaL_error(L, b"cannot close a running coroutine")
    if lua_closethread(co, L) == LUA_OK:
        lua_pushboolean(L, True)
        return 1
    lua_pushboolean(L, False)
    lua_xmove(co, L, 1)
    return 2
