# Host objects: userdata with methods, made and opened by the privileged modules in lua_modules/.
#
# Every userdata of this core has exactly one user value. For a host object it is a table with the object's fields,
# which only privileged code can reach: core.fields checks the class.

cdef char MODULES_KEY           # registry[&MODULES_KEY] = {name = module value} of loaded modules
cdef char ENGINE_KEY            # registry[&ENGINE_KEY] = the engine's table of entry points
cdef char ERROR_KEY             # registry[&ERROR_KEY] = function(kind, message) -> error object


cdef int object_new(lua_State *L) noexcept nogil:
    """new(fields) -> object. Upvalue 1: the class's metatable."""
    luaL_checktype(L, 1, LUA_TTABLE)
    lua_settop(L, 1)
    lua_newuserdatauv(L, 0, 1)
    lua_insert(L, 1)
    lua_setiuservalue(L, 1, 1)
    lua_pushvalue(L, lua_upvalueindex(1))
    lua_setmetatable(L, 1)
    return 1


cdef int object_fields(lua_State *L) noexcept nogil:
    """fields(value) -> the fields of an object of this class, or nil. Upvalue 1: the class's metatable."""
    if lua_type(L, 1) != LUA_TUSERDATA or not lua_getmetatable(L, 1) \
            or not lua_rawequal(L, -1, lua_upvalueindex(1)):
        lua_pushnil(L)
        return 1
    lua_getiuservalue(L, 1, 1)
    return 1


cdef int core_class(lua_State *L) noexcept nogil:
    """core.class(metatable) -> new, fields. The metatable has __name, __index and whatever metamethods it wants."""
    luaL_checktype(L, 1, LUA_TTABLE)
    lua_settop(L, 1)
    lua_pushboolean(L, False)
    lua_setfield(L, 1, b"__metatable")
    lua_pushvalue(L, 1)
    lua_pushcclosure(L, object_new, 1)
    lua_pushvalue(L, 1)
    lua_pushcclosure(L, object_fields, 1)
    return 2


cdef void push_error(lua_State *L, const char *kind, const char *message) noexcept nogil:
    """Push an error object (errors.lua made the function)."""
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ERROR_KEY)
    lua_pushstring(L, kind)
    lua_pushstring(L, message)
    lua_call(L, 2, 1)


cdef int core_set_error_maker(lua_State *L) noexcept nogil:
    """core.set_error_maker(f): f(kind, message) -> error object, for errors that begin in the core."""
    luaL_checktype(L, 1, LUA_TFUNCTION)
    lua_settop(L, 1)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ERROR_KEY)
    return 0
