# The allocator of every Lua state: counts bytes, holds the limit, and gives each object a creation serial.
#
# Each block has a header (16 bytes, for Lua aligns userdata so) with the serial of the object in it (0 for arrays and
# buffers, which are no objects) and the number under which naming.pyx has shown it (0 if it has not). Lua tells the type
# of a new object in `old_size` when `block` is NULL. Serials count objects only, so they are the same on every replay,
# whatever the sizes of arrays were on the way.

cdef enum:
    HEADER = 16
    GRACE = 256 * 1024          # past the limit, so that a violation can still be reported in Lua


cdef void *allocate(void *ud, void *block, size_t old_size, size_t new_size) noexcept nogil:
    cdef StateC *st = <StateC *>ud
    cdef size_t had = old_size if block != NULL else 0
    cdef uint64_t *header
    if new_size == 0:
        if block != NULL:
            st.used -= had + HEADER
            live_blocks(-1)
            free(<char *>block - HEADER)
        return NULL
    if new_size > had and st.used + new_size - had + HEADER > st.limit + (GRACE if st.violation else 0):
        # Lua collects garbage and asks again; only a second refusal of the same request is final.
        if st.refused == block and st.refused_size == new_size and not st.violation:
            violate(st, VIOLATION_MEMORY)
        st.refused = block
        st.refused_size = new_size
        return NULL
    if block == NULL:
        header = <uint64_t *>malloc(new_size + HEADER)
        if header == NULL:
            return NULL
        header[0] = header[1] = 0
        if LUA_TTABLE <= old_size <= LUA_TTHREAD:
            st.serial += 1
            header[0] = st.serial
        st.used += new_size + HEADER
        live_blocks(1)
    else:
        header = <uint64_t *>realloc(<char *>block - HEADER, new_size + HEADER)
        if header == NULL:
            return NULL
        st.used = st.used + new_size - had
    st.refused_size = 0
    return <char *>header + HEADER


cdef enum:
    USERDATA_OFFSET = 64        # from a userdata's object to its memory, with the one user value that all of ours have


cdef uint64_t *header_of(lua_State *L, int index) noexcept nogil:
    """The header of the table, Lua function, C closure, userdata or coroutine at `index`; NULL for anything else."""
    cdef const char *object = <const char *>lua_topointer(L, index)
    cdef int kind = lua_type(L, index)
    if kind == LUA_TUSERDATA:
        object -= USERDATA_OFFSET
    elif kind == LUA_TTHREAD:
        if lua_tothread(L, index) == state_of(L).L:
            return NULL
        object -= LUA_EXTRASPACE
    elif kind == LUA_TFUNCTION:
        if lua_iscfunction(L, index) and lua_upvalueid(L, index, 1) == NULL:
            return NULL         # a light C function: no object of its own
    elif kind != LUA_TTABLE:
        return NULL
    return <uint64_t *>(object - HEADER)


cdef uint64_t serial_of(lua_State *L, int index) noexcept nogil:
    """Creation serial of the object at `index`; 0 for what has none."""
    cdef const uint64_t *header = header_of(L, index)
    return header[0] if header != NULL else 0


cdef uint64_t shown_number(lua_State *L, int index) noexcept nogil:
    """The number under which the object at `index` is shown, given now if this is the first time; 0 for what is no object."""
    cdef uint64_t *header = header_of(L, index)
    cdef StateC *st = state_of(L)
    if header == NULL:
        return 0
    if header[1] == 0:
        st.shown += 1
        header[1] = st.shown
    return header[1]


cdef inline StateC *state_of(lua_State *L) noexcept nogil:
    return (<StateC **>lua_getextraspace(L))[0]
