# The module's face in Lua: core.json_encode, core.json_decode, core.json_object, core.json_null. The reader and the
# writer, which payloads use directly, are in json_read.pyx and json_write.pyx.

cdef char OBJECT_KEY            # registry[&OBJECT_KEY] = the metatable of empty tables that are {} in JSON


cdef void mark_object(lua_State *L, int index) noexcept nogil:
    """The table at the absolute index is {} when it is empty."""
    lua_rawgetp(L, LUA_REGISTRYINDEX, &OBJECT_KEY)
    lua_setmetatable(L, index)


cdef bint is_marked_object(lua_State *L, int index) noexcept nogil:
    cdef bint marked
    if not lua_getmetatable(L, index):
        return False
    lua_rawgetp(L, LUA_REGISTRYINDEX, &OBJECT_KEY)
    marked = lua_rawequal(L, -1, -2)
    lua_pop(L, 2)
    return marked


cdef int json_encode(lua_State *L) noexcept nogil:
    """core.json_encode(v) -> string | nil, what is wrong (with the path to the offender)"""
    cdef Buffer *b = &SCRATCH
    cdef char wrong[320]
    lua_settop(L, 1)
    buffer_start(b, state_of(L).limit)
    if not json_write(L, 1, b, wrong, sizeof(wrong)):
        lua_pushnil(L)
        lua_pushstring(L, wrong)
        return 2
    charge(L, b.length >> 3)
    if b.failed:
        lua_pushnil(L)
        lua_pushstring(L, b"the value is too large")
        return 2
    lua_pushlstring(L, b.data, b.length)
    return 1


cdef int json_decode(lua_State *L) noexcept nogil:
    """core.json_decode(s) -> value | nil, what is wrong (with line and column). JSON null: nil and no message."""
    cdef char wrong[320]
    cdef const char *text
    cdef size_t size
    if lua_type(L, 1) != LUA_TSTRING:
        lua_pushnil(L)
        lua_pushfstring(L, b"expected a string, got %s", lua_typename(L, lua_type(L, 1)))
        return 2
    text = lua_tolstring(L, 1, &size)
    charge(L, size >> 3)
    if not json_push(L, text, size, wrong, sizeof(wrong)):
        lua_pushnil(L)
        lua_pushstring(L, wrong)
        return 2
    return 1


cdef int json_object(lua_State *L) noexcept nogil:
    """core.json_object([t]) -> t, which is {} in JSON even while it is empty. Raises if t has a metatable of its own."""
    if lua_isnoneornil(L, 1):
        lua_settop(L, 0)
        lua_newtable(L)
    luaL_checktype(L, 1, LUA_TTABLE)
    lua_settop(L, 1)
    if lua_getmetatable(L, 1) and not is_marked_object(L, 1):
        return luaL_argerror(L, 1, b"the table has a metatable of its own")
    lua_settop(L, 1)
    mark_object(L, 1)
    return 1


cdef int light_tostring(lua_State *L) noexcept nogil:
    """tostring of light userdata: json.null is null. (Scripts meet no other.)"""
    if lua_touserdata(L, 1) == NULL:
        lua_pushstring(L, b"null")
    else:
        lua_pushstring(L, b"userdata")
    return 1


cdef void open_json(lua_State *L) noexcept nogil:
    """Make what the codec keeps in the registry."""
    lua_newtable(L)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &OBJECT_KEY)
    # All light userdata of a state share this metatable.
    lua_pushlightuserdata(L, NULL)
    lua_createtable(L, 0, 2)
    lua_pushcfunction(L, light_tostring)
    lua_setfield(L, -2, b"__tostring")
    lua_pushboolean(L, False)
    lua_setfield(L, -2, b"__metatable")
    lua_setmetatable(L, -2)
    lua_pop(L, 1)
