# The memory of a Lua state: counts bytes, holds the limit, and gives each object a creation serial.
#
# An object has a header (16 bytes) with its serial and the number under which naming.pyx has shown it (0 if it has not).
# Lua tells the type of a new object in `old_size` when `block` is NULL. Serials count objects only, so they are the same
# on every replay, whatever the sizes of arrays were on the way. Strings, arrays and the like have no header.
#
# A state consists of a thousand small blocks that live as long as it does: with malloc's overhead and rounding, and a
# header for each, they would take half as much again. They come from chunks (chunks.h), those of objects from chunks of
# their own, for all that Lua tells of a block when it is freed is its size. A chunk is used up from its start; blocks
# that were freed are in lists by size. Nothing is freed block by block at the end: arena_free() takes it all, and Lua is
# not asked, for no script can have a finalizer (safe_setmetatable).

cdef enum:
    HEADER = 16
    GRACE = 256 * 1024          # past the limit, so that a violation can still be reported in Lua
    FINE_BLOCK = 128            # sizes of small blocks go in steps of 8 up to here, then of 16
    SPARE_CHUNKS = 128          # that a state keeps for its next step

cdef enum BlockKind:
    PLAIN = 0
    OBJECTS = 1                 # has a header
    PASSING = 2                 # added to one of the two: what will be freed while the rest stays, see core.passing


cdef inline int class_of(size_t size) noexcept nogil:
    """Which list a small block of so many bytes, its header included, belongs to."""
    if size <= FINE_BLOCK:
        return <int>((size + 7) // 8)
    return <int>(FINE_BLOCK // 8 + (size - FINE_BLOCK + 15) // 16)


cdef inline size_t class_size(int number) noexcept nogil:
    if number <= FINE_BLOCK // 8:
        return <size_t>number * 8
    return FINE_BLOCK + <size_t>(number - FINE_BLOCK // 8) * 16


cdef inline size_t footprint(size_t size, int kind) noexcept nogil:
    """What a block for `size` bytes takes, all included."""
    if size > SMALL_BLOCK:
        return size + HEADER + sizeof(LargeBlock)
    return class_size(class_of(size + (HEADER if kind & OBJECTS else 0)))


cdef inline void chunk_emptied(StateC *st, Chunk *chunk) noexcept nogil:
    chunk.live -= 1
    if chunk.live == 0:
        st.empty_chunks += 1


cdef void leave_chunk(StateC *st, int kind) noexcept nogil:
    """Give up the chunk in use; what is left of it goes to the lists."""
    cdef size_t rest = st.fresh_end[kind] - st.fresh[kind]
    cdef size_t size
    cdef int number
    if st.fresh[kind] == NULL:
        return
    while rest >= 8:
        number = class_of(rest if rest < SMALL_BLOCK else SMALL_BLOCK)
        if class_size(number) > rest:
            number -= 1
        size = class_size(number)
        (<void **>st.fresh[kind])[0] = st.free_blocks[kind][number]
        st.free_blocks[kind][number] = st.fresh[kind]
        st.fresh[kind] += size
        rest -= size
    chunk_emptied(st, chunk_of(st.fresh_end[kind] - 1))
    st.fresh[kind] = NULL
    st.fresh_end[kind] = NULL


cdef bint enter_chunk(StateC *st, int kind) noexcept nogil:
    cdef Chunk *chunk = chunk_take()
    if chunk == NULL:
        return False
    leave_chunk(st, kind)
    chunk.next = st.chunks
    st.chunks = chunk
    chunk.kind = kind
    chunk.live = 1              # itself: while it is in use it does not count as empty
    st.fresh[kind] = <char *>(chunk + 1)
    st.fresh_end[kind] = <char *>chunk + CHUNK_SIZE
    st.held += CHUNK_SIZE
    live_blocks(1)
    return True


cdef inline void *small_block(StateC *st, int kind, int number) noexcept nogil:
    cdef void *block = st.free_blocks[kind][number]
    cdef size_t size
    cdef Chunk *chunk
    if block != NULL:
        st.free_blocks[kind][number] = (<void **>block)[0]
        chunk = chunk_of(block)
        st.empty_chunks -= chunk.live == 0
        chunk.live += 1
        return block
    size = class_size(number)
    if <size_t>(st.fresh_end[kind] - st.fresh[kind]) < size and not enter_chunk(st, kind):
        return NULL
    block = st.fresh[kind]
    st.fresh[kind] += size
    chunk_of(block).live += 1
    return block


cdef void *large_block(StateC *st, LargeBlock *block, size_t size) noexcept nogil:
    """A new block, or `block` with another size; NULL when the system has no memory."""
    cdef size_t had = block.size if block != NULL else 0
    cdef size_t whole = footprint(size, PLAIN)
    cdef LargeBlock *large = <LargeBlock *>realloc(block, whole)
    if large == NULL:
        return NULL
    if block == NULL:
        live_blocks(1)
        large.previous = NULL
        large.next = st.large
    large.size = whole
    if large.next != NULL:
        large.next.previous = large
    if large.previous != NULL:
        large.previous.next = large
    else:
        st.large = large
    st.held += whole - had
    return <char *>(large + 1) + HEADER


cdef inline LargeBlock *large_of(void *block) noexcept nogil:
    return <LargeBlock *>(<char *>block - HEADER) - 1


cdef void large_free(StateC *st, LargeBlock *large) noexcept nogil:
    if large.next != NULL:
        large.next.previous = large.previous
    if large.previous != NULL:
        large.previous.next = large.next
    else:
        st.large = large.next
    st.held -= large.size
    live_blocks(-1)
    free(large)


cdef inline void *new_block(StateC *st, int kind, size_t size) noexcept nogil:
    cdef size_t header = HEADER if kind & OBJECTS else 0
    cdef char *block
    if size > SMALL_BLOCK:
        block = <char *>large_block(st, NULL, size)
    else:
        block = <char *>small_block(st, kind, class_of(size + header))
        if block != NULL:
            block += header
    if block != NULL:
        st.used += footprint(size, kind)
    return block


cdef inline int kind_of(void *block, size_t size) noexcept nogil:
    return PLAIN if size > SMALL_BLOCK else <int>chunk_of(block).kind


cdef inline void free_block(StateC *st, void *block, size_t size) noexcept nogil:
    cdef int kind = kind_of(block, size)
    cdef int number
    st.used -= footprint(size, kind)
    if size > SMALL_BLOCK:
        large_free(st, large_of(block))
        return
    if kind & OBJECTS:
        block = <char *>block - HEADER
        size += HEADER
    number = class_of(size)
    (<void **>block)[0] = st.free_blocks[kind][number]
    st.free_blocks[kind][number] = block
    chunk_emptied(st, chunk_of(block))


cdef void *resized(StateC *st, void *block, size_t had, size_t size) noexcept nogil:
    """`block` with another size. Lua never resizes objects."""
    cdef void *moved
    if had > SMALL_BLOCK and size > SMALL_BLOCK:
        moved = large_block(st, large_of(block), size)
        if moved != NULL:
            st.used += size - had
        return moved
    if had <= SMALL_BLOCK and size <= SMALL_BLOCK and class_of(had) == class_of(size):
        return block
    moved = new_block(st, kind_of(block, had), size)
    if moved != NULL:
        memcpy(moved, block, had if had < size else size)
        free_block(st, block, had)
    return moved


cdef void *allocate(void *ud, void *block, size_t old_size, size_t new_size) noexcept nogil:
    cdef StateC *st = <StateC *>ud
    cdef size_t had = old_size if block != NULL else 0
    cdef bint is_object = block == NULL and LUA_TTABLE <= old_size <= LUA_TTHREAD
    cdef bint is_strings
    cdef uint64_t *header
    if block == NULL and st.apart:
        join_shared(st)
    if new_size == 0:
        if block != NULL:
            free_block(st, block, had)
        return NULL
    if new_size > had and st.used + new_size - had + HEADER > st.limit + (GRACE if st.violation else 0):
        # Lua collects garbage and asks again; only a second refusal of the same request is final.
        if st.refused == block and st.refused_size == new_size and not st.violation:
            violate(st, VIOLATION_MEMORY)
        st.refused = block
        st.refused_size = new_size
        return NULL
    if block == NULL:
        # Strings are shared: one of passing code may be one of the script's, too.
        block = new_block(st, (OBJECTS if is_object else PLAIN) | (0 if old_size == LUA_TSTRING else st.passing), new_size)
        if block != NULL and is_object:
            header = <uint64_t *>block - 2
            st.serial += 1
            header[0] = st.serial
            header[1] = 0
    else:
        is_strings = st.shared != NULL and block == global_of(st.L).buckets and new_size > had
        block = resized(st, block, had, new_size)
        if is_strings and block != NULL:
            string_table_grows(st, <LuaText **>block, had, new_size)
    if block != NULL:
        st.refused_size = 0
    return block


cdef void drop_empty(StateC *st, int kind, int number) noexcept nogil:
    """Take the blocks of empty chunks out of a list."""
    cdef void **link = &st.free_blocks[kind][number]
    while link[0] != NULL:
        if chunk_of(link[0]).live == 0:
            link[0] = (<void **>link[0])[0]
        else:
            link = <void **>link[0]


cdef void arena_trim(StateC *st, size_t spare) noexcept nogil:
    """Give empty chunks back, if there are more than `spare`: what a large value has left behind."""
    cdef Chunk **link = &st.chunks
    cdef Chunk *chunk
    cdef int kind, number
    if st.empty_chunks <= spare:
        return
    for kind in range(BLOCK_KINDS):
        for number in range(BLOCK_CLASSES):
            drop_empty(st, kind, number)
    while link[0] != NULL:
        chunk = link[0]
        if chunk.live == 0:
            link[0] = chunk.next
            st.held -= CHUNK_SIZE
            live_blocks(-1)
            chunk_give(chunk)
        else:
            link = &chunk.next
    st.empty_chunks = 0


cdef void arena_free(StateC *st) noexcept nogil:
    """Free all that a Lua state consists of; the state is gone."""
    cdef Chunk *chunk
    while st.chunks != NULL:
        chunk = st.chunks
        st.chunks = chunk.next
        live_blocks(-1)
        chunk_give(chunk)
    while st.large != NULL:
        large_free(st, st.large)
    st.L = NULL
    st.used = st.held = 0


cdef int blocks_of(const StateC *st) noexcept nogil:
    """How many blocks the state has taken from the system."""
    cdef int count = 0
    cdef const Chunk *chunk = st.chunks
    cdef const LargeBlock *large = st.large
    while chunk != NULL:
        count += 1
        chunk = chunk.next
    while large != NULL:
        count += 1
        large = large.next
    return count


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
