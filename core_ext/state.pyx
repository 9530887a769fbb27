# LuaState: the Python owner of one Lua state, and the step that moves it on.
#
# A step is: an event in (bytes of an activation, or a Python value), the engine's `apply` in Lua, tasks until none
# is ready, the engine's `flush`, and its result out. Nothing else enters Lua.

cdef class LuaViolation(Exception):
    """The budget, the memory limit or the sandbox was violated; the text is the report with the Lua traceback.

    `kind` is one of "instructions", "time", "memory", "stack", "sandbox". The step's effects must be thrown away."""

    cdef readonly str kind

    def __init__(self, str kind, str text):
        super().__init__(text)
        self.kind = kind


class LuaFault(Exception):
    """The engine itself failed: a load error of the program, or a bug of ours. The text has the Lua traceback."""


VIOLATION_NAMES = ("", "instructions", "time", "memory", "stack", "sandbox")


cdef int traced(lua_State *L) noexcept nogil:
    """Message handler: text with traceback; errors that are no strings keep their own text."""
    luaL_tolstring(L, 1, NULL)
    luaL_traceback(L, L, lua_tostring(L, -1), 1)
    return 1


cdef void engine_function(lua_State *L, const char *name) noexcept nogil:
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ENGINE_KEY)
    lua_getfield(L, -1, name)
    lua_remove(L, -2)


ctypedef struct Exchange:
    ProtoMessage *messages      # NULL: the flat format
    int message_in
    int message_out
    const char *data
    size_t size
    Buffer *out
    const char *function
    const char *wrong           # the field that a completion has and the schema has not


cdef int enter_apply(lua_State *L) noexcept nogil:
    """Protected: engine.<function>(event)."""
    cdef Exchange *x = <Exchange *>lua_touserdata(L, 1)
    cdef Wire w
    cdef Reader r
    lua_settop(L, 0)
    engine_function(L, x.function)
    if x.messages != NULL:
        w.at = <const uint8_t *>x.data
        w.end = w.at + x.size
        w.bad = False
        push_message(L, x.messages, x.message_in, &w)
        if w.bad:
            return luaL_error(L, b"malformed protobuf message")
    else:
        r.at = x.data
        r.end = x.data + x.size
        flat_push(L, &r)
    lua_call(L, 1, 0)
    return 0


cdef int enter_flush(lua_State *L) noexcept nogil:
    """Protected: the result of engine.flush(), encoded."""
    cdef Exchange *x = <Exchange *>lua_touserdata(L, 1)
    lua_settop(L, 0)
    engine_function(L, b"flush")
    lua_call(L, 0, 1)
    buffer_start(x.out, 0)
    if x.messages != NULL:
        x.wrong = write_message(L, x.messages, x.message_out, 1, x.out)
    else:
        x.wrong = flat_write(L, 1, x.out, 0)
    if x.wrong != NULL:
        return luaL_error(L, b"cannot encode the result of a step: %s", x.wrong)
    return 0


cdef int enter_rest(lua_State *L) noexcept nogil:
    """Protected: engine.rest(), if the engine has it."""
    lua_settop(L, 0)
    engine_function(L, b"rest")
    if not lua_isnil(L, -1):
        lua_call(L, 0, 0)
    return 0


cdef int enter_inspect(lua_State *L) noexcept nogil:
    """Protected: {id, where it waits} of every task, as a flat list in the exchange's buffer."""
    cdef Exchange *x = <Exchange *>lua_touserdata(L, 1)
    cdef Task *task = state_of(L).tasks
    cdef uint32_t count = 0
    cdef const char *text
    cdef size_t size
    buffer_start(x.out, 0)
    buffer_byte(x.out, b"[")
    put_u32(x.out, 0)
    while task != NULL:
        luaL_traceback(L, task.L, NULL, 0)
        text = lua_tolstring(L, -1, &size)
        buffer_byte(x.out, b"s")
        put_u32(x.out, <uint32_t>size)
        buffer_put(x.out, text, size)
        lua_pop(L, 1)
        count += 1
        task = task.next
    if not x.out.failed:
        (<uint32_t *>(x.out.data + 1))[0] = count
    return 0


cdef class LuaState:
    """One Lua state: a workflow run, a function call or a process.

    program: what it runs. engine: name of the engine module in lua_modules/. host: callable(name, *args) for core.host.
    memory_limit: bytes. instruction_limit: VM instructions a step. sliced: yield to the caller when a step's time is
    over instead of failing (functions and processes). schema, message_in, message_out: events and results are protobuf
    messages; without a schema they are plain values.
    """

    cdef StateC c
    cdef readonly Program program
    cdef Image image            # of the engine; None while it is made
    cdef Image program_image
    cdef public object host
    cdef Schema schema
    cdef int message_in, message_out
    cdef str engine
    cdef bint entered
    cdef object __weakref__

    def __cinit__(self, *args, **kwargs):
        memset(&self.c, 0, sizeof(StateC))
        self.c.owner = <void *>self

    def __init__(self, *, str engine, object host=None, size_t memory_limit=64 << 20,
                 uint64_t instruction_limit=0xFFFFFFFFFFFFFFFF, bint sliced=False,
                 Schema schema=None, int message_in=0, int message_out=0):
        self.host = host
        self.schema = schema
        self.message_in = message_in
        self.message_out = message_out
        self.c.limit = memory_limit
        self.c.sliced = sliced
        self.open(engine, image_of(engine))
        self.c.instruction_limit = instruction_limit

    cdef int open(self, str engine, Image image) except -1:
        cdef bytes name = engine.encode()
        cdef int status
        self.engine = engine
        self.image = image
        self.c.instruction_limit = 0xFFFFFFFFFFFFFFFF
        self.c.deadline = 0x7FFFFFFFFFFFFFFF
        self.c.serial = SERIAL_FIRST
        self.c.L = lua_newstate(allocate, &self.c, HASH_SEED)
        if self.c.L == NULL:
            raise MemoryError("no memory for a Lua state")
        live_states(1)
        (<StateC **>lua_getextraspace(self.c.L))[0] = &self.c
        if image is not None and not adopt_strings(&self.c, &image.shared, global_of(image.template.c.L)):
            raise MemoryError("no memory for a Lua state")
        status = protect(self.c.L, open_sandbox, <char *>name)
        if status != LUA_OK:
            raise self.fault("cannot prepare a Lua state")
        return 0

    def __dealloc__(self):
        self.shut()

    cdef void shut(self) noexcept:
        cdef Task *task
        if self.c.L == NULL:
            return
        while self.c.tasks != NULL:
            task = self.c.tasks
            if task.waiters != NULL:
                live_waiters(-1)
                free(task.waiters)
                task.waiters = NULL
            task_free(&self.c, task)
        self.c.ready = self.c.ready_tail = NULL
        arena_free(&self.c)
        free(self.c.report)
        self.c.report = NULL
        live_states(-1)

    def close(self):
        """Free the Lua state now. Idempotent; a step afterwards raises."""
        if self.entered:
            raise RuntimeError("a Lua state cannot be closed from inside itself")
        self.shut()

    def set_program(self, Program program not None):
        """Give a prepared state what it will run. Once, before the first step."""
        cdef Image image
        if self.program is not None:
            raise RuntimeError("a Lua state is never handed from one run to another")
        self.program = program
        image = program.image_on(self.engine, self.image)
        if image.added <= MOST_SHARED and add_strings(&self.c, &image.shared):
            self.program_image = image

    @property
    def memory_used(self):
        """Bytes that the state takes, with what its allocator holds in reserve."""
        return self.c.held + sizeof(StateC)

    @property
    def instructions(self):
        """VM instructions of the last step, in units of the hook's interval, plus charged C work."""
        return self.c.instructions

    @property
    def runnable(self):
        """Is there work left, because a slice was over?"""
        return self.c.ready != NULL and not self.c.stopped

    @property
    def stopped(self):
        """Has the main function ended?"""
        return self.c.stopped

    cdef object fault(self, str what):
        cdef const char *text = NULL
        if lua_type(self.c.L, -1) == LUA_TSTRING:
            text = lua_tolstring(self.c.L, -1, NULL)
        message = (<bytes>text).decode("utf-8", "replace") if text != NULL else "(no message)"
        lua_pop(self.c.L, 1)
        return LuaFault(f"{what}: {message}" if what else message)

    cdef int check_entry(self) except -1:
        if self.c.L == NULL:
            raise RuntimeError("the Lua state is closed")
        if self.entered:
            raise RuntimeError("a Lua state is entered by one caller at a time")
        return 0

    cdef object violation(self):
        if self.c.report == NULL:
            note_violation(&self.c, self.c.L)
        if self.c.report == NULL:
            raise MemoryError("no memory for the report of a violation")
        return LuaViolation(VIOLATION_NAMES[self.c.violation], (<bytes>self.c.report).decode("utf-8", "replace"))

    def step(self, object event, double seconds=1.0, *, str function="apply", bint flush=True):
        """Apply an event, run what is ready, and return what the engine has to say.

        event: bytes of the schema's input message, or a plain value without a schema. None only runs what is ready.
        seconds: wall-clock budget (workflows) or slice (functions). function: the engine's entry point.
        Returns bytes of the output message, or a plain value. Raises LuaViolation or LuaFault.
        """
        cdef Exchange x
        cdef bytes data
        cdef bytes entry = function.encode()
        cdef int status = LUA_OK
        cdef bint apply = event is not None
        self.check_entry()
        if self.c.violation:
            raise self.violation()
        memset(&x, 0, sizeof(Exchange))
        if self.schema is not None:
            x.messages = self.schema.messages
            x.message_in = self.message_in
            x.message_out = self.message_out
            data = event if apply else b""
        else:
            data = flat_encode(event)
        x.data = PyBytes_AS_STRING(data)
        x.size = len(data)
        x.out = &SCRATCH
        x.function = PyBytes_AS_STRING(entry)
        self.c.instructions = 0
        self.c.passing = 0
        self.c.deadline = monotonic() + <int64_t>(seconds * 1e9)
        self.entered = True
        enter_state(&self.c)
        try:
            with nogil:
                lua_sethook(self.c.L, on_count, LUA_MASKCOUNT, HOOK_INTERVAL)
                if apply:
                    status = guarded(self.c.L, enter_apply, &x)
                if status == LUA_OK:
                    status = run_ready(&self.c)
                if status == LUA_OK and not self.c.violation and flush:
                    status = guarded(self.c.L, enter_flush, &x)
        finally:
            leave_state(&self.c)
            self.entered = False
        if self.c.violation:
            raise self.violation()
        if status != LUA_OK:
            raise self.fault("")
        if not flush:
            return None
        if x.out.failed:
            raise LuaFault("the result of a step is too large")
        if self.schema is not None:
            return PyBytes_FromStringAndSize(x.out.data, x.out.length)
        return flat_decode(x.out.data, x.out.length)

    def rest(self):
        """Make the state small, for it will wait: code that can come again goes, and so does garbage. Its bytes from now on.

        Nothing happens to a closed state, nor to one that another thread is in."""
        if self.c.L != NULL and not self.entered and not self.c.violation and not self.c.stopped:
            self.c.instructions = 0
            self.c.deadline = 0x7FFFFFFFFFFFFFFF
            # Code that cannot go for want of memory stays: nothing depends on it.
            if protect(self.c.L, enter_rest, NULL) != LUA_OK:
                lua_pop(self.c.L, 1)
            collect_all(&self.c)
            arena_trim(&self.c, 0)
        return self.memory_used

    def stacks(self):
        """The Lua traceback of every task, in order of creation: where each one waits."""
        cdef Exchange x
        self.check_entry()
        memset(&x, 0, sizeof(Exchange))
        x.out = &SCRATCH
        if protect(self.c.L, enter_inspect, &x) != LUA_OK:
            raise self.fault("")
        return flat_decode(x.out.data, x.out.length)


cdef int guarded(lua_State *L, lua_CFunction function, Exchange *x) noexcept nogil:
    """Enter the engine: an error becomes a violation if it is one, else a text with traceback on top of the stack."""
    cdef StateC *st = state_of(L)
    cdef int status
    lua_settop(L, 0)
    lua_pushcfunction(L, explained)
    lua_pushcfunction(L, function)
    lua_pushlightuserdata(L, x)
    status = lua_pcall(L, 1, 0, 1)
    if status == LUA_ERRMEM:
        violate(st, VIOLATION_MEMORY)
    elif status == LUA_ERRERR:
        violate(st, VIOLATION_STACK)
    return status


cdef int explained(lua_State *L) noexcept nogil:
    """Message handler of `guarded`: what ended the engine's own code, or a chunk body that it ran."""
    classify_error(state_of(L), L, LUA_ERRRUN)
    traced(L)
    if state_of(L).violation:
        keep_report(state_of(L), lua_tostring(L, -1))
    return 1


cdef class Pool:
    """Prepared states, so that a new run does not wait for one.

    make: () -> LuaState. size: how many there are at most. `refill` is called when there is time.
    """

    cdef object make
    cdef readonly int size
    cdef list ready

    def __init__(self, object make, int size):
        self.make = make
        self.size = size
        self.ready = []

    def take(self, Program program not None):
        """A state of its own for one run; never comes back."""
        cdef LuaState state = self.ready.pop() if self.ready else self.make()
        state.set_program(program)
        return state

    def refill(self):
        """Prepare as many states as there is room for."""
        while len(self.ready) < self.size:
            self.ready.append(self.make())

    def close(self):
        """Close the states that nobody took."""
        while self.ready:
            self.ready.pop().close()

    def __len__(self):
        return len(self.ready)


def live_objects():
    """Counts of live C objects in a debug build; empty otherwise."""
    if not FLEET_DEBUG_BUILD:
        return {}
    return {"states": live_states_count(), "blocks": live_blocks_count(), "tasks": live_tasks_count(),
            "waiters": live_waiters_count()}
