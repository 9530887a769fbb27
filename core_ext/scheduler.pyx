# The scheduler of one Lua state: tasks (managed coroutines), a FIFO run queue, parking and waking.
#
# A task blocks by yielding out of a C function with `handed_over` set; coroutine.resume passes such a yield on
# upward (coroutine.pyx), so blocking works inside manual coroutines too. Waking pushes the results on the task's
# own stack and appends it to the run queue; they arrive as the values of its next resume.

# registry[&TASKS_KEY]: [id] = thread keeps the coroutines of live tasks; [thread] = true bars resume by hand
cdef char TASKS_KEY


cdef char INTERRUPT_KEY         # registry[&INTERRUPT_KEY] = a cancellation that nobody has taken yet


cdef Task *task_new(lua_State *L, StateC *st) noexcept nogil:
    """Make a task of the coroutine on top of L, popping it. Raises for want of memory; the task is not queued yet."""
    cdef Task *task
    set_managed(L, -1, True)
    lua_rawgetp(L, LUA_REGISTRYINDEX, &TASKS_KEY)
    lua_pushvalue(L, -2)
    lua_rawseti(L, -2, <lua_Integer>st.last_task + 1)
    lua_pop(L, 1)
    task = <Task *>malloc(sizeof(Task))
    if task == NULL:
        luaL_error(L, b"not enough memory")
    memset(task, 0, sizeof(Task))
    live_tasks(1)
    st.last_task += 1
    task.id = st.last_task
    task.L = lua_tothread(L, -1)
    lua_pop(L, 1)
    task.status = TASK_BLOCKED
    task.previous = st.tasks_tail
    if st.tasks_tail != NULL:
        st.tasks_tail.next = task
    else:
        st.tasks = task
    st.tasks_tail = task
    return task


cdef void task_free(StateC *st, Task *task) noexcept nogil:
    waiters_drop(task)
    if task.previous != NULL:
        task.previous.next = task.next
    else:
        st.tasks = task.next
    if task.next != NULL:
        task.next.previous = task.previous
    else:
        st.tasks_tail = task.previous
    live_tasks(-1)
    free(task)


cdef Task *task_find(StateC *st, lua_Integer id) noexcept nogil:
    # From the youngest: whoever is woken has usually just begun to wait.
    cdef Task *task = st.tasks_tail
    while task != NULL and task.id != id:
        task = task.previous
    return task


cdef void task_ready(StateC *st, Task *task) noexcept nogil:
    """Append to the run queue."""
    task.status = TASK_READY
    task.next_ready = NULL
    if st.ready_tail != NULL:
        st.ready_tail.next_ready = task
    else:
        st.ready = task
    st.ready_tail = task


cdef void task_ready_first(StateC *st, Task *task) noexcept nogil:
    task.status = TASK_READY
    task.next_ready = st.ready
    st.ready = task
    if st.ready_tail == NULL:
        st.ready_tail = task


cdef void wake(lua_State *L, StateC *st, Task *task, int nargs, bint raises) noexcept nogil:
    """Wake a blocked task with the top `nargs` values of L, popping them. With `raises` the one value is raised there."""
    waiters_drop(task)
    if not lua_checkstack(task.L, nargs + 1):
        luaL_error(L, b"not enough memory")
    lua_xmove(L, task.L, nargs)
    task.nargs = nargs
    task.raises = raises
    task_ready(st, task)


cdef int cannot_block(lua_State *L, StateC *st) noexcept nogil:
    if st.must_not_block:
        return luaL_error(L, b"cannot wait here: the body of a file runs once when it is loaded and must not block; "
                          b"move this into a function")
    return luaL_error(L, b"cannot wait here: a table.sort comparator, a string.gsub callback or a metamethod called from C "
                      b"must not block")


cdef int park(lua_State *L, uint8_t interrupt, lua_KContext context, lua_KFunction continuation) noexcept nogil:
    """Block the current task. The results of waking are the top `wake_nargs` values when `continuation` runs."""
    cdef StateC *st = state_of(L)
    if st.must_not_block or st.current == NULL or not lua_isyieldable(L):
        waiters_drop(st.current)
        return cannot_block(L, st)
    if interrupt != INTERRUPT_NEVER and lua_rawgetp(L, LUA_REGISTRYINDEX, &INTERRUPT_KEY) != LUA_TNIL:
        # A cancellation that found nothing blocked is for the first operation that would block.
        lua_pushnil(L)
        lua_rawsetp(L, LUA_REGISTRYINDEX, &INTERRUPT_KEY)
        waiters_drop(st.current)
        if interrupt == INTERRUPT_RAISES:
            return lua_error(L)
        lua_pushnil(L)
        lua_insert(L, -2)
        return 2
    st.current.status = TASK_BLOCKED
    st.current.interrupt = interrupt
    st.handed_over = True
    return lua_yieldk(L, 0, context, continuation)


cdef int parked(lua_State *L, int status, lua_KContext context) noexcept nogil:
    """The usual continuation: return what waking brought, or raise it."""
    cdef StateC *st = state_of(L)
    if st.wake_raises:
        st.wake_raises = False
        return lua_error(L)
    return st.wake_nargs


# ---- Lua functions of the privileged modules (core.*) and coroutine.spawn

cdef int core_current(lua_State *L) noexcept nogil:
    """core.current() -> the id of the running task, for core.wake."""
    cdef StateC *st = state_of(L)
    if st.must_not_block or st.current == NULL or not lua_isyieldable(L):
        return cannot_block(L, st)
    lua_pushinteger(L, st.current.id)
    return 1


cdef int core_park(lua_State *L) noexcept nogil:
    """core.park(mode[, operation]) -> the values given to core.wake. mode: 0 no cancellation, 1 it raises, 2 it returns
    nil, err. operation: what a script knows this by, for core.waiting."""
    return park(L, <uint8_t>lua_tointeger(L, 1), 0, parked)


cdef int core_wake(lua_State *L) noexcept nogil:
    """core.wake(id, ...) -> true if the task was blocked and now has the values."""
    cdef StateC *st = state_of(L)
    cdef Task *task = task_find(st, luaL_checkinteger(L, 1))
    if task == NULL or task.status != TASK_BLOCKED:
        return 0
    wake(L, st, task, lua_gettop(L) - 1, False)
    lua_pushboolean(L, True)
    return 1


cdef int core_interrupt(lua_State *L) noexcept nogil:
    """core.interrupt(err): wake every blocked task with `err`, in order of creation; if none is, the first that would block
    gets it (decision 17)."""
    cdef StateC *st = state_of(L)
    cdef Task *task = st.tasks
    cdef lua_Integer count = 0
    while task != NULL:
        if task.status == TASK_BLOCKED and task.interrupt != INTERRUPT_NEVER:
            if task.interrupt == INTERRUPT_RAISES:
                lua_pushvalue(L, 1)
                wake(L, st, task, 1, True)
            else:
                lua_pushnil(L)
                lua_pushvalue(L, 1)
                wake(L, st, task, 2, False)
            count += 1
        task = task.next
    if count == 0:
        lua_settop(L, 1)
        lua_rawsetp(L, LUA_REGISTRYINDEX, &INTERRUPT_KEY)
    return 0


cdef int core_start(lua_State *L) noexcept nogil:
    """core.start(f, ...) -> a new task at the end of the run queue that calls f(...)."""
    cdef StateC *st = state_of(L)
    cdef int nargs = lua_gettop(L) - 1
    cdef lua_State *co
    cdef Task *task
    luaL_checktype(L, 1, LUA_TFUNCTION)
    co = lua_newthread(L)
    lua_insert(L, 1)
    if not lua_checkstack(co, nargs + 2):
        return luaL_error(L, b"too many arguments")
    lua_xmove(L, co, nargs + 1)
    task = task_new(L, st)
    task.nargs = nargs
    task_ready(st, task)
    lua_pushinteger(L, task.id)
    return 1


cdef int core_others_ready(lua_State *L) noexcept nogil:
    """core.others_ready() -> is any other task waiting for its turn?"""
    lua_pushboolean(L, state_of(L).ready != NULL)
    return 1


cdef int core_stop(lua_State *L) noexcept nogil:
    """core.stop(): nothing runs any more in this state after the current task gives way."""
    state_of(L).stopped = True
    return 0


cdef int spawned(lua_State *L, int status, lua_KContext context) noexcept nogil:
    return 1


cdef int coroutine_spawn(lua_State *L) noexcept nogil:
    """coroutine.spawn(f) -> thread. The new coroutine runs first, up to its first block (lua_api.md 4)."""
    cdef StateC *st = state_of(L)
    cdef lua_State *co
    luaL_checktype(L, 1, LUA_TFUNCTION)
    lua_settop(L, 1)
    if st.must_not_block or st.current == NULL or not lua_isyieldable(L):
        return cannot_block(L, st)
    co = lua_newthread(L)
    lua_pushvalue(L, 1)
    lua_xmove(L, co, 1)
    lua_pushvalue(L, -1)
    task_ready_first(st, st.current)
    task_ready_first(st, task_new(L, st))
    st.handed_over = True
    return lua_yieldk(L, 0, 0, spawned)


# ---- running

cdef int task_failed(lua_State *L) noexcept nogil:
    """Protected: engine.failed(error value, traceback, id of the task) for the dead coroutine given as light userdata."""
    cdef lua_State *dead = <lua_State *>lua_touserdata(L, 1)
    cdef Task *task = state_of(L).tasks
    while task.L != dead:
        task = task.next
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ENGINE_KEY)
    lua_getfield(L, -1, b"failed")
    lua_checkstack(dead, 2)
    lua_pushvalue(dead, -1)
    lua_xmove(dead, L, 1)
    luaL_traceback(L, dead, NULL, 0)
    lua_pushinteger(L, task.id)
    lua_call(L, 3, 0)
    return 0


cdef bint is_sandbox_violation(lua_State *L, int index) noexcept nogil:
    cdef bint same
    index = lua_absindex(L, index)
    lua_rawgetp(L, LUA_REGISTRYINDEX, &SANDBOX_KEY)
    same = lua_type(L, -1) == LUA_TSTRING and lua_rawequal(L, -1, index)
    lua_pop(L, 1)
    return same


cdef bint ends_with(lua_State *L, int index, const char *suffix) noexcept nogil:
    cdef size_t length, wanted = strlen(suffix)
    cdef const char *text
    if lua_type(L, index) != LUA_TSTRING:
        return False
    text = lua_tolstring(L, index, &length)
    return length >= wanted and memcmp(text + length - wanted, suffix, wanted) == 0


cdef void classify_error(StateC *st, lua_State *L, int status) noexcept nogil:
    """Turn an uncaught error that is no business of the script's into a violation. The error value is on top of L."""
    if status == LUA_ERRMEM:
        violate(st, VIOLATION_MEMORY)
    elif status == LUA_ERRERR or ends_with(L, -1, b"stack overflow"):
        violate(st, VIOLATION_STACK)
    elif not st.sliced and is_sandbox_violation(L, -1):
        violate(st, VIOLATION_SANDBOX)


cdef int write_report(lua_State *L) noexcept nogil:
    """Protected: the report of a violation that ended the coroutine given as light userdata."""
    cdef lua_State *dead = <lua_State *>lua_touserdata(L, 1)
    cdef StateC *st = state_of(L)
    cdef const char *text = violation_text(st)
    if st.violation == VIOLATION_SANDBOX:
        lua_checkstack(dead, 1)
        lua_pushvalue(dead, -1)
        lua_xmove(dead, L, 1)
        text = lua_tostring(L, -1)
    luaL_traceback(L, dead, text, 0)
    keep_report(st, lua_tostring(L, -1))
    return 0


cdef int protect(lua_State *L, lua_CFunction function, void *argument) noexcept nogil:
    """Call `function` with a light userdata in protected mode: the one way into Lua from outside."""
    lua_pushcfunction(L, function)
    lua_pushlightuserdata(L, argument)
    return lua_pcall(L, 1, 0, 0)


cdef void note_violation(StateC *st, lua_State *dead) noexcept nogil:
    if st.report == NULL and protect(st.L, write_report, dead) != LUA_OK:
        lua_pop(st.L, 1)
        keep_report(st, violation_text(st))


cdef void forget_thread(StateC *st, Task *task) noexcept nogil:
    """Drop a dead task's entries: assigning nil to existing keys allocates nothing, so it needs no protection."""
    lua_rawgetp(st.L, LUA_REGISTRYINDEX, &TASKS_KEY)
    lua_rawgeti(st.L, -1, task.id)
    lua_pushnil(st.L)
    lua_rawset(st.L, -3)
    lua_pushnil(st.L)
    lua_rawseti(st.L, -2, task.id)
    lua_pop(st.L, 1)


cdef int run_ready(StateC *st) noexcept nogil:
    """Run tasks until none is ready, the run has stopped, or (functions) the slice is over. A Lua status; the error, if any,
    is on top of st.L."""
    cdef Task *task
    cdef Resumption resumption
    cdef int status, count, nargs
    resumption.outer = NULL
    while st.ready != NULL and not st.stopped and not st.violation:
        if st.sliced and monotonic() > st.deadline:
            break
        task = st.ready
        if not resume_charged(st):
            note_violation(st, task.L)
            break
        st.ready = task.next_ready
        if st.ready == NULL:
            st.ready_tail = NULL
        task.status = TASK_RUNNING
        st.current = task
        nargs = task.nargs
        task.nargs = 0
        st.wake_nargs = nargs
        st.wake_raises = task.raises
        task.raises = False
        lua_sethook(task.L, on_count, LUA_MASKCOUNT, HOOK_INTERVAL)
        resumption.L = task.L
        st.resumption = &resumption
        status = lua_resume(task.L, st.L, nargs, &count)
        st.resumption = NULL
        st.current = NULL
        if status == LUA_YIELD:
            if st.handed_over:
                st.handed_over = False
            else:
                lua_pop(task.L, count)      # a plain coroutine.yield() in a task gives the others a turn
                task_ready(st, task)
            continue
        if status != LUA_OK:
            classify_error(st, task.L, status)
            if st.violation:
                note_violation(st, task.L)
                return LUA_OK
            status = protect(st.L, task_failed, task.L)
            if status != LUA_OK:
                return status
        forget_thread(st, task)
        task_free(st, task)
    return LUA_OK
