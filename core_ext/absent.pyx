# What the sandbox does not have: an explanation of what to use instead, in place of an attempt to call nil (decision 5).

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


cdef void define_absent(lua_State *L, int base, const char *table, const char *name, const char *message) noexcept nogil:
    """base.table.name = a function that raises `message`; a global when `table` is empty."""
    if table[0]:
        push_table_field(L, base, table)
    else:
        lua_pushvalue(L, base)
    lua_pushstring(L, message)
    lua_pushcclosure(L, absent_function, 1)
    lua_setfield(L, -2, name)
    lua_pop(L, 1)


cdef void define_stub(lua_State *L, int base, const char *table, const char *advice) noexcept nogil:
    """base.table = a table (kept if it is there) whose absent members raise an explanation."""
    push_table_field(L, base, table)
    lua_createtable(L, 0, 2)
    lua_pushstring(L, table)
    lua_pushstring(L, advice)
    lua_pushcclosure(L, absent_member, 2)
    lua_setfield(L, -2, b"__index")
    lua_pushboolean(L, False)
    lua_setfield(L, -2, b"__metatable")
    lua_setmetatable(L, -2)
    lua_pop(L, 1)


cdef void open_absent(lua_State *L, int base) noexcept nogil:
    define_absent(L, base, b"", b"dofile", b"dofile is not available: an entry reaches other Lua files through its "
                                           b"`imports:` and require(name)")
    define_absent(L, base, b"", b"loadfile", b"loadfile is not available: an entry reaches other Lua files through its "
                                             b"`imports:` and require(name)")
    define_absent(L, base, b"", b"warn", b"warn is not available: use print(...) or the module logger")
    define_absent(L, base, b"string", b"dump", b"string.dump is not available: bytecode is never loaded; send source text "
                                               b"and use load(text)")
    define_stub(L, base, b"io", b"scripts have no files and no terminal; print(...) and the module logger write "
                                b"output, env.get reads settings, and a function called with funcs.call may do I/O")
    define_stub(L, base, b"debug", b"only debug.traceback is")
    push_table_field(L, base, b"package")
    lua_newtable(L)
    lua_setfield(L, -2, b"loaded")
    lua_pushstring(L, b"")
    lua_setfield(L, -2, b"path")
    lua_pop(L, 1)
    define_stub(L, base, b"package", b"modules are listed in the entry (`modules:`, `imports:`) and taken with require(name)")
