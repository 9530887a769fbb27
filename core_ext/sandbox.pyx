# What a script sees: an allow-list. The stock libraries are opened into a table that no script reaches; `base` gets the
# functions that are safe as they are, our own for those that are not, and explanations in place of what is absent.

cdef enum:
    HASH_SEED = 0x5EED      # fixed: two processes hash strings, and so order tables, alike

# Stock functions that are deterministic, bounded and harmless as they are.
cdef const char *STOCK = (
    b"assert error getmetatable ipairs pcall rawequal rawget rawlen rawset select tonumber type xpcall _VERSION "
    b"math.abs math.acos math.asin math.atan math.ceil math.cos math.deg math.exp math.floor math.fmod "
    b"math.frexp math.huge math.ldexp math.log math.max math.maxinteger math.min math.mininteger math.modf "
    b"math.pi math.rad math.random math.sin math.sqrt math.tan math.tointeger math.type math.ult "
    b"string.byte string.char string.len string.pack string.packsize "
    b"string.unpack "
    b"table.pack "
    b"utf8.char utf8.charpattern utf8.codepoint utf8.codes "
)


cdef void open_core(lua_State *L, int base) noexcept nogil:
    define(L, base, b"core", b"class", core_class)
    define(L, base, b"core", b"set_error_maker", core_set_error_maker)
    define(L, base, b"core", b"set_error_class", core_set_error_class)
    define(L, base, b"core", b"current", core_current)
    define(L, base, b"core", b"park", core_park)
    define(L, base, b"core", b"wake", core_wake)
    define(L, base, b"core", b"interrupt", core_interrupt)
    define(L, base, b"core", b"start", core_start)
    define(L, base, b"core", b"stop", core_stop)
    define(L, base, b"core", b"others_ready", core_others_ready)
    define(L, base, b"core", b"waiting", core_waiting)
    define(L, base, b"core", b"offer", core_offer)
    define(L, base, b"core", b"pending", core_pending)
    define(L, base, b"core", b"new_channel", channel_new)
    define(L, base, b"core", b"close_channel", channel_close_lua)
    define(L, base, b"core", b"drain", core_drain)
    define(L, base, b"core", b"host", core_host)
    define(L, base, b"core", b"module", core_module)
    define(L, base, b"core", b"chunk", core_chunk)
    define(L, base, b"core", b"manifest", core_manifest)
    define(L, base, b"core", b"payload", core_payload)
    define(L, base, b"core", b"from_payload", core_from_payload)
    define(L, base, b"core", b"undecodable", core_undecodable)
    define(L, base, b"core", b"seed", core_seed)
    define(L, base, b"core", b"random_bytes", core_random_bytes)
    define(L, base, b"core", b"charge", core_charge)
    define(L, base, b"core", b"refuse", core_refuse)
    define(L, base, b"core", b"run_body", core_run_body)
    define(L, base, b"core", b"set_globals", core_set_globals)
    define(L, base, b"channel", b"new", channel_new)
    define(L, base, b"channel", b"select", channel_select)
    define(L, base, b"coroutine", b"spawn", coroutine_spawn)
    define(L, base, b"coroutine", b"create", coroutine_create)
    define(L, base, b"coroutine", b"resume", coroutine_resume)
    define(L, base, b"coroutine", b"yield", coroutine_yield)
    define(L, base, b"coroutine", b"wrap", coroutine_wrap)
    define(L, base, b"coroutine", b"status", coroutine_status)
    define(L, base, b"coroutine", b"running", coroutine_running)
    define(L, base, b"coroutine", b"isyieldable", coroutine_isyieldable)
    define(L, base, b"coroutine", b"close", coroutine_close)


cdef int core_charge(lua_State *L) noexcept nogil:
    """core.charge(n): spend n steps of the budget on work done elsewhere"""
    charge(L, <uint64_t>luaL_checkinteger(L, 1))
    return 0


cdef int core_refuse(lua_State *L) noexcept nogil:
    """core.refuse(message[, level=1]): raise for something that the sandbox does not have; level as in error()"""
    return raise_sandbox_at(L, luaL_checklstring(L, 1, NULL), <int>luaL_optinteger(L, 2, 1))


cdef int core_run_body(lua_State *L) noexcept nogil:
    """core.run_body(chunk) -> what it returns. Runs the body of a file, which must not block."""
    cdef StateC *st = state_of(L)
    cdef bint outer = st.must_not_block
    lua_settop(L, 1)
    # An error in the body fails the load of the program, so the flag need not survive a jump.
    st.must_not_block = True
    lua_call(L, 0, 1)
    st.must_not_block = outer
    return 1


cdef int core_set_globals(lua_State *L) noexcept nogil:
    """core.set_globals(env): the environment of chunks that the script makes with load()"""
    luaL_checktype(L, 1, LUA_TTABLE)
    lua_settop(L, 1)
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS)
    return 0


cdef void push_table_field(lua_State *L, int index, const char *name) noexcept nogil:
    """Push t[name], making it a new table if it is nil."""
    index = lua_absindex(L, index)
    lua_pushstring(L, name)
    if lua_rawget(L, index) != LUA_TTABLE:
        lua_pop(L, 1)
        lua_newtable(L)
        lua_pushstring(L, name)
        lua_pushvalue(L, -2)
        lua_rawset(L, index)


cdef void define(lua_State *L, int base, const char *table, const char *name, lua_CFunction function) noexcept nogil:
    """base.table.name = function; a global when `table` is empty."""
    if table[0]:
        push_table_field(L, base, table)
    else:
        lua_pushvalue(L, base)
    lua_pushcfunction(L, function)
    lua_setfield(L, -2, name)
    lua_pop(L, 1)
    name_builtin(function, table, name, strlen(name))


cdef void copy_stock(lua_State *L, int stock, int base, const char *path, size_t size) noexcept nogil:
    """base.path = stock.path, where path is "name" or "table.name"."""
    cdef size_t dot = 0
    lua_pushlstring(L, path, size)
    while dot < size and path[dot] != b".":
        dot += 1
    if dot == size:
        lua_pushvalue(L, -1)
        lua_rawget(L, stock)
        name_stock(L, path, size)
        lua_rawset(L, base)
        return
    lua_pushlstring(L, path, dot)
    lua_pushlstring(L, path + dot + 1, size - dot - 1)
    # stack: path, table name, name
    lua_pushvalue(L, -2)
    lua_rawget(L, stock)
    lua_pushvalue(L, -2)
    lua_rawget(L, -2)
    name_stock(L, path, size)
    push_table_field(L, base, lua_tostring(L, -4))
    lua_pushvalue(L, -4)
    lua_pushvalue(L, -3)
    lua_rawset(L, -3)
    lua_pop(L, 6)


cdef void name_stock(lua_State *L, const char *path, size_t size) noexcept nogil:
    """Name the stock function on top of the stack, if it is a light C function."""
    if lua_iscfunction(L, -1) and serial_of(L, -1) == 0:
        name_builtin(lua_tocfunction(L, -1), b"", path, size)


cdef void open_stock(lua_State *L, int stock, int base, const char *at) noexcept nogil:
    """Copy the functions named in `at`, each followed by a space."""
    cdef size_t size
    while at[0]:
        size = 0
        while at[size] != b" ":
            size += 1
        copy_stock(L, stock, base, at, size)
        at += size + 1


cdef void new_metatable(lua_State *L, const char *name, const void *key) noexcept nogil:
    lua_createtable(L, 0, 4)
    lua_pushstring(L, name)
    lua_setfield(L, -2, b"__name")
    lua_pushboolean(L, False)
    lua_setfield(L, -2, b"__metatable")
    lua_pushvalue(L, -1)
    lua_rawsetp(L, LUA_REGISTRYINDEX, key)


cdef int open_sandbox(lua_State *L) noexcept nogil:
    """Protected: prepare a state and load the engine whose name is given as light userdata."""
    cdef const char *engine = <const char *>lua_touserdata(L, 1)
    cdef int stock, base
    lua_gc(L, LUA_GCSTOP)       # nearly all of this stays: a collection on the way finds nothing
    luaL_checkversion_(L, LUA_VERSION_NUM, 8 * 16 + 8)
    lua_newtable(L)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &TASKS_KEY)
    luaL_openselectedlibs(L, LUA_GLIBK | LUA_STRLIBK | LUA_TABLIBK | LUA_MATHLIBK | LUA_UTF8LIBK | LUA_DBLIBK, 0)
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS)
    stock = lua_gettop(L)
    lua_newtable(L)
    base = lua_gettop(L)
    open_stock(L, stock, base, STOCK)
    open_core(L, base)
    open_libraries(L, stock, base)
    open_json(L, base)

    new_metatable(L, b"channel", &CHANNEL_KEY)
    define(L, lua_gettop(L), b"__index", b"send", channel_send)
    define(L, lua_gettop(L), b"__index", b"receive", channel_receive)
    define(L, lua_gettop(L), b"__index", b"close", channel_close_lua)
    define(L, lua_gettop(L), b"__index", b"case_send", channel_case_send)
    define(L, lua_gettop(L), b"__index", b"case_receive", channel_case_receive)
    new_metatable(L, b"channel case", &CASE_KEY)
    new_metatable(L, b"undecodable payload", &UNDECODABLE_KEY)
    lua_settop(L, base)

    # The stock libraries go: from here on their globals and package.loaded are unreachable.
    open_names(L, base)
    lua_pushvalue(L, base)
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS)
    lua_getfield(L, base, b"core")
    lua_pushnil(L)
    lua_setfield(L, base, b"core")

    # stack: ..., base, core. The engine's chunk gets both.
    lua_pushcfunction(L, core_module)
    lua_pushstring(L, engine)
    lua_call(L, 1, 1)
    if lua_type(L, -1) != LUA_TFUNCTION:
        return luaL_error(L, b"there is no engine called %s", engine)
    lua_insert(L, -2)
    lua_pushvalue(L, base)
    lua_call(L, 2, 1)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ENGINE_KEY)
    lua_settop(L, 0)
    lua_gc(L, LUA_GCRESTART)
    builtins_known()
    return 0
