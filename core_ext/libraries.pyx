# The standard libraries as scripts see them, put together (decisions 5, 11, 41).

cdef void open_string_methods(lua_State *L, int base) noexcept nogil:
    """("x"):rep(3) and the like are those of base.string, and their metatable is out of reach."""
    lua_pushstring(L, b"")
    lua_getmetatable(L, -1)
    lua_getfield(L, base, b"string")
    lua_setfield(L, -2, b"__index")
    lua_pushboolean(L, False)
    lua_setfield(L, -2, b"__metatable")
    lua_pop(L, 2)


cdef void copy_functions(lua_State *L, int target, const char *prefix) noexcept nogil:
    """target[prefix .. name] = value, for every name of the table on top of the stack."""
    lua_pushnil(L)
    while lua_next(L, -2):
        # stack: source, name, value
        lua_pushfstring(L, b"%s%s", prefix, lua_tostring(L, -2))
        lua_insert(L, -2)
        lua_rawset(L, target)


cdef void open_private_copies(lua_State *L, int base) noexcept nogil:
    """core.lib: what the privileged modules use, out of reach of a script that overwrites string.format."""
    cdef int lib
    push_table_field(L, base, b"core")
    push_table_field(L, -1, b"lib")
    lib = lua_gettop(L)
    lua_pushnil(L)
    while lua_next(L, base):
        if lua_isfunction(L, -1):
            lua_pushvalue(L, -2)
            lua_insert(L, -2)
            lua_rawset(L, lib)
        else:
            lua_pop(L, 1)
    lua_getfield(L, base, b"string")
    copy_functions(L, lib, b"s_")
    lua_getfield(L, base, b"table")
    copy_functions(L, lib, b"t_")
    lua_getfield(L, base, b"math")
    copy_functions(L, lib, b"m_")
    lua_getfield(L, base, b"utf8")
    copy_functions(L, lib, b"u_")
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


cdef void define_libraries(lua_State *L, int base) noexcept nogil:
    define(L, base, b"", b"tostring", safe_tostring)
    define(L, base, b"", b"pairs", ordered_pairs)
    define(L, base, b"", b"next", ordered_next)
    define(L, base, b"", b"setmetatable", safe_setmetatable)
    define(L, base, b"", b"load", safe_load)
    define(L, base, b"", b"collectgarbage", safe_collectgarbage)
    define(L, base, b"math", b"randomseed", safe_randomseed)
    define(L, base, b"debug", b"traceback", safe_traceback)
    define(L, base, b"utf8", b"len", charged_utf8_len)
    define(L, base, b"utf8", b"offset", charged_utf8_offset)
    define(L, base, b"string", b"find", pattern_find)
    define(L, base, b"string", b"match", pattern_match)
    define(L, base, b"string", b"gmatch", pattern_gmatch)
    define(L, base, b"string", b"gsub", pattern_gsub)
    define(L, base, b"string", b"rep", string_rep)
    define(L, base, b"string", b"sub", string_sub)
    define(L, base, b"string", b"lower", string_lower)
    define(L, base, b"string", b"upper", string_upper)
    define(L, base, b"string", b"reverse", string_reverse)
    define(L, base, b"string", b"format", string_format)
    define(L, base, b"table", b"insert", table_insert)
    define(L, base, b"table", b"remove", table_remove)
    define(L, base, b"table", b"move", table_move)
    define(L, base, b"table", b"concat", table_concat)
    define(L, base, b"table", b"unpack", table_unpack)
    define(L, base, b"", b"unpack", table_unpack)
    define(L, base, b"table", b"create", table_create)
    define(L, base, b"table", b"sort", table_sort)


cdef void open_libraries(lua_State *L, int stock, int base) noexcept nogil:
    """Install the libraries into `base`. `stock` has the stock ones, which no script reaches. May raise."""
    find_stock_functions(L, stock)
    open_order(L)
    open_random(L, stock)
    hide_weakness(L)
    define_libraries(L, base)
    open_string_methods(L, base)
    define(L, base, b"core", b"tostring", safe_tostring)
    open_private_copies(L, base)
    open_absent(L, base)
