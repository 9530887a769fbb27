# Images: the strings and the code of a program, once in a process, and shared by all states that run it.
#
# A state that loads code by itself has a copy of it, and of each string in it: half of what a waiting run took, and of the
# time that its start took. An image is a Lua state that has loaded the code and is never entered again. Its strings and
# functions' code (Lua's Proto) are never written to from then on: they are marked as Lua marks its reserved words, which
# no collector visits, frees or marks. An engine has an image, and a program has one on top of that: the strings of a state
# are those of the images and its own.
#
# Lua compares short strings by address, so a text must not be in a state twice: a state finds the strings of its images in
# its own string table. A bucket of it is a list, and new strings come to its front: those of an image are what all the lists
# of its states end with. That the collector would move them when the table grows or shrinks is what this file is about.
# The lists of images have a fixed number of buckets, and in a table with more, several lists have the same end.

ctypedef struct Loading:
    const char *name
    bint privileged
    Proto *proto                # NULL: there is no such chunk


cdef inline LuaText **end_of(LuaText **bucket, const LuaText *rest) noexcept nogil:
    """Where the list of a bucket goes on with `rest`."""
    while bucket[0] != rest:
        bucket = &bucket[0].following
    return bucket


cdef void join_shared(StateC *st) noexcept nogil:
    """Let all lists of the string table end with those of the image."""
    cdef LuaGlobal *state = global_of(st.L)
    cdef int i
    for i in range(state.size):
        end_of(&state.buckets[i], NULL)[0] = st.shared.strings[i & (SHARED_BUCKETS - 1)]
    st.apart = False


cdef void part_shared(StateC *st, LuaText **buckets, int size) noexcept nogil:
    """Leave in these buckets of the string table what is the state's own."""
    cdef int i
    for i in range(size):
        end_of(&buckets[i], st.shared.strings[i & (SHARED_BUCKETS - 1)])[0] = NULL


cdef void string_table_grows(StateC *st, LuaText **buckets, size_t had, size_t size) noexcept nogil:
    """Lua is about to spread the strings of this table over more buckets. The next thing that it does is to allocate the
    string that had no room: then the shared ones join again."""
    part_shared(st, buckets, <int>(had // sizeof(void *)))
    st.apart = True
    global_of(st.L).used += <int>((size - had) // sizeof(void *) // NEVER_SHRINKS)


cdef void collect_all(StateC *st) noexcept nogil:
    """A full collection, which may also shrink the string table."""
    cdef LuaGlobal *state = global_of(st.L)
    if st.shared == NULL:
        lua_gc(st.L, LUA_GCCOLLECT)
        return
    part_shared(st, state.buckets, state.size)
    state.used -= state.size // NEVER_SHRINKS - SHARED_BUCKETS // NEVER_SHRINKS
    lua_gc(st.L, LUA_GCCOLLECT)
    state.used += state.size // NEVER_SHRINKS - SHARED_BUCKETS // NEVER_SHRINKS
    join_shared(st)


cdef bint adopt_strings(StateC *st, const Shared *shared, const LuaGlobal *model) noexcept nogil:
    """Give a new state the strings of an image in place of those that Lua has made for it; False if there is no memory."""
    cdef LuaGlobal *state = global_of(st.L)
    cdef size_t before = <size_t>state.size * sizeof(void *), freed = before
    cdef size_t size = SHARED_BUCKETS * sizeof(void *)
    cdef LuaText **buckets = <LuaText **>allocate(st, NULL, 0, size)
    cdef LuaObject *text
    cdef int i, j
    if buckets == NULL:
        return False
    free_block(st, state.buckets, before)
    while state.fixed != NULL:
        text = state.fixed
        state.fixed = text.next
        freed += short_size(<LuaText *>text)
        free_block(st, text, short_size(<LuaText *>text))
    memcpy(buckets, shared.strings, size)
    state.buckets = buckets
    state.size = SHARED_BUCKETS
    # The collector halves a table that has a quarter of its buckets full: it is told of so many strings more.
    state.used = SHARED_BUCKETS // NEVER_SHRINKS
    state.debt += <Py_ssize_t>freed - <Py_ssize_t>size
    state.no_memory = model.no_memory
    memcpy(state.names, model.names, sizeof(state.names))
    for i in range(CACHE_SETS):
        for j in range(CACHE_EACH):
            state.cache[i][j] = model.no_memory
    st.shared = shared
    return True


cdef bint has_text(const LuaText *at, const LuaText *end, const LuaText *text) noexcept nogil:
    """Is there a string with this text in the list before `end`?"""
    cdef size_t size, other_size
    cdef const char *characters = text_of(text, &size)
    cdef const char *other
    while at != end:
        other = text_of(at, &other_size)
        if other_size == size and memcmp(other, characters, size) == 0:
            return True
        at = at.following
    return False


cdef bint add_strings(StateC *st, const Shared *shared) noexcept nogil:
    """Let a state have the strings of an image on top of the one that it has. False if it has one of them as its own."""
    cdef LuaGlobal *state = global_of(st.L)
    cdef const LuaText *text
    cdef int i, bucket
    for i in range(state.size):
        bucket = i & (SHARED_BUCKETS - 1)
        text = state.buckets[i]
        while text != st.shared.strings[bucket]:
            if has_text(shared.strings[bucket], st.shared.strings[bucket], text):
                return False
            text = text.following
    part_shared(st, state.buckets, state.size)
    st.shared = shared
    join_shared(st)
    return True


cdef int share_all(StateC *st, LuaText **shared) noexcept nogil:
    """Make the strings and the code of this state those of an image; `shared` has the lists of the image below. The state is
    good for nothing else from now on. Returns how many short strings it has added."""
    cdef LuaGlobal *state = global_of(st.L)
    cdef uint8_t mark = state.names[0].marked
    cdef LuaObject *lists[2]
    cdef LuaObject *object
    cdef LuaText *text
    cdef int i, count = 0
    lists[0] = state.all
    lists[1] = state.fixed
    for i in range(2):
        object = lists[i]
        while object != NULL:
            if object.type == OBJECT_SHORT_STRING:
                text = <LuaText *>object
                text.following = shared[text.hash & (SHARED_BUCKETS - 1)]
                shared[text.hash & (SHARED_BUCKETS - 1)] = text
                count += 1
            if object.type == OBJECT_SHORT_STRING or object.type == OBJECT_LONG_STRING or object.type == OBJECT_PROTO:
                object.marked = mark
            object = object.next
    return count


# A function that returns a new function, with what it was called with as its one upvalue: what Lua makes of a chunk, but for
# the code. The upvalue is _ENV.
cdef const char *MAKER = b"local env = ... return function(...) return env end"
cdef const char *MAKER_NAME = b"(maker)"
cdef char MAKER_KEY             # registry[&MAKER_KEY] = the function, in a state with an image
cdef bytes NO_CODE              # of an empty chunk
cdef const char *NO_CODE_DATA = NULL
cdef size_t NO_CODE_SIZE = 0


cdef void set_proto(lua_State *L, int index, void *code) noexcept nogil:
    (<void **>(<const char *>lua_topointer(L, index) + PROTO_OFFSET))[0] = code


cdef void open_maker(lua_State *L) noexcept nogil:
    """Let the state have functions with shared code. May raise."""
    cdef Bytecode chunk
    chunk.data = NO_CODE_DATA
    chunk.size = NO_CODE_SIZE
    if lua_load(L, read_chunk, &chunk, MAKER_NAME, b"B") != LUA_OK:
        lua_error(L)
    set_proto(L, -1, state_of(L).shared.maker)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &MAKER_KEY)


cdef void push_shared(lua_State *L, void *code) noexcept nogil:
    """Push a new function with shared code. May raise."""
    lua_rawgetp(L, LUA_REGISTRYINDEX, &MAKER_KEY)
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS)
    lua_call(L, 1, 1)
    set_proto(L, -1, code)


cdef int prepare_images() except -1:
    """Compile what images are made with. Once, at import."""
    global NO_CODE, NO_CODE_DATA, NO_CODE_SIZE
    MODULE_CODE[MAKER_NAME.decode()] = compile_lua(MAKER, "=" + MAKER_NAME.decode(), local_names=False)
    NO_CODE = compile_lua(b"", "=" + MAKER_NAME.decode(), local_names=False)
    NO_CODE_DATA = PyBytes_AS_STRING(NO_CODE)
    NO_CODE_SIZE = len(NO_CODE)
    return 0


cdef const SharedCode *find_shared(StateC *st, bint privileged, const char *name, size_t size) noexcept nogil:
    """The code of a module or of a chunk of the state's program, if that is in an image; else NULL."""
    cdef const Shared *shared = st.shared
    cdef int i
    if shared == NULL or (not privileged and shared.below == NULL):
        return NULL
    if privileged and shared.below != NULL:
        shared = shared.below
    for i in range(shared.count):
        if shared.code[i].size == size and memcmp(shared.code[i].name, name, size) == 0:
            return &shared.code[i]
    return NULL


cdef int enter_load(lua_State *L) noexcept nogil:
    """Protected: load a chunk, and keep it."""
    cdef Loading *loading = <Loading *>lua_touserdata(L, 1)
    lua_settop(L, 0)
    lua_pushstring(L, loading.name)
    loading.proto = NULL
    if load_chunk(L, loading.privileged) != 0:
        lua_settop(L, 2)
        loading.proto = proto_of(L, -1)
        lua_rawsetp(L, LUA_REGISTRYINDEX, loading.proto)
    return 0


cdef int enter_end(lua_State *L) noexcept nogil:
    """Protected: let long strings have the hashes that Lua would write into them when it first needs them, and intern what
    every run of the program reads from its manifest."""
    cdef LuaObject *object = global_of(L).all
    lua_settop(L, 0)
    lua_newtable(L)
    while object != NULL:
        if object.type == OBJECT_LONG_STRING:
            push_word(L, <uint8_t>TAG_LONG_STRING, object)
            lua_rawget(L, 1)
            lua_pop(L, 1)
            if (<LuaText *>object).extra == 0:
                return luaL_error(L, b"a long string has no hash")
        object = object.next
    if has_program(state_of(L)):
        core_manifest(L)
    return 0


cdef bint has_program(StateC *st) noexcept with gil:
    return (<LuaState>st.owner).program is not None


cdef class Image:
    """Strings and code for the states of an engine, or of a program on an engine. Never changes."""

    cdef LuaState template
    cdef Image below
    cdef list names             # of the code, as bytes
    cdef list code              # the bytecode, which Lua uses where it lies
    cdef int added              # how many short strings it has beside those of the image below
    cdef Shared shared

    @staticmethod
    cdef Image make(str engine, Image below, Program program, object names):
        """The image of an engine, or of `program` on the image of its engine. Raises LuaFault."""
        cdef Image image = Image.__new__(Image)
        cdef LuaState template = LuaState.__new__(LuaState)
        image.names = [name.encode() for name in names]
        image.code = [MODULE_CODE.get(name) if program is None else program.chunks[name] for name in names]
        image.below = below
        if below is not None:
            memcpy(image.shared.strings, below.shared.strings, sizeof(image.shared.strings))
            image.shared.below = &below.shared
        image.shared.code = <SharedCode *>malloc(sizeof(SharedCode) * max(len(names), 1))
        if image.shared.code == NULL:
            raise MemoryError()
        template.c.limit = 1 << 30
        template.open(engine, below)
        lua_gc(template.c.L, LUA_GCSTOP)
        template.program = program
        for name in image.names:
            image.load(template, name, program is None)
        if protect(template.c.L, enter_end, NULL) != LUA_OK:
            raise template.fault("cannot make an image")
        template.program = None     # it has this image
        image.added = share_all(&template.c, image.shared.strings)
        image.template = template
        image.set_live(-1)
        return image

    cdef int load(self, LuaState template, bytes name, bint privileged) except -1:
        cdef SharedCode *code = &self.shared.code[self.shared.count]
        cdef Loading loading
        loading.name = PyBytes_AS_STRING(name)
        loading.privileged = privileged
        if protect(template.c.L, enter_load, &loading) != LUA_OK:
            raise template.fault(f"cannot load {name.decode()}")
        if loading.proto == NULL:
            return 0
        code.name = loading.name
        code.size = len(name)
        code.proto = loading.proto
        code.passing = privileged and name.decode() in PASSING_MODULES
        self.shared.count += 1
        if strcmp(code.name, MAKER_NAME) == 0:
            self.shared.maker = code.proto
        return 0

    def __dealloc__(self):
        free(self.shared.code)
        if self.template is not None:
            self.set_live(1)

    cdef void set_live(self, int sign) noexcept:
        """Images do not count as live objects: they go when the last object goes that knows them."""
        live_states(sign)
        live_blocks(sign * blocks_of(&self.template.c))


# The images of engines by name. They have the modules of the time when they were made.
cdef dict IMAGES = {}


cdef Image image_of(str engine):
    image = IMAGES.get(engine)
    if image is None:
        image = IMAGES[engine] = Image.make(engine, None, None, [MAKER_NAME.decode(), engine, *sorted(SHARED_MODULES)])
    return image
