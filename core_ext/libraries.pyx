# The standard libraries as scripts see them: what replaces a stock function that could tell two replays apart, run
# without end or reach out of the sandbox, and an explanation in place of what is absent (decisions 5, 11, 41).

cdef char RANDOMSEED_KEY        # registry[&RANDOMSEED_KEY] = the stock math.randomseed

# Until their own versions are here.
cdef const char *BORROWED = (
    b"load string.find string.format string.gmatch string.gsub string.match string.rep "
    b"table.concat table.create table.insert table.move table.remove table.sort table.unpack debug.traceback "
)

# The text of the key "__mode" as the collector has it, after hide_weakness(): its hash must go to another bucket of the
# string table than "__mode" does, so that no script comes by this very string. check_weakness() proves it.
cdef const char *HIDDEN_MODE = b"\1\1mode"


cdef void hide_weakness(lua_State *L) noexcept nogil:
    """From now on no table can be made weak.

    What a weak table still holds depends on when the collector ran, and `__mode` may be assigned to a metatable at any
    time. The collector looks it up by one interned string; with its text changed in place, the "__mode" of a script is
    another string, a field like any other."""
    memcpy(<char *>lua_pushstring(L, b"__mode"), HIDDEN_MODE, strlen(HIDDEN_MODE))
    lua_pop(L, 1)


cdef int check_weakness(lua_State *L) noexcept nogil:
    """Prove that hide_weakness() works with this Lua; raises if not. L is good for nothing else afterwards."""
    cdef const char *hidden
    hidden = lua_pushstring(L, b"__mode")
    hide_weakness(L)
    if lua_pushstring(L, b"__mode") == hidden or lua_pushstring(L, HIDDEN_MODE) == hidden:
        return luaL_error(L, b"metamethod names")
    lua_newtable(L)
    lua_newtable(L)
    lua_pushstring(L, b"k")
    lua_setfield(L, -2, b"__mode")
    lua_pushstring(L, b"k")
    lua_setfield(L, -2, HIDDEN_MODE)
    lua_setmetatable(L, -2)
    lua_newtable(L)
    lua_pushboolean(L, True)
    lua_rawset(L, -3)
    lua_gc(L, LUA_GCCOLLECT)
    lua_pushnil(L)
    if not lua_next(L, -2):
        return luaL_error(L, b"weak tables")
    return 0


# ---- base

cdef bint has_field(lua_State *L, int index, const char *name) noexcept nogil:
    cdef bint present
    index = lua_absindex(L, index)
    lua_pushstring(L, name)
    present = lua_rawget(L, index) != LUA_TNIL
    lua_pop(L, 1)
    return present


cdef int safe_setmetatable(lua_State *L) noexcept nogil:
    """setmetatable(t, metatable) -> t. Refuses finalizers and weak tables: when they act depends on the collector."""
    cdef int kind = lua_type(L, 2)
    luaL_checktype(L, 1, LUA_TTABLE)
    if kind != LUA_TNIL and kind != LUA_TTABLE:
        return luaL_typeerror(L, 2, b"nil or table")
    if luaL_getmetafield(L, 1, b"__metatable") != LUA_TNIL:
        return luaL_error(L, b"cannot change a protected metatable")
    lua_settop(L, 2)
    if kind == LUA_TTABLE and has_field(L, 2, b"__gc"):
        return raise_sandbox(L, b"finalizers (__gc) are not available: they would run when the garbage collector likes; "
                                b"use a <close> variable or call a function at the end")
    if kind == LUA_TTABLE and has_field(L, 2, b"__mode"):
        return raise_sandbox(L, b"weak tables (__mode) are not available: what is in them would depend on the garbage "
                                b"collector; remove entries when they are no longer needed")
    lua_setmetatable(L, 1)
    return 1


cdef int raw_setmetatable(lua_State *L) noexcept nogil:
    """core.lib.setmetatable(t, metatable) -> t, whatever the metatables say"""
    luaL_checktype(L, 1, LUA_TTABLE)
    lua_settop(L, 2)
    lua_setmetatable(L, 1)
    return 1


cdef int raw_getmetatable(lua_State *L) noexcept nogil:
    """core.lib.getmetatable(value) -> metatable | nil, __metatable or not"""
    luaL_checkany(L, 1)
    return lua_getmetatable(L, 1)


# ---- random numbers

cdef void reseed_math(lua_State *L, uint64_t seed) noexcept nogil:
    """Let math.random start over with `seed`. May raise for want of memory."""
    lua_rawgetp(L, LUA_REGISTRYINDEX, &RANDOMSEED_KEY)
    lua_pushinteger(L, <lua_Integer>seed)
    lua_call(L, 1, 0)


cdef int safe_randomseed(lua_State *L) noexcept nogil:
    """math.randomseed([a[, b]]) -> the two parts of the seed. Without arguments: the run's seed."""
    if lua_gettop(L) == 0:
        lua_pushinteger(L, <lua_Integer>state_of(L).seed)
    luaL_checkinteger(L, 1)
    luaL_optinteger(L, 2, 0)
    lua_settop(L, 2)
    lua_rawgetp(L, LUA_REGISTRYINDEX, &RANDOMSEED_KEY)
    lua_insert(L, 1)
    lua_call(L, 2, 2)
    return 2


# ---- putting it together

cdef void open_random(lua_State *L, int stock) noexcept nogil:
    lua_getfield(L, stock, b"math")
    lua_getfield(L, -1, b"randomseed")
    lua_rawsetp(L, LUA_REGISTRYINDEX, &RANDOMSEED_KEY)
    lua_pop(L, 1)
    reseed_math(L, 0)


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


cdef void open_libraries(lua_State *L, int stock, int base) noexcept nogil:
    """Install the libraries into `base`. `stock` has the stock ones, which no script reaches. May raise."""
    open_order(L)
    open_random(L, stock)
    hide_weakness(L)
    open_stock(L, stock, base, BORROWED)
    define(L, base, b"", b"tostring", safe_tostring)
    define(L, base, b"", b"pairs", ordered_pairs)
    define(L, base, b"", b"next", ordered_next)
    define(L, base, b"", b"setmetatable", safe_setmetatable)
    define(L, base, b"math", b"randomseed", safe_randomseed)
    lua_getfield(L, base, b"table")
    lua_getfield(L, -1, b"unpack")
    lua_setfield(L, base, b"unpack")
    lua_pop(L, 1)
    open_string_methods(L, base)
    define(L, base, b"core", b"tostring", safe_tostring)
    open_private_copies(L, base)
