# Compiled Lua: user chunks are compiled once per process, kept as bytecode and loaded into every state that needs them.
# Lua uses the instructions and line tables where they lie (mode "B"), so the states share them.

cdef class LuaSyntaxError(Exception):
    """A Lua file that does not compile; the text has file:line."""


cdef int dump_writer(lua_State *L, const void *data, size_t size, void *ud) noexcept nogil:
    if size:
        buffer_put(<Buffer *>ud, <const char *>data, size)
    return 0


# The head of Lua's Proto: a function's code, which every state has a copy of. selfcheck.pyx proves the layout.
ctypedef struct Proto:
    char header[16]
    int upvalue_count
    int constant_count
    int code_size
    int line_count
    int function_count
    int local_count
    int other_counts[3]
    void *constants
    void *code
    Proto **functions


cdef enum:
    PROTO_OFFSET = 24           # from a Lua function's object to the address of its code


cdef Proto *proto_of(lua_State *L, int index) noexcept nogil:
    """The code of the Lua function at `index`."""
    return (<Proto **>(<const char *>lua_topointer(L, index) + PROTO_OFFSET))[0]


cdef void drop_locals(Proto *proto) noexcept nogil:
    cdef int i
    proto.local_count = 0
    for i in range(proto.function_count):
        drop_locals(proto.functions[i])


def compile_lua(bytes source not None, str chunk_name, *, bint local_names=True):
    """Compile Lua text to bytecode.

    source: the text. chunk_name: "@file" for error messages. local_names: keep the names of local variables, which error
    messages show; every state that loads the code has them in memory.
    Raises LuaSyntaxError with Lua's own message. A first line that begins with # is skipped, as lua(1) does.
    """
    cdef StateC st
    cdef Buffer out
    cdef bytes name = chunk_name.encode()
    cdef lua_State *L
    cdef int status
    if source.startswith(b"#"):
        source = b"--" + source
    memset(&st, 0, sizeof(StateC))
    memset(&out, 0, sizeof(Buffer))
    st.limit = 512 << 20
    L = lua_newstate(allocate, &st, 0)
    if L == NULL:
        raise MemoryError()
    try:
        # Compiling catches its own errors; dump allocates nothing that could fail but our buffer.
        status = luaL_loadbufferx(L, PyBytes_AS_STRING(source), len(source), PyBytes_AS_STRING(name), b"t")
        if status != LUA_OK:
            raise LuaSyntaxError((<bytes>lua_tostring(L, -1)).decode("utf-8", "replace"))
        if not local_names:
            drop_locals(proto_of(L, -1))
        lua_dump(L, dump_writer, &out, False)
        if out.failed:
            raise MemoryError()
        return PyBytes_FromStringAndSize(out.data, out.length)
    finally:
        arena_free(&st)
        free(out.data)


cdef class Program:
    """What one entry runs: its bytecode, that of its libraries, and a manifest that tells the engine how they fit.

    chunks: {name: bytecode}, loaded by core.chunk(name). manifest: a plain value, read by core.manifest().
    """

    cdef readonly dict chunks
    cdef bytes manifest
    cdef Image image

    def __init__(self, dict chunks, object manifest):
        self.chunks = chunks
        self.manifest = flat_encode(manifest)

    cdef Image image_on(self, str engine, Image below):
        """The program's image on that of its engine, made when the first state runs it."""
        if self.image is None or self.image.below is not below:
            self.image = Image.make(engine, below, self, self.chunks)
        return self.image


# The privileged modules of lua_modules/, by name. Set once, before the first state is made.
cdef dict MODULE_CODE = {}
cdef set PASSING_MODULES = set()
cdef set SHARED_MODULES = set()


def set_modules(dict code, passing=(), shared=()):
    """Give the core the compiled Lua halves of the standard modules: {name: bytecode}. passing: the names of those that
    nothing but a call under way refers to, so that a run that waits need not keep them. shared: those that most runs load;
    the states of an engine share them."""
    MODULE_CODE.update(code)
    PASSING_MODULES.update(passing)
    SHARED_MODULES.update(shared)
    IMAGES.clear()


ctypedef struct Bytecode:
    const char *data
    size_t size
    bint passing


cdef const char *read_chunk(lua_State *L, void *ud, size_t *size) noexcept nogil:
    cdef Bytecode *chunk = <Bytecode *>ud
    cdef const char *data = chunk.data
    size[0] = chunk.size
    chunk.data = NULL
    chunk.size = 0
    return data


cdef bint find_chunk(StateC *st, const char *name, bint privileged, Bytecode *chunk) noexcept with gil:
    cdef LuaState owner = <LuaState>st.owner
    cdef bytes code = None
    cdef str key = (<bytes>name).decode()
    if privileged:
        code = MODULE_CODE.get(key)
    elif owner.program is not None:
        code = owner.program.chunks.get(key)
    if code is None:
        return False
    chunk.passing = privileged and key in PASSING_MODULES
    chunk.data = PyBytes_AS_STRING(code)
    chunk.size = len(code)
    return True


cdef int load_chunk(lua_State *L, bint privileged) noexcept nogil:
    cdef Bytecode chunk
    cdef StateC *st = state_of(L)
    cdef int before = st.passing
    cdef int status
    cdef size_t size = 0
    cdef const char *name = luaL_checklstring(L, 1, &size)
    cdef const SharedCode *shared = find_shared(st, privileged, name, size)
    if shared != NULL:
        if shared.passing:
            st.passing = PASSING
        push_shared(L, shared.proto)
        st.passing = before
        lua_pushboolean(L, shared.passing)
        return 2
    if not find_chunk(st, name, privileged, &chunk):
        return 0
    if chunk.passing:
        st.passing = PASSING
    status = lua_load(L, read_chunk, &chunk, name, b"B")
    st.passing = before
    if status != LUA_OK:
        return lua_error(L)
    lua_pushboolean(L, chunk.passing)
    return 2


cdef int core_module(lua_State *L) noexcept nogil:
    """core.module(name) -> the loaded chunk of a file of lua_modules/, is it passing code? | nothing"""
    return load_chunk(L, True)


cdef int core_chunk(lua_State *L) noexcept nogil:
    """core.chunk(name, env) -> the chunk of the entry or of a library, with `env` as its globals | nothing"""
    if load_chunk(L, False) == 0:
        return 0
    lua_pop(L, 1)
    lua_pushvalue(L, 2)
    lua_setupvalue(L, -2, 1)
    return 1


cdef const char *manifest_of(StateC *st, size_t *size) noexcept with gil:
    cdef LuaState owner = <LuaState>st.owner
    size[0] = len(owner.program.manifest)
    return PyBytes_AS_STRING(owner.program.manifest)


cdef int core_manifest(lua_State *L) noexcept nogil:
    """core.manifest() -> the program's manifest"""
    cdef Reader r
    cdef size_t size = 0
    r.at = manifest_of(state_of(L), &size)
    r.end = r.at + size
    flat_push(L, &r)
    return 1
