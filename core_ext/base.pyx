# The basic functions, math.randomseed and debug.traceback: those of the stock ones that could tell two replays apart, run
# without end or reach out of the sandbox, done safely (decisions 5 and 11).

cdef lua_CFunction STOCK_LOAD = NULL, STOCK_TRACEBACK = NULL, STOCK_UTF8_LEN = NULL, STOCK_UTF8_OFFSET = NULL

cdef enum:
    COMPILING_COST = 2          # steps of the budget for a byte of source text

cdef char RANDOMSEED_KEY        # registry[&RANDOMSEED_KEY] = the stock math.randomseed, once the script has used math

# The text of the key "__mode" as the collector has it, after hide_weakness(): its hash must go to another bucket of the
# string table than "__mode" does, so that no script comes by this very string. check_weakness() proves it.
cdef const char *HIDDEN_MODE = b"\1\1mode"


cdef enum:
    CACHED_ADDRESSES = 53       # Lua keeps the last strings made from C text by address modulo this ...
    CACHED_EACH = 2             # ... and so many for each

cdef char BLANK[CACHED_ADDRESSES * CACHED_EACH]


cdef void hide_weakness(lua_State *L) noexcept nogil:
    """From now on no table can be made weak.

    What a weak table still holds depends on when the collector ran, and `__mode` may be assigned to a metatable at any
    time. The collector looks it up by one interned string; with its text changed in place, the "__mode" of a script is
    another string, a field like any other."""
    cdef int i
    memcpy(<char *>lua_pushstring(L, b"__mode"), HIDDEN_MODE, strlen(HIDDEN_MODE))
    lua_pop(L, 1)
    # The cache compares texts, so it could still bring up the hidden string for a text equal to the new one: push it out.
    for i in range(CACHED_ADDRESSES * CACHED_EACH):
        lua_pushstring(L, &BLANK[i])
        lua_pop(L, 1)


cdef bint comes_by(lua_State *L, const char *hidden, const char *text) noexcept nogil:
    """Is the string at `hidden` what Lua gives for this text, wherever in memory the text is?"""
    cdef char copies[CACHED_ADDRESSES + 8]
    cdef bint found
    cdef int i
    found = lua_pushlstring(L, text, strlen(text)) == hidden
    lua_pop(L, 1)
    for i in range(CACHED_ADDRESSES):
        memcpy(copies + i, text, strlen(text) + 1)
        found = found or lua_pushstring(L, copies + i) == hidden
        lua_settop(L, 0)
    return found


cdef int check_weakness(lua_State *L) noexcept nogil:
    """Prove that hide_weakness() works with this Lua; raises if not. L is good for nothing else afterwards."""
    cdef const char *hidden = lua_pushstring(L, b"__mode")
    hide_weakness(L)
    lua_settop(L, 0)
    if comes_by(L, hidden, b"__mode") or comes_by(L, hidden, HIDDEN_MODE):
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
    """Let math.random start over with `seed`, if the script has used math. May raise for want of memory."""
    if lua_rawgetp(L, LUA_REGISTRYINDEX, &RANDOMSEED_KEY) == LUA_TNIL:
        lua_pop(L, 1)
        return
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


# ---- chunks, tracebacks, the collector

cdef int nothing_loaded(lua_State *L) noexcept nogil:
    """nil and the message on top: how load() fails."""
    lua_pushnil(L)
    lua_insert(L, -2)
    return 2


cdef bint read_pieces(lua_State *L) noexcept nogil:
    """Replace the reader function at 1 by all that it gives; False with a message pushed if it cannot be done."""
    cdef const char *piece
    cdef size_t size = 0
    cdef Text text
    text_start(&text, L)
    while True:
        lua_pushvalue(L, 1)
        if lua_pcall(L, 0, 1, 0) != LUA_OK:
            return False
        if lua_isnil(L, -1):
            break
        if lua_type(L, -1) != LUA_TSTRING:
            lua_pushstring(L, b"reader function must return a string")
            return False
        piece = lua_tolstring(L, -1, &size)
        if size == 0:
            break
        text_add(&text, piece, size)
        lua_pop(L, 1)
    text_push(&text)
    lua_replace(L, 1)
    return True


cdef int safe_load(lua_State *L) noexcept nogil:
    """load(chunk[, name[, mode[, env]]]) -> function | nil, message. Text only: bytecode could break out of the VM."""
    cdef const char *mode = luaL_optlstring(L, 3, b"t", NULL)
    cdef size_t size = 0
    cdef int top = lua_gettop(L)
    if strchr(mode, b"t") == NULL:
        lua_pushfstring(L, b"attempt to load a text chunk (mode is '%s'; bytecode is never loaded)", mode)
        return nothing_loaded(L)
    if top < 3:
        top = 3
        lua_settop(L, top)
    if lua_isfunction(L, 1):
        if not read_pieces(L):
            return nothing_loaded(L)
        lua_settop(L, top)
        if lua_isnil(L, 2):
            lua_pushstring(L, b"=(load)")
            lua_replace(L, 2)
    lua_pushstring(L, b"t")
    lua_replace(L, 3)
    if lua_tolstring(L, 1, &size) != NULL:
        charge(L, size * COMPILING_COST)
    return STOCK_LOAD(L)


cdef bint is_own_frame(const char *line, const char *end) noexcept nogil:
    """Is this line of a traceback a frame of a privileged module, such as "\t[funcs]:12: in ..."?"""
    if end - line < 4 or line[0] != b"\t" or line[1] != b"[" or not ascii_lower(<uint8_t>line[2]):
        return False
    line += 2
    while line < end and (ascii_lower(<uint8_t>line[0]) or line[0] == b"_"):
        line += 1
    return end - line >= 2 and line[0] == b"]" and line[1] == b":"


cdef int safe_traceback(lua_State *L) noexcept nogil:
    """debug.traceback([thread,] [message[, level]]) -> text, without the frames of the privileged modules"""
    cdef size_t size = 0
    cdef const char *line
    cdef const char *end
    cdef const char *stop
    cdef bint in_frames = False
    cdef Text text
    STOCK_TRACEBACK(L)
    if lua_type(L, -1) != LUA_TSTRING:
        return 1
    line = lua_tolstring(L, -1, &size)
    stop = line + size
    text_start(&text, L)
    while line < stop:
        end = <const char *>memchr(line, b"\n", stop - line)
        end = end + 1 if end != NULL else stop
        if not in_frames or not is_own_frame(line, end):
            text_add(&text, line, end - line)
        if end - line >= 16 and memcmp(line, b"stack traceback:", 16) == 0:
            in_frames = True
        line = end
    # A last line that was dropped leaves its line break behind.
    while text.length > 0 and text.length < size and text.data[text.length - 1] == b"\n":
        text.length -= 1
    text_push(&text)
    return 1


cdef int safe_collectgarbage(lua_State *L) noexcept nogil:
    """collectgarbage([option, ...]): does nothing and shows nothing, for what it could show differs between replays"""
    cdef const char *option = luaL_optlstring(L, 1, b"collect", NULL)
    if strcmp(option, b"step") == 0 or strcmp(option, b"isrunning") == 0:
        lua_pushboolean(L, True)
    elif strcmp(option, b"generational") == 0 or strcmp(option, b"incremental") == 0:
        lua_pushstring(L, b"incremental")
    elif strstr(b" collect stop restart count param setpause setstepmul ", option) != NULL and option[0] != 0:
        lua_pushinteger(L, 0)
    else:
        lua_pushfstring(L, b"invalid option '%s'", option)
        return luaL_argerror(L, 1, lua_tostring(L, -1))
    return 1


cdef int charged_utf8_len(lua_State *L) noexcept nogil:
    """utf8.len(s[, i[, j[, lax]]])"""
    cdef size_t size = 0
    luaL_checklstring(L, 1, &size)
    charge(L, size // 4)
    return STOCK_UTF8_LEN(L)


cdef int charged_utf8_offset(lua_State *L) noexcept nogil:
    """utf8.offset(s, n[, i])"""
    cdef size_t size = 0
    luaL_checklstring(L, 1, &size)
    charge(L, size // 4)
    return STOCK_UTF8_OFFSET(L)
