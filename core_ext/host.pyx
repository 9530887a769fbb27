# Calls from Lua into Python, in two layers: the outer function may raise and holds no Python object, the inner one
# holds the GIL and never touches Lua. Arguments and results cross in the flat format.
#
# The rule of this whole folder: a C function that Lua calls is nogil; whatever needs Python happens in a `with gil`
# function that returns a code. A Lua error jumps over frames, and a reference or the GIL held there is lost.

cdef int host_inner(StateC *st, const char *data, size_t size, Buffer *out) noexcept with gil:
    """Run owner.host(name, *args); the flat result is in `out`. 0, or -1 with the text of the error in `out`."""
    cdef LuaState owner = <LuaState>st.owner
    cdef bytes encoded
    cdef int code = 0
    try:
        name, *args = flat_decode(data, size)
        encoded = flat_encode(owner.host(name, *args))
    except BaseException as error:
        # A bug of ours or of an embedder: errors that scripts should see come back as values.
        code = -1
        encoded = f"{type(error).__name__}: {error}".encode("utf-8", "replace")
    buffer_start(out, 0)
    buffer_put(out, PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded))
    return code


cdef int core_host(lua_State *L) noexcept nogil:
    """core.host(name, ...) -> result. Synchronous; `name` is one of the state's host functions."""
    cdef StateC *st = state_of(L)
    cdef Buffer *out = &SCRATCH
    cdef Reader r
    cdef const char *wrong
    cdef int i, nargs = lua_gettop(L)
    buffer_start(out, st.limit)
    buffer_byte(out, b"[")
    put_u32(out, <uint32_t>nargs)
    for i in range(1, nargs + 1):
        wrong = flat_write(L, i, out, 0)
        if wrong != NULL:
            return luaL_error(L, b"%s", wrong)
    if host_inner(st, out.data, out.length, &HOST_RESULT) != 0:
        lua_pushlstring(L, HOST_RESULT.data, HOST_RESULT.length)
        return lua_error(L)
    r.at = HOST_RESULT.data
    r.end = r.at + HOST_RESULT.length
    flat_push(L, &r)
    return 1
