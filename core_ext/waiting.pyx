# Where the tasks of a state wait, for the stack trace query. Nothing of a script runs for it.

cdef lua_State *coroutine_inside(lua_State *co) noexcept nogil:
    """The coroutine whose blocking operation `co` has passed on, NULL if `co` itself waits."""
    cdef lua_Debug ar
    cdef lua_CFunction function
    cdef lua_State *inner = NULL
    if not lua_getstack(co, 0, &ar) or not lua_checkstack(co, 2):
        return NULL
    lua_getinfo(co, b"f", &ar)
    function = lua_tocfunction(co, -1)
    if function == wrapped and lua_getupvalue(co, -1, 1) != NULL:
        inner = lua_tothread(co, -1)
        lua_pop(co, 1)
    elif function == coroutine_resume and lua_getlocal(co, &ar, 1) != NULL:
        inner = lua_tothread(co, -1)
        lua_pop(co, 1)
    lua_pop(co, 1)
    return inner


cdef void push_operation(lua_State *L, lua_State *co) noexcept nogil:
    """Push what the innermost function of `co` does: the name that core.park was given, or that of a built-in; or nil."""
    cdef lua_Debug ar
    if not lua_getstack(co, 0, &ar) or not lua_checkstack(co, 2):
        lua_pushnil(L)
        return
    lua_getinfo(co, b"fn", &ar)
    if lua_tocfunction(co, -1) != core_park:
        lua_pop(co, 1)
        lua_pushstring(L, ar.name)
        return
    lua_pop(co, 1)
    if lua_getlocal(co, &ar, 2) == NULL:
        lua_pushnil(L)
        return
    lua_xmove(co, L, 1)


cdef int core_waiting(lua_State *L) noexcept nogil:
    """core.waiting() -> list of {id=, operation=, traceback, ...}: the blocked tasks, in order of creation | nil once nothing
    runs any more in this state.

    The tracebacks are those of the task and of the coroutines inside it that it resumed; the last one is what waits."""
    cdef Task *task = state_of(L).tasks
    cdef lua_State *co
    cdef lua_State *inner
    cdef lua_Integer count = 0, depth
    if state_of(L).stopped:
        return 0
    lua_settop(L, 0)
    lua_newtable(L)
    while task != NULL:
        if task.status == TASK_BLOCKED:
            lua_createtable(L, 1, 2)
            lua_pushinteger(L, task.id)
            lua_setfield(L, -2, b"id")
            depth = 0
            co = task.L
            while co != NULL:
                luaL_traceback(L, co, NULL, 0)
                depth += 1
                lua_rawseti(L, -2, depth)
                inner = coroutine_inside(co)
                if inner == NULL:
                    push_operation(L, co)
                    lua_setfield(L, -2, b"operation")
                co = inner
            count += 1
            lua_rawseti(L, 1, count)
        task = task.next
    return 1
