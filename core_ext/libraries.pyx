# The standard libraries as scripts see them (decisions 5, 11, 41), and what of them a state has: a library becomes a table
# when a script first names it, and the functions of privileged code come one by one.

# Stock functions and values that are deterministic, bounded and harmless as they are. Of math.random see open_math().
cdef const char *STOCK = (
    b"assert error getmetatable ipairs pcall rawequal rawget rawlen rawset select tonumber type xpcall _VERSION "
    b"math.abs math.acos math.asin math.atan math.ceil math.cos math.deg math.exp math.floor math.fmod "
    b"math.frexp math.huge math.ldexp math.log math.max math.maxinteger math.min math.mininteger math.modf "
    b"math.pi math.rad math.sin math.sqrt math.tan math.tointeger math.type math.ult "
    b"string.byte string.char string.len string.pack string.packsize "
    b"string.unpack "
    b"table.pack "
    b"utf8.char utf8.charpattern utf8.codepoint utf8.codes "
)

# How strings that look like numbers take part in arithmetic.
cdef const char *STRING_OPERATORS[9]
STRING_OPERATORS[:] = [b"__add", b"__sub", b"__mul", b"__mod", b"__pow", b"__div", b"__idiv", b"__unm", NULL]

cdef lua_CFunction STRING_OPERATIONS[8]


# Objects of the libraries have serials of their own, in this order and before all others, so that the order of keys does
# not depend on when a script first names them.
cdef enum LibrarySerial:
    SERIAL_RANDOM = 1
    SERIAL_MATH = 2
    SERIAL_STRING = 3
    SERIAL_TABLE = 4
    SERIAL_UTF8 = 5
    SERIAL_CHANNEL = 6
    SERIAL_COROUTINE = 7
    SERIAL_DEBUG = 8
    SERIAL_DOFILE = 9
    SERIAL_LOADFILE = 10
    SERIAL_WARN = 11
    SERIAL_DUMP = 12
    SERIAL_IO = 13
    SERIAL_PACKAGE = 14
    SERIAL_LOADED = 15
    SERIAL_EARLY_MODULES = 64       # core.module: those that the engine always had
    SERIAL_FIRST = 4096             # everything else


ctypedef struct Library:
    const char *name
    uint64_t serial
    const char *absent          # what to use instead of its absent members; NULL: they are nil


cdef Library LIBRARIES[9]
LIBRARIES[:] = [
    Library(b"math", SERIAL_MATH, NULL),
    Library(b"string", SERIAL_STRING, NULL),
    Library(b"table", SERIAL_TABLE, NULL),
    Library(b"utf8", SERIAL_UTF8, NULL),
    Library(b"channel", SERIAL_CHANNEL, NULL),
    Library(b"coroutine", SERIAL_COROUTINE, NULL),
    Library(b"debug", SERIAL_DEBUG, b"only debug.traceback is"),
    Library(b"io", SERIAL_IO, b"scripts have no files and no terminal; print(...) and the module logger write "
                              b"output, env.get reads settings, and a function called with funcs.call may do I/O"),
    Library(b"package", SERIAL_PACKAGE,
            b"modules are listed in the entry (`modules:`, `imports:`) and taken with require(name)"),
]


# ---- at import

cdef void describe_stock(lua_State *L) noexcept nogil:
    """Put the members named in STOCK on the list. L has the stock libraries as its globals."""
    cdef const char *at = STOCK
    cdef const char *table
    cdef size_t size, table_size
    cdef Member *m
    while at[0]:
        lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS)
        table = b""
        table_size = 0
        size = strchr(at, b" ") - at
        if memchr(at, b".", size) != NULL:
            table = at
            table_size = strchr(at, b".") - at
            at += table_size + 1
            size -= table_size + 1
            lua_pushlstring(L, table, table_size)
            lua_rawget(L, -2)
        lua_pushlstring(L, at, size)
        lua_rawget(L, -2)
        m = new_member(table, table_size, at, size, lua_type(L, -1))
        m.function = lua_tocfunction(L, -1)
        m.is_integer = lua_isinteger(L, -1)
        m.integer = lua_tointeger(L, -1)
        m.number = lua_tonumber(L, -1)
        if m.kind == LUA_TSTRING:
            m.text_size = min(lua_rawlen(L, -1), sizeof(m.text))
            memcpy(m.text, lua_tolstring(L, -1, NULL), m.text_size)
        lua_settop(L, 0)
        at += size + 1


cdef lua_CFunction stock_function(lua_State *L, const char *table, const char *name) noexcept nogil:
    """A stock function, to be called in the frame of ours; a global when `table` is empty."""
    cdef lua_CFunction function
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS)
    if table[0]:
        lua_getfield(L, -1, table)
    lua_getfield(L, -1, name)
    function = lua_tocfunction(L, -1)
    lua_settop(L, 0)
    return function


cdef void find_stock_functions(lua_State *L) noexcept nogil:
    global STOCK_FORMAT, STOCK_LOAD, STOCK_TRACEBACK, STOCK_UTF8_LEN, STOCK_UTF8_OFFSET
    cdef int i = 0
    STOCK_FORMAT = stock_function(L, b"string", b"format")
    STOCK_LOAD = stock_function(L, b"", b"load")
    STOCK_TRACEBACK = stock_function(L, b"debug", b"traceback")
    STOCK_UTF8_LEN = stock_function(L, b"utf8", b"len")
    STOCK_UTF8_OFFSET = stock_function(L, b"utf8", b"offset")
    lua_pushstring(L, b"")
    lua_getmetatable(L, -1)
    while STRING_OPERATORS[i] != NULL:
        lua_getfield(L, -1, STRING_OPERATORS[i])
        STRING_OPERATIONS[i] = lua_tocfunction(L, -1)
        lua_pop(L, 1)
        i += 1
    lua_settop(L, 0)


cdef void describe_own() noexcept nogil:
    member(b"", b"tostring", safe_tostring)
    member(b"", b"pairs", ordered_pairs)
    member(b"", b"next", ordered_next)
    member(b"", b"setmetatable", safe_setmetatable)
    member(b"", b"load", safe_load)
    member(b"", b"collectgarbage", safe_collectgarbage)
    member(b"math", b"randomseed", safe_randomseed)
    member(b"debug", b"traceback", safe_traceback)
    member(b"utf8", b"len", charged_utf8_len)
    member(b"utf8", b"offset", charged_utf8_offset)
    member(b"string", b"find", pattern_find)
    member(b"string", b"match", pattern_match)
    member(b"string", b"gmatch", pattern_gmatch)
    member(b"string", b"gsub", pattern_gsub)
    member(b"string", b"rep", string_rep)
    member(b"string", b"sub", string_sub)
    member(b"string", b"lower", string_lower)
    member(b"string", b"upper", string_upper)
    member(b"string", b"reverse", string_reverse)
    member(b"string", b"format", string_format)
    member(b"table", b"insert", table_insert)
    member(b"table", b"remove", table_remove)
    member(b"table", b"move", table_move)
    member(b"table", b"concat", table_concat)
    member(b"table", b"unpack", table_unpack)
    member(b"table", b"create", table_create)
    member(b"table", b"sort", table_sort)
    member(b"", b"unpack", table_unpack)
    member(b"core", b"tostring", safe_tostring)


# ---- in a state

cdef void give_serial(lua_State *L, uint64_t serial) noexcept nogil:
    """The object on top of the stack has this creation serial."""
    header_of(L, -1)[0] = serial


cdef void open_math(lua_State *L) noexcept nogil:
    """The stock random, which has a state of its own, into the table on top. It follows the run's seed."""
    lua_pushcfunction(L, luaopen_math)
    lua_call(L, 0, 1)
    lua_getfield(L, -1, b"randomseed")
    lua_rawsetp(L, LUA_REGISTRYINDEX, &RANDOMSEED_KEY)
    lua_getfield(L, -1, b"random")
    give_serial(L, SERIAL_RANDOM)
    lua_setfield(L, -3, b"random")
    lua_pop(L, 1)
    reseed_math(L, state_of(L).seed)


cdef void open_package(lua_State *L) noexcept nogil:
    lua_newtable(L)
    give_serial(L, SERIAL_LOADED)
    lua_setfield(L, -2, b"loaded")
    lua_pushstring(L, b"")
    lua_setfield(L, -2, b"path")


cdef void push_library(lua_State *L, const Library *library) noexcept nogil:
    """Make the table of a library. Error messages and tracebacks find the names of its functions from now on: Lua looks
    for them in the tables of registry._LOADED."""
    lua_createtable(L, 0, members_of(library.name) + 1)
    give_serial(L, library.serial)
    put_members(L, library.name)
    if library.serial == SERIAL_MATH:
        open_math(L)
    elif library.serial == SERIAL_STRING:
        push_absent_function(L, ABSENT_DUMP, SERIAL_DUMP)
        lua_setfield(L, -2, b"dump")
    elif library.serial == SERIAL_PACKAGE:
        open_package(L)
    if library.absent != NULL:
        set_absent_members(L, library.name, library.absent)
    lua_getfield(L, LUA_REGISTRYINDEX, b"_LOADED")
    lua_pushvalue(L, -2)
    lua_setfield(L, -2, library.name)
    lua_pop(L, 1)


cdef bint push_global(lua_State *L, const char *name, size_t size) noexcept nogil:
    """Push the global of this name; False, and nothing pushed, if there is none."""
    cdef const Member *m = find_member(b"", 0, name, size)
    cdef int i
    if m != NULL:
        push_member(L, m)
        return True
    for i in range(<int>(sizeof(LIBRARIES) // sizeof(LIBRARIES[0]))):
        if strlen(LIBRARIES[i].name) == size and memcmp(LIBRARIES[i].name, name, size) == 0:
            push_library(L, &LIBRARIES[i])
            return True
    return push_absent_global(L, name)


cdef int base_index(lua_State *L) noexcept nogil:
    """__index of base, which no script can reach: whatever a script names for the first time."""
    cdef size_t size = 0
    cdef const char *name
    if lua_type(L, 2) != LUA_TSTRING:
        return 0
    name = lua_tolstring(L, 2, &size)
    if not push_global(L, name, size):
        return 0
    lua_pushvalue(L, 2)
    lua_pushvalue(L, -2)
    lua_rawset(L, 1)
    return 1


cdef int core_index(lua_State *L) noexcept nogil:
    """__index of core: the native functions of the privileged modules."""
    cdef size_t size = 0
    cdef const char *name = luaL_checklstring(L, 2, &size)
    cdef const Member *m = find_member(b"core", 4, name, size)
    if m != NULL:
        push_member(L, m)
    elif strcmp(name, b"json_null") == 0:
        lua_pushlightuserdata(L, NULL)
    else:
        return 0
    lua_pushvalue(L, 2)
    lua_pushvalue(L, -2)
    lua_rawset(L, 1)
    return 1


cdef const Member *lib_member(const char *name, size_t size) noexcept nogil:
    if size > 2 and name[1] == b"_":
        if name[0] == b"s":
            return find_member(b"string", 6, name + 2, size - 2)
        if name[0] == b"t":
            return find_member(b"table", 5, name + 2, size - 2)
        if name[0] == b"m":
            return find_member(b"math", 4, name + 2, size - 2)
        if name[0] == b"u":
            return find_member(b"utf8", 4, name + 2, size - 2)
    return find_member(b"", 0, name, size)


cdef int lib_index(lua_State *L) noexcept nogil:
    """__index of core.lib: what the privileged modules use, out of reach of a script that overwrites string.format."""
    cdef size_t size = 0
    cdef const char *name = luaL_checklstring(L, 2, &size)
    cdef const Member *m
    if strcmp(name, b"setmetatable") == 0:
        lua_pushcfunction(L, raw_setmetatable)
    elif strcmp(name, b"getmetatable") == 0:
        lua_pushcfunction(L, raw_getmetatable)
    elif strcmp(name, b"traceback") == 0:
        lua_pushcfunction(L, safe_traceback)
    else:
        m = lib_member(name, size)
        if m == NULL:
            return luaL_error(L, b"core.lib has no %s", name)
        push_member(L, m)
        if m.table_size == 0:
            # So that a traceback has the function's name, whoever called it.
            lua_getfield(L, LUA_REGISTRYINDEX, b"_LOADED")
            lua_getfield(L, -1, b"_G")
            lua_pushvalue(L, 2)
            lua_pushvalue(L, -4)
            lua_rawset(L, -3)
            lua_settop(L, 3)
    lua_pushvalue(L, 2)
    lua_pushvalue(L, -2)
    lua_rawset(L, 1)
    return 1


cdef int string_index(lua_State *L) noexcept nogil:
    """__index of strings before the first method call: ("x"):rep(3) and the like are those of base.string."""
    lua_getfield(L, LUA_REGISTRYINDEX, b"_LOADED")
    lua_getfield(L, -1, b"_G")
    lua_getfield(L, -1, b"string")
    lua_getmetatable(L, 1)
    lua_pushvalue(L, -2)
    lua_setfield(L, -2, b"__index")
    lua_pushvalue(L, 2)
    lua_gettable(L, -3)
    return 1


cdef void open_string_metatable(lua_State *L) noexcept nogil:
    cdef int i = 0
    lua_pushstring(L, b"")
    lua_createtable(L, 0, 10)
    while STRING_OPERATORS[i] != NULL:
        lua_pushcfunction(L, STRING_OPERATIONS[i])
        lua_setfield(L, -2, STRING_OPERATORS[i])
        i += 1
    lua_pushcfunction(L, string_index)
    lua_setfield(L, -2, b"__index")
    lua_pushboolean(L, False)
    lua_setfield(L, -2, b"__metatable")
    lua_setmetatable(L, -2)
    lua_pop(L, 1)


cdef void push_lazy_table(lua_State *L, lua_CFunction index, int usual) noexcept nogil:
    """Push a table that asks `index` for what it does not have, with room for what it will usually have."""
    lua_createtable(L, 0, usual)
    lua_createtable(L, 0, 1)
    lua_pushcfunction(L, index)
    lua_setfield(L, -2, b"__index")
    lua_setmetatable(L, -2)


cdef void open_libraries(lua_State *L) noexcept nogil:
    """Push base and core. May raise."""
    push_lazy_table(L, base_index, 8)
    lua_newtable(L)
    lua_pushvalue(L, -2)
    lua_setfield(L, -2, b"_G")
    lua_setfield(L, LUA_REGISTRYINDEX, b"_LOADED")
    push_lazy_table(L, core_index, 16)
    push_lazy_table(L, lib_index, 16)
    lua_setfield(L, -2, b"lib")
    open_string_metatable(L)
