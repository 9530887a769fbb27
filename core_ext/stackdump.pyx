# The Lua stacks of a process that a fatal signal ends, for whoever has to find out why it hung or crashed.
#
# Written by the signal's handler, on whichever thread gets it, and while another one may be in Lua: it allocates
# nothing, takes no lock and changes nothing. A thread that stands still, in a call out of Lua, is shown exactly; of one
# that moves the lines are near. Should a stack be broken, the second signal ends the process as its default does.

from posix.signal cimport SA_NODEFER, SA_ONSTACK, SA_RESETHAND, sigaction, sigaction_t, sigemptyset
from posix.unistd cimport write

cdef extern from "<signal.h>" nogil:
    const int SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV
    int raise_signal "raise"(int number)

cdef extern from "<pthread.h>" nogil:
    unsigned long pthread_self()

cdef enum:
    MOST_STATES = 16
    MOST_COROUTINES = 16
    MOST_LEVELS = 60

# States that are inside of a step, the last one first. Changed with the GIL only.
cdef StateC *ENTERED = NULL
cdef int DUMP_FILE = -1


cdef void enter_state(StateC *st) noexcept:
    st.thread = pthread_self()
    st.entered_before = ENTERED
    global ENTERED
    ENTERED = st


cdef void leave_state(StateC *st) noexcept:
    """Steps of other threads may have begun since, and go on."""
    global ENTERED
    cdef StateC **place = &ENTERED
    while place[0] != st:
        place = &place[0].entered_before
    place[0] = st.entered_before


cdef void dump_text(const char *text) noexcept nogil:
    cdef size_t size = 0
    while size < 200 and text[size] != 0:
        size += 1
    # Where nothing can be written there is nobody to tell.
    if write(DUMP_FILE, text, size) < 0:
        return


cdef void dump_number(unsigned long long value, unsigned int base, int digits) noexcept nogil:
    cdef char text[24]
    cdef int at = 23
    text[at] = 0
    while at > 0 and (value or digits > 0):
        at -= 1
        text[at] = b"0123456789abcdef"[value % base]
        value //= base
        digits -= 1
    dump_text(&text[at])


cdef void dump_coroutine(lua_State *L) noexcept nogil:
    cdef lua_Debug ar
    cdef int level = 0
    # What is asked for is read from the frames as they are; other letters push values.
    while level < MOST_LEVELS and lua_getstack(L, level, &ar) and lua_getinfo(L, b"Sln", &ar):
        dump_text(b"  ")
        dump_text(ar.short_src)
        if ar.currentline > 0:
            dump_text(b":")
            dump_number(ar.currentline, 10, 1)
        if ar.name != NULL:
            dump_text(b": in function '")
            dump_text(ar.name)
            dump_text(b"'")
        elif ar.what[0] == b"m":
            dump_text(b": in main chunk")
        elif ar.linedefined > 0:
            dump_text(b": in function <")
            dump_number(ar.linedefined, 10, 1)
            dump_text(b">")
        dump_text(b"\n")
        level += 1
    if level == MOST_LEVELS:
        dump_text(b"  ...\n")


cdef void dump_lua() noexcept nogil:
    cdef StateC *st = ENTERED
    cdef Resumption *coroutine
    cdef lua_Debug ar
    cdef int states = 0, count
    if st == NULL:
        dump_text(b"\nNo Lua was running.\n")
    while st != NULL and states < MOST_STATES:
        dump_text(b"\nLua in thread 0x")
        dump_number(st.thread, 16, 16)
        dump_text(b" (innermost call first):\n")
        coroutine = st.resumption
        count = 0
        while coroutine != NULL and count < MOST_COROUTINES:
            if count > 0:
                dump_text(b"  resumed by\n")
            dump_coroutine(coroutine.L)
            coroutine = coroutine.outer
            count += 1
        # Bodies of chunks run on the main coroutine.
        if lua_getstack(st.L, 0, &ar):
            if count > 0:
                dump_text(b"  resumed by\n")
            dump_coroutine(st.L)
        st = st.entered_before
        states += 1


cdef void on_fatal(int number) noexcept nogil:
    dump_lua()
    raise_signal(number)


def dump_lua_on_fatal(int descriptor):
    """At SIGABRT, SIGSEGV, SIGBUS, SIGFPE and SIGILL write the Lua stacks of all threads to a file descriptor.

    To be called before `faulthandler.enable`, which then dumps the stacks of Python first, and calls this afterwards.
    Raises OSError.
    """
    cdef sigaction_t action
    cdef int number
    global DUMP_FILE
    DUMP_FILE = descriptor
    memset(&action, 0, sizeof(sigaction_t))
    action.sa_handler = on_fatal
    # A handler that fails itself meets the default action; SA_ONSTACK for stacks that are used up.
    action.sa_flags = SA_NODEFER | SA_RESETHAND | SA_ONSTACK
    sigemptyset(&action.sa_mask)
    for number in (SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL):
        if sigaction(number, &action, NULL) != 0:
            raise OSError(f"signal {number} cannot be handled")
