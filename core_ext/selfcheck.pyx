# At import: bind the Lua 5.5 in lupa's wheel, and prove that it is the one that this core was written for.

cdef str bind_lua():
    """Returns what is wrong, or ''."""
    cdef const char *missing
    cdef bytes path
    try:
        import lupa.lua55 as vm
    except ImportError as error:
        return f"it has no Lua 5.5 ({error})"
    path = vm.__file__.encode()
    missing = fleet_bind_lua(path)
    if missing != NULL:
        return f"its Lua 5.5 does not export what is needed: {(<bytes>missing).decode()}"
    return check_layout()


cdef const char *PROTO_PROBE = b"local a, b = 1, 2; return function(c, d) local e = a end"


cdef int probe(lua_State *L) noexcept nogil:
    """Protected: 0 if serials are found where the allocator put them, for each type of object, and the layout is ours."""
    cdef uint64_t before
    luaL_checkversion_(L, LUA_VERSION_NUM, 8 * 16 + 8)
    before = state_of(L).serial
    lua_newtable(L)
    if serial_of(L, -1) != before + 1:
        return luaL_error(L, b"table")
    lua_newuserdatauv(L, 16, 1)
    if serial_of(L, -1) != before + 2:
        return luaL_error(L, b"userdata")
    lua_newthread(L)
    if serial_of(L, -1) != before + 3:
        return luaL_error(L, b"coroutine")
    lua_pushnil(L)
    lua_pushcclosure(L, probe, 1)
    if serial_of(L, -1) != before + 4:
        return luaL_error(L, b"function")
    lua_pushcfunction(L, probe)
    if serial_of(L, -1) != 0:
        return luaL_error(L, b"C function")
    check_values(L)
    check_table(L)
    check_storing(L)
    luaL_loadbufferx(L, PROTO_PROBE, strlen(PROTO_PROBE), b"=", b"t")
    if proto_of(L, -1).local_count != 2 or proto_of(L, -1).function_count != 1 \
            or proto_of(L, -1).functions[0].local_count != 3 or proto_of(L, -1).functions[0].upvalue_count != 1 \
            or (<LuaObject *>proto_of(L, -1)).type != OBJECT_PROTO:
        return luaL_error(L, b"code")
    return check_weakness(L)


cdef bint is_seen_as(lua_State *L, uint8_t tag, int64_t word) noexcept nogil:
    """Is the value on the top of the stack seen with this tag and this word? It is popped."""
    cdef LuaSlot slot = top_slot(L)
    lua_pop(L, 1)
    return slot.tag == tag and slot.word.integer == word


cdef bint reads(lua_State *L, const char *text) noexcept nogil:
    """Is the string on the top of the stack, of whatever length, seen with this text? It is popped."""
    cdef size_t size
    cdef const LuaText *seen = <const LuaText *>lua_topointer(L, -1)
    cdef const char *found
    lua_pushvalue(L, -1)
    if not is_seen_as(L, TAG_SHORT_STRING if strlen(text) <= 40 else TAG_LONG_STRING, <int64_t>seen):
        return False
    found = text_of(seen, &size)
    lua_pop(L, 1)
    return size == strlen(text) and memcmp(found, text, size + 1) == 0


cdef int check_values(lua_State *L) noexcept nogil:
    """Raise unless every type of value is laid out on the stack, and strings in memory, as lua_layout.h says."""
    cdef double third = 1.0 / 3
    cdef int64_t bits
    cdef LuaSlot slot
    cdef const char *long_text = b"a string that is longer than the forty bytes of a short one"
    memcpy(&bits, &third, 8)
    lua_pushboolean(L, False)
    if top_slot(L).tag != TAG_FALSE:
        return luaL_error(L, b"false")
    lua_pushboolean(L, True)
    if top_slot(L).tag != TAG_TRUE:
        return luaL_error(L, b"true")
    lua_pushnil(L)
    if not tag_is_nil(top_slot(L).tag):
        return luaL_error(L, b"nil")
    lua_pushinteger(L, -7)
    if not is_seen_as(L, TAG_INTEGER, -7):
        return luaL_error(L, b"integer")
    lua_pushnumber(L, third)
    if not is_seen_as(L, TAG_FLOAT, bits):
        return luaL_error(L, b"float")
    lua_pushlightuserdata(L, L)
    if not is_seen_as(L, TAG_LIGHT, <int64_t>L):
        return luaL_error(L, b"light userdata")
    lua_newuserdatauv(L, 16, 1)
    if not is_seen_as(L, TAG_USERDATA, <int64_t>lua_touserdata(L, -1) - USERDATA_OFFSET):
        return luaL_error(L, b"userdata")
    lua_newtable(L)
    if not is_seen_as(L, TAG_TABLE, <int64_t>lua_topointer(L, -1)):
        return luaL_error(L, b"table")
    lua_pushstring(L, b"")
    if not reads(L, b""):
        return luaL_error(L, b"empty string")
    lua_pushstring(L, b"short")
    if not reads(L, b"short"):
        return luaL_error(L, b"short string")
    lua_pushstring(L, long_text)
    if not reads(L, long_text):
        return luaL_error(L, b"long string")
    # A function and a coroutine have their types in their tags, whatever the variant.
    lua_pushcfunction(L, probe)
    lua_pushthread(L)
    if top_slot(L).tag & 15 != LUA_TTHREAD:
        return luaL_error(L, b"coroutine")
    lua_pop(L, 1)
    if top_slot(L).tag & 15 != LUA_TFUNCTION:
        return luaL_error(L, b"function")
    slot.word.integer = 41
    slot.tag = TAG_INTEGER
    push_slot(L, slot)
    if not lua_isinteger(L, -1) or lua_tointeger(L, -1) != 41:
        return luaL_error(L, b"stack")
    return 0


cdef int check_strings(lua_State *L) noexcept nogil:
    """Raise unless a new state, this one, has its strings as lua_layout.h says, and nothing but what image.pyx replaces."""
    cdef LuaGlobal *state = global_of(L)
    cdef const LuaObject *object
    cdef const LuaText *text
    cdef const char *known
    cdef size_t size
    cdef Py_ssize_t bytes_used
    cdef int i, in_buckets = 0, fixed = 0
    if state.allocate != <void *>allocate or state.data != state_of(L):
        return luaL_error(L, b"state")
    for i in range(state.size):
        text = state.buckets[i]
        while text != NULL:
            in_buckets += text.hash & <unsigned int>(state.size - 1) == <unsigned int>i
            text = text.following
    object = state.fixed
    while object != NULL:
        fixed += object.type == OBJECT_SHORT_STRING and object.marked == state.names[0].marked
        object = object.next
    if in_buckets != state.used or fixed != state.used or is_white(<LuaTable *>state.names[0]):
        return luaL_error(L, b"string table")
    object = state.all
    while object != NULL:
        if object.type == OBJECT_SHORT_STRING or object.type == OBJECT_LONG_STRING or object.type == OBJECT_PROTO:
            return luaL_error(L, b"objects")
        object = object.next
    if not is_text(state.names[0], b"__index") or not is_text(state.names[MODE_NAME], b"__mode") \
            or not is_text(state.names[METAMETHODS - 1], b"__close") or not is_text(state.no_memory, b"not enough memory"):
        return luaL_error(L, b"names")
    known = lua_pushstring(L, PROTO_PROBE)
    if text_of(state.cache[<unsigned int><size_t>PROTO_PROBE % CACHE_SETS][0], &size) != known:
        return luaL_error(L, b"cache of strings")
    if state.all.type != OBJECT_LONG_STRING:
        return luaL_error(L, b"new objects")
    bytes_used = state.total - state.debt
    lua_pushstring(L, b"\1")
    if state.total - state.debt - bytes_used != <Py_ssize_t>short_size(<LuaText *>state.all):
        return luaL_error(L, b"bytes in use")
    if state.all.type != OBJECT_SHORT_STRING or state.used != fixed + 1:
        return luaL_error(L, b"new strings")
    return 0


cdef bint is_text(const LuaText *text, const char *wanted) noexcept nogil:
    cdef size_t size
    cdef const char *found = text_of(text, &size)
    return size == strlen(wanted) and memcmp(found, wanted, size) == 0


cdef int check_table(lua_State *L) noexcept nogil:
    """Raise unless tables are laid out in memory as lua_layout.h says."""
    cdef const LuaTable *table
    cdef LuaSlot slot
    cdef size_t place, found = 0
    cdef int i
    lua_createtable(L, 7, 3)
    table = <const LuaTable *>lua_topointer(L, -1)
    if table.array_size != 7 or place_count(table) != 7 + 4 or seek_value(table, 0) != 7 + 4 or table.metatable != NULL:
        return luaL_error(L, b"empty table")
    for i in range(1, 6):
        lua_pushinteger(L, i * 100)
        lua_rawseti(L, -2, i)
    lua_pushboolean(L, True)
    lua_rawseti(L, -2, 7)
    for i in range(5):
        slot = array_slot(table, i)
        if slot.tag != TAG_INTEGER or slot.word.integer != (i + 1) * 100:
            return luaL_error(L, b"array")
    if array_run(table) != 5 or seek_value(table, 5) != 6 or slot_at(table, 6).tag != TAG_TRUE:
        return luaL_error(L, b"array with a hole")
    lua_pushstring(L, b"value")
    lua_setfield(L, -2, b"key")
    lua_pushinteger(L, 5)
    lua_rawseti(L, -2, -5)
    lua_pushinteger(L, 6)
    lua_setfield(L, -2, b"gone")
    lua_pushnil(L)
    lua_setfield(L, -2, b"gone")
    place = seek_value(table, 7)
    while place < 7 + 4:
        slot = key_at(table, place)
        if slot.tag == TAG_INTEGER and slot.word.integer == -5:
            found += slot_at(table, place).tag == TAG_INTEGER and slot_at(table, place).word.integer == 5
        else:
            push_slot(L, slot)
            push_slot(L, slot_at(table, place))
            found += reads(L, b"value") and reads(L, b"key")
        place = seek_value(table, place + 1)
    if found != 2 or place != 7 + 4:
        return luaL_error(L, b"members")
    lua_newtable(L)
    lua_pushvalue(L, -1)
    lua_setmetatable(L, -3)
    if table.metatable != lua_topointer(L, -1):
        return luaL_error(L, b"metatable")
    table = <const LuaTable *>lua_topointer(L, -1)
    if table.array_size != 0 or seek_value(table, 0) != place_count(table):
        return luaL_error(L, b"table without members")
    return 0


cdef int describe_sandbox(lua_State *L) noexcept nogil:
    """Protected: fill the list of members, with what the stock libraries have."""
    luaL_openselectedlibs(L, LUA_GLIBK | LUA_STRLIBK | LUA_TABLIBK | LUA_MATHLIBK | LUA_UTF8LIBK | LUA_DBLIBK, 0)
    describe_stock(L)
    describe_core()
    find_stock_functions(L)
    describe_own()
    describe_methods()
    return 0


cdef int check_storing(lua_State *L) noexcept nogil:
    """Raise unless what is stored in a table as lua_layout.h does it is there for Lua, and white tables are known."""
    cdef LuaTable *table
    cdef LuaSlot key, value
    cdef char name[3]
    cdef int i, taken = 0
    lua_createtable(L, 3, 16)
    table = <LuaTable *>lua_topointer(L, -1)
    if not is_white(table):
        return luaL_error(L, b"new table")
    # All that survives a collection of the generational collector is old, and so not white.
    lua_gc(L, LUA_GCGEN)
    if is_white(table):
        return luaL_error(L, b"old table")
    lua_gc(L, LUA_GCINC)
    if not is_white(table):
        return luaL_error(L, b"table after a collection")
    value.tag = TAG_INTEGER
    for i in range(3):
        value.word.integer = 1000 + i
        set_element(table, i, value)
    name[0] = b"k"
    name[2] = 0
    for i in range(16):
        name[1] = <char>(65 + i)
        value.word.integer = i
        lua_pushstring(L, name)
        key = top_slot(L)
        if set_member(table, key, value):
            taken += 1
            lua_pop(L, 1)
        else:
            push_slot(L, value)
            lua_rawset(L, -3)
    if taken < 4 or set_member(table, key, value):
        return luaL_error(L, b"nodes")
    if lua_rawlen(L, -1) != 3:
        return luaL_error(L, b"length")
    for i in range(3):
        lua_rawgeti(L, -1, i + 1)
        if not is_seen_as(L, TAG_INTEGER, 1000 + i):
            return luaL_error(L, b"element")
    for i in range(16):
        name[1] = <char>(65 + i)
        lua_getfield(L, -1, name)
        if not is_seen_as(L, TAG_INTEGER, i):
            return luaL_error(L, b"member")
    # A table that has no metamethods is known for it: names that may be theirs are left to Lua.
    lua_pushstring(L, b"__index")
    if set_member(<LuaTable *>lua_topointer(L, -2), top_slot(L), value):
        return luaL_error(L, b"metamethod")
    return 0


cdef str check_layout():
    cdef StateC st
    cdef int status
    memset(&st, 0, sizeof(StateC))
    st.limit = 1 << 20
    st.L = lua_newstate(allocate, &st, HASH_SEED)
    if st.L == NULL:
        return "a Lua state could not be made"
    (<StateC **>lua_getextraspace(st.L))[0] = &st
    try:
        if lua_version(st.L) != LUA_VERSION_NUM:
            return f"its Lua is {lua_version(st.L)}, not {LUA_VERSION_NUM}"
        lua_pushcfunction(st.L, check_strings)
        if lua_pcall(st.L, 0, 0, 0) != LUA_OK:
            return f"its strings are kept differently: {(<bytes>lua_tostring(st.L, -1)).decode()}"
        lua_pushcfunction(st.L, describe_sandbox)
        status = lua_pcall(st.L, 0, 0, 0)
        if status != LUA_OK:
            return f"its libraries cannot be opened: {(<bytes>lua_tostring(st.L, -1)).decode()}"
        lua_pushcfunction(st.L, probe)
        status = lua_pcall(st.L, 0, 0, 0)
        if status != LUA_OK:
            return f"its objects are laid out differently: {(<bytes>lua_tostring(st.L, -1)).decode()}"
    finally:
        arena_free(&st)
    return ""


def _require_lua():
    problem = bind_lua()
    if problem:
        import lupa
        raise ImportError(
            f"fleet._core cannot use the installed lupa {lupa.__version__}: {problem}. "
            "Install the version that lua-fleet was built for: pip install 'lupa==2.8'")


_require_lua()
prepare_images()
