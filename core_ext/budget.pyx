# Instruction and time budget of one step, and what happens when it is spent.
#
# A count hook charges Lua code; C functions that can run long charge for themselves (the hook does not fire in C).
# A violation is sticky: it is noted in the state, and the hook then fires on every instruction, so that no pcall
# can carry on. Functions and processes are sliced instead: they yield to the event loop when their slice is over.

from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

cdef extern from "string.h" nogil:
    char *strndup(const char *text, size_t most)

cdef enum:
    HOOK_INTERVAL = 4096
    CHARGE_CLOCK = 65536        # C work between two looks at the clock
    RESUME_COST = 100           # of giving a task its turn: the hook counts anew then, and would miss tasks that yield early
    LONGEST_REPORT = 2047
    UNYIELDING_GRACE = 1000000000   # ns past its slice that a function may spend where it cannot yield (a comparator, a pattern)


cdef int64_t monotonic() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1000000000 + now.tv_nsec


cdef void violate(StateC *st, uint8_t violation) noexcept nogil:
    if st.violation == VIOLATION_NONE:
        st.violation = violation


cdef const char *violation_text(StateC *st) noexcept nogil:
    if st.violation == VIOLATION_INSTRUCTIONS:
        return b"instruction budget exceeded: the code ran too long without waiting for anything (an endless loop?)"
    if st.violation == VIOLATION_TIME:
        return b"time budget exceeded: the code ran too long without waiting for anything (an endless loop?)"
    if st.violation == VIOLATION_MEMORY:
        return b"memory limit exceeded"
    if st.violation == VIOLATION_STACK:
        return b"stack overflow: the code recurses without end"
    return b"not available here"


cdef void keep_report(StateC *st, const char *text) noexcept nogil:
    if st.report == NULL:
        st.report = strndup(text, LONGEST_REPORT)


cdef void report(StateC *st, lua_State *L, const char *text) noexcept nogil:
    """Keep `text` with the traceback of L as the report of the violation. May raise (memory), as its caller does."""
    if st.report != NULL:
        return
    luaL_traceback(L, L, text, 0)
    keep_report(st, lua_tostring(L, -1))
    lua_pop(L, 1)


cdef int raise_violation(lua_State *L) noexcept nogil:
    cdef StateC *st = state_of(L)
    report(st, L, violation_text(st))
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1)
    return luaL_error(L, b"%s", violation_text(st))


cdef void stop_for_good(lua_State *L, StateC *st) noexcept nogil:
    """Leave a script from the hook, which must return at once. By a yield that nobody resumes, where that is possible: an
    error would be caught by each pcall on the way, at the price of a walk over the stack, and may have thousands to pass."""
    if st.current == NULL or not lua_isyieldable(L):
        raise_violation(L)
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1)      # should there be no memory for the report
    report(st, L, violation_text(st))
    st.handed_over = True
    lua_yield(L, 0)


cdef void on_count(lua_State *L, lua_Debug *ar) noexcept nogil:
    cdef StateC *st = state_of(L)
    if st.violation:
        stop_for_good(L, st)
        return
    st.instructions += HOOK_INTERVAL
    if st.instructions > st.instruction_limit:
        violate(st, VIOLATION_INSTRUCTIONS)
        stop_for_good(L, st)
        return
    if monotonic() > st.deadline:
        if not st.sliced:
            violate(st, VIOLATION_TIME)
            stop_for_good(L, st)
        elif st.current != NULL and lua_isyieldable(L):
            task_ready(st, st.current)
            st.handed_over = True
            lua_yield(L, 0)
        elif monotonic() > st.deadline + UNYIELDING_GRACE:
            violate(st, VIOLATION_TIME)
            raise_violation(L)


cdef void charge(lua_State *L, uint64_t work) noexcept nogil:
    """Charge `work` steps (about one VM instruction each) done in C. Raises when the budget is spent: never returns then."""
    cdef StateC *st = state_of(L)
    cdef uint64_t before = st.instructions
    st.instructions += work
    if st.violation:
        raise_violation(L)
    if st.instructions > st.instruction_limit or st.instructions < before:
        violate(st, VIOLATION_INSTRUCTIONS)
        raise_violation(L)
    if before // CHARGE_CLOCK != st.instructions // CHARGE_CLOCK:
        if monotonic() > st.deadline + (UNYIELDING_GRACE if st.sliced else 0):
            violate(st, VIOLATION_TIME)
            raise_violation(L)


cdef bint resume_charged(StateC *st) noexcept nogil:
    """Charge the turn of a task; False when the budget is spent. Slices have their own look at the clock."""
    cdef uint64_t before = st.instructions
    st.instructions += RESUME_COST
    if st.instructions > st.instruction_limit:
        violate(st, VIOLATION_INSTRUCTIONS)
    elif not st.sliced and before // CHARGE_CLOCK != st.instructions // CHARGE_CLOCK and monotonic() > st.deadline:
        violate(st, VIOLATION_TIME)
    return not st.violation


cdef int raise_sandbox(lua_State *L, const char *text) noexcept nogil:
    """Raise for something that the sandbox does not have. It fails the workflow task, not the run: a fix can be deployed."""
    return raise_sandbox_at(L, text, 1)


cdef int raise_sandbox_at(lua_State *L, const char *text, int level) noexcept nogil:
    luaL_where(L, level)
    lua_pushstring(L, text)
    lua_concat(L, 2)
    # Uncaught, the message identifies the violation; caught by the script, it is an ordinary error.
    lua_pushvalue(L, -1)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &SANDBOX_KEY)
    return lua_error(L)


cdef char SANDBOX_KEY
