# Text that grows while Lua code may run or errors may jump: first in the C frame, then in a userdata that a stack slot
# keeps. The collector frees it, and the memory limit of the state counts it.

cdef enum:
    TEXT_INITIAL = 512
    BYTES_PER_STEP = 16         # bytes copied or compared in the time of one VM instruction, about


ctypedef struct Text:
    lua_State *L
    int slot                    # the stack slot that keeps the userdata
    char *data
    size_t length
    size_t capacity
    char initial[TEXT_INITIAL]


cdef void text_start(Text *text, lua_State *L) noexcept nogil:
    """Begin, pushing a slot that must stay where it is until text_push."""
    luaL_checkstack(L, 3, NULL)
    lua_pushnil(L)
    text.L = L
    text.slot = lua_gettop(L)
    text.data = text.initial
    text.length = 0
    text.capacity = TEXT_INITIAL


cdef char *text_room(Text *text, size_t size) noexcept nogil:
    """Where `size` more bytes may be written; the caller adds to `length`. May raise."""
    cdef size_t capacity = text.capacity
    cdef char *grown
    if size <= capacity - text.length:
        return text.data + text.length
    if size > (<size_t>-1) // 4 - text.length:
        luaL_error(text.L, b"resulting string too large")
    charge(text.L, text.length // BYTES_PER_STEP)
    if text.length == 0:
        capacity = size         # all at once: most likely all there is
    while capacity < text.length + size:
        capacity *= 2
    grown = <char *>lua_newuserdatauv(text.L, capacity, 1)
    memcpy(grown, text.data, text.length)
    lua_replace(text.L, text.slot)
    text.data = grown
    text.capacity = capacity
    return grown + text.length


cdef inline void text_add(Text *text, const char *data, size_t size) noexcept nogil:
    """Append bytes. May raise."""
    memcpy(text_room(text, size), data, size)
    text.length += size


cdef void text_push(Text *text) noexcept nogil:
    """Push the text as a string."""
    charge(text.L, text.length // BYTES_PER_STEP)
    lua_pushlstring(text.L, text.data, text.length)
