# What the sandbox does not have: an explanation of what to use instead, in place of an attempt to call nil (decision 5).

cdef const char *ABSENT_FILE = b" is not available: an entry reaches other Lua files through its `imports:` and require(name)"
cdef const char *ABSENT_WARN = b"warn is not available: use print(...) or the module logger"
cdef const char *ABSENT_DUMP = b"string.dump is not available: bytecode is never loaded; send source text and use load(text)"


cdef int absent_function(lua_State *L) noexcept nogil:
    """Upvalue 1: what to say."""
    return raise_sandbox(L, lua_tostring(L, lua_upvalueindex(1)))


cdef int absent_member(lua_State *L) noexcept nogil:
    """The __index of a table of absent functions. Upvalues: the table's name, what to use instead."""
    if lua_type(L, 2) != LUA_TSTRING:
        lua_pushnil(L)
        return 1
    lua_pushfstring(L, b"%s.%s is not available: %s", lua_tostring(L, lua_upvalueindex(1)), lua_tostring(L, 2),
                    lua_tostring(L, lua_upvalueindex(2)))
    return raise_sandbox(L, lua_tostring(L, -1))


cdef void push_absent_function(lua_State *L, const char *message, uint64_t serial) noexcept nogil:
    """Push a function that raises `message`."""
    lua_pushstring(L, message)
    lua_pushcclosure(L, absent_function, 1)
    give_serial(L, serial)


cdef bint push_absent_global(lua_State *L, const char *name) noexcept nogil:
    """Push what stands for the global of this name; False, and nothing pushed, if nothing does."""
    cdef bint dofile = strcmp(name, b"dofile") == 0
    if strcmp(name, b"warn") == 0:
        push_absent_function(L, ABSENT_WARN, SERIAL_WARN)
        return True
    if not dofile and strcmp(name, b"loadfile") != 0:
        return False
    lua_pushfstring(L, b"%s%s", name, ABSENT_FILE)
    lua_pushcclosure(L, absent_function, 1)
    give_serial(L, SERIAL_DOFILE if dofile else SERIAL_LOADFILE)
    return True


cdef void set_absent_members(lua_State *L, const char *table, const char *advice) noexcept nogil:
    """From now on absent members of the table on top raise an explanation."""
    lua_createtable(L, 0, 2)
    lua_pushstring(L, table)
    lua_pushstring(L, advice)
    lua_pushcclosure(L, absent_member, 2)
    lua_setfield(L, -2, b"__index")
    lua_pushboolean(L, False)
    lua_setfield(L, -2, b"__metatable")
    lua_setmetatable(L, -2)
