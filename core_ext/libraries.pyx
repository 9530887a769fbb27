# The standard libraries as scripts see them, put together (decisions 5, 11, 41).

cdef enum:
    PRIVATE_COPIES = 120        # how many functions core.lib has, about


cdef void open_string_methods(lua_State *L, int base) noexcept nogil:
    """("x"):rep(3) and the like are those of base.string, and their metatable is out of reach."""
    lua_pushstring(L, b"")
    lua_getmetatable(L, -1)
    lua_getfield(L, base, b"string")
    lua_setfield(L, -2, b"__index")
    lua_pushboolean(L, False)
    lua_setfield(L, -2, b"__metatable")
    lua_pop(L, 2)


cdef void copy_functions(lua_State *L, int base, const char *table, int target, const char *prefix) noexcept nogil:
    """target[prefix .. name] = value, for every name of base.table. The prefix has two characters."""
    cdef char name[64]
    cdef const char *text
    cdef size_t size = 0
    memcpy(name, prefix, 2)
    lua_getfield(L, base, table)
    lua_pushnil(L)
    while lua_next(L, -2):
        # stack: table, name, value
        text = lua_tolstring(L, -2, &size)
        if size <= sizeof(name) - 2:
            memcpy(name + 2, text, size)
            lua_pushlstring(L, name, size + 2)
            lua_insert(L, -2)
            lua_rawset(L, target)
        else:
            lua_pop(L, 1)
    lua_pop(L, 1)


cdef void open_private_copies(lua_State *L, int base) noexcept nogil:
    """core.lib: what the privileged modules use, out of reach of a script that overwrites string.format."""
    cdef int lib
    push_table_field(L, base, b"core")
    lua_createtable(L, 0, PRIVATE_COPIES)
    lua_pushvalue(L, -1)
    lua_setfield(L, -3, b"lib")
    lib = lua_gettop(L)
    lua_pushnil(L)
    while lua_next(L, base):
        if lua_isfunction(L, -1):
            lua_pushvalue(L, -2)
            lua_insert(L, -2)
            lua_rawset(L, lib)
        else:
            lua_pop(L, 1)
    copy_functions(L, base, b"string", lib, b"s_")
    copy_functions(L, base, b"table", lib, b"t_")
    copy_functions(L, base, b"math", lib, b"m_")
    copy_functions(L, base, b"utf8", lib, b"u_")
    lua_pushcfunction(L, raw_setmetatable)
    lua_setfield(L, lib, b"setmetatable")
    lua_pushcfunction(L, raw_getmetatable)
    lua_setfield(L, lib, b"getmetatable")
    lua_getfield(L, base, b"debug")
    lua_getfield(L, -1, b"traceback")
    lua_setfield(L, lib, b"traceback")
    lua_settop(L, lib - 2)


cdef lua_CFunction stock_function(lua_State *L, int stock, const char *table, const char *name) noexcept nogil:
    """A stock function that has no upvalues, to be called in the frame of ours; a global when `table` is empty."""
    cdef lua_CFunction function
    lua_pushvalue(L, stock)
    if table[0]:
        lua_getfield(L, -1, table)
        lua_remove(L, -2)
    lua_getfield(L, -1, name)
    function = lua_tocfunction(L, -1)
    lua_pop(L, 2)
    return function


cdef void find_stock_functions(lua_State *L, int stock) noexcept nogil:
    global STOCK_FORMAT, STOCK_LOAD, STOCK_TRACEBACK, STOCK_UTF8_LEN, STOCK_UTF8_OFFSET
    STOCK_FORMAT = stock_function(L, stock, b"string", b"format")
    STOCK_LOAD = stock_function(L, stock, b"", b"load")
    STOCK_TRACEBACK = stock_function(L, stock, b"debug", b"traceback")
    STOCK_UTF8_LEN = stock_function(L, stock, b"utf8", b"len")
    STOCK_UTF8_OFFSET = stock_function(L, stock, b"utf8", b"offset")


cdef void put(lua_State *L, const char *table, const char *name, lua_CFunction function) noexcept nogil:
    """Put a function into the table on top of the stack, which scripts know as `table` (empty: the globals)."""
    lua_pushcfunction(L, function)
    lua_setfield(L, -2, name)
    name_builtin(function, table, name, strlen(name))


cdef void define_globals(lua_State *L, int base) noexcept nogil:
    lua_pushvalue(L, base)
    put(L, b"", b"tostring", safe_tostring)
    put(L, b"", b"pairs", ordered_pairs)
    put(L, b"", b"next", ordered_next)
    put(L, b"", b"setmetatable", safe_setmetatable)
    put(L, b"", b"load", safe_load)
    put(L, b"", b"collectgarbage", safe_collectgarbage)
    lua_pop(L, 1)
    define(L, base, b"math", b"randomseed", safe_randomseed)
    define(L, base, b"debug", b"traceback", safe_traceback)
    define(L, base, b"utf8", b"len", charged_utf8_len)
    define(L, base, b"utf8", b"offset", charged_utf8_offset)


cdef void define_string(lua_State *L, int base) noexcept nogil:
    push_table_field(L, base, b"string")
    put(L, b"string", b"find", pattern_find)
    put(L, b"string", b"match", pattern_match)
    put(L, b"string", b"gmatch", pattern_gmatch)
    put(L, b"string", b"gsub", pattern_gsub)
    put(L, b"string", b"rep", string_rep)
    put(L, b"string", b"sub", string_sub)
    put(L, b"string", b"lower", string_lower)
    put(L, b"string", b"upper", string_upper)
    put(L, b"string", b"reverse", string_reverse)
    put(L, b"string", b"format", string_format)
    lua_pop(L, 1)


cdef void define_table(lua_State *L, int base) noexcept nogil:
    push_table_field(L, base, b"table")
    put(L, b"table", b"insert", table_insert)
    put(L, b"table", b"remove", table_remove)
    put(L, b"table", b"move", table_move)
    put(L, b"table", b"concat", table_concat)
    put(L, b"table", b"unpack", table_unpack)
    put(L, b"table", b"create", table_create)
    put(L, b"table", b"sort", table_sort)
    lua_pop(L, 1)
    define(L, base, b"", b"unpack", table_unpack)


cdef void open_libraries(lua_State *L, int stock, int base) noexcept nogil:
    """Install the libraries into `base`. `stock` has the stock ones, which no script reaches. May raise."""
    if not BUILTINS_KNOWN:
        find_stock_functions(L, stock)
    open_order(L)
    open_random(L, stock)
    hide_weakness(L)
    define_globals(L, base)
    define_string(L, base)
    define_table(L, base)
    open_string_methods(L, base)
    define(L, base, b"core", b"tostring", safe_tostring)
    open_private_copies(L, base)
    open_absent(L, base)
