# The Lua 5.5 C API as Cython sees it. Declarations only, grouped as in lua_api.h by what a call may do
# outside a protected call: never raise, raise for want of memory, raise anything.

from libc.stdint cimport uint8_t

cdef extern from "lua_api.h" nogil:
    ctypedef struct lua_State:
        pass
    ctypedef long long lua_Integer
    ctypedef unsigned long long lua_Unsigned
    ctypedef double lua_Number
    ctypedef ssize_t lua_KContext
    ctypedef int (*lua_CFunction)(lua_State *) noexcept nogil
    ctypedef int (*lua_KFunction)(lua_State *, int, lua_KContext) noexcept nogil
    ctypedef const char *(*lua_Reader)(lua_State *, void *, size_t *) noexcept nogil
    ctypedef int (*lua_Writer)(lua_State *, const void *, size_t, void *) noexcept nogil
    ctypedef void *(*lua_Alloc)(void *, void *, size_t, size_t) noexcept nogil
    ctypedef struct lua_Debug:
        int event
        const char *name
        const char *namewhat
        const char *what
        const char *source
        int currentline
        int linedefined
        char short_src[60]
    ctypedef void (*lua_Hook)(lua_State *, lua_Debug *) noexcept nogil

    const char *fleet_bind_lua(const char *path)
    const int LUA_VERSION_NUM
    const int LUA_REGISTRYINDEX, LUA_MULTRET, LUA_RIDX_GLOBALS, LUA_EXTRASPACE
    const int LUA_OK, LUA_YIELD, LUA_ERRRUN, LUA_ERRSYNTAX, LUA_ERRMEM, LUA_ERRERR
    const int LUA_TNONE, LUA_TNIL, LUA_TBOOLEAN, LUA_TLIGHTUSERDATA, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE
    const int LUA_TFUNCTION, LUA_TUSERDATA, LUA_TTHREAD
    const int LUA_MASKCOUNT, LUA_HOOKCOUNT, LUA_OPEQ, LUA_OPLT, LUA_OPLE, LUA_GCSTOP, LUA_GCRESTART, LUA_GCCOLLECT
    const int LUA_GCGEN, LUA_GCINC
    const int LUA_GLIBK, LUA_COLIBK, LUA_MATHLIBK, LUA_STRLIBK, LUA_TABLIBK, LUA_UTF8LIBK, LUA_DBLIBK

    # '-': never raise
    lua_State *lua_newstate(lua_Alloc f, void *ud, unsigned int seed)
    lua_CFunction lua_atpanic(lua_State *L, lua_CFunction f)
    lua_Number lua_version(lua_State *L)
    int lua_absindex(lua_State *L, int i)
    int lua_gettop(lua_State *L)
    void lua_pushvalue(lua_State *L, int i)
    void lua_rotate(lua_State *L, int i, int n)
    void lua_copy(lua_State *L, int source, int target)
    int lua_checkstack(lua_State *L, int n)
    void lua_xmove(lua_State *source, lua_State *target, int n)
    int lua_isinteger(lua_State *L, int i)
    int lua_iscfunction(lua_State *L, int i)
    int lua_type(lua_State *L, int i)
    const char *lua_typename(lua_State *L, int t)
    lua_Number lua_tonumberx(lua_State *L, int i, int *ok)
    lua_Integer lua_tointegerx(lua_State *L, int i, int *ok)
    int lua_toboolean(lua_State *L, int i)
    lua_Unsigned lua_rawlen(lua_State *L, int i)
    lua_CFunction lua_tocfunction(lua_State *L, int i)
    void *lua_touserdata(lua_State *L, int i)
    lua_State *lua_tothread(lua_State *L, int i)
    const void *lua_topointer(lua_State *L, int i)
    int lua_rawequal(lua_State *L, int a, int b)
    void lua_pushnil(lua_State *L)
    void lua_pushnumber(lua_State *L, lua_Number n)
    void lua_pushinteger(lua_State *L, lua_Integer n)
    void lua_pushboolean(lua_State *L, int b)
    void lua_pushlightuserdata(lua_State *L, void *p)
    int lua_pushthread(lua_State *L)
    int lua_rawget(lua_State *L, int i)
    int lua_rawgeti(lua_State *L, int i, lua_Integer n)
    int lua_rawgetp(lua_State *L, int i, const void *p)
    int lua_getmetatable(lua_State *L, int i)
    int lua_getiuservalue(lua_State *L, int i, int n)
    int lua_setmetatable(lua_State *L, int i)
    int lua_setiuservalue(lua_State *L, int i, int n)
    int lua_pcallk(lua_State *L, int na, int nr, int h, lua_KContext c, lua_KFunction k)
    int lua_resume(lua_State *L, lua_State *source, int na, int *nr)
    int lua_status(lua_State *L)
    int lua_isyieldable(lua_State *L)
    int lua_closethread(lua_State *L, lua_State *source)
    void lua_sethook(lua_State *L, lua_Hook f, int mask, int count)
    int lua_getstack(lua_State *L, int level, lua_Debug *ar)
    void *lua_upvalueid(lua_State *L, int f, int n)
    const char *lua_setupvalue(lua_State *L, int f, int n)
    const char *lua_getupvalue(lua_State *L, int f, int n)
    const char *lua_getlocal(lua_State *L, const lua_Debug *ar, int n)

    # 'm': may raise for want of memory
    lua_State *lua_newthread(lua_State *L)
    const char *lua_tolstring(lua_State *L, int i, size_t *len)
    const char *lua_pushlstring(lua_State *L, const char *s, size_t len)
    const char *lua_pushstring(lua_State *L, const char *s)
    const char *lua_pushfstring(lua_State *L, const char *fmt, ...)
    void lua_pushcclosure(lua_State *L, lua_CFunction f, int n)
    void lua_createtable(lua_State *L, int na, int nr)
    void *lua_newuserdatauv(lua_State *L, size_t size, int nuv)
    void lua_rawset(lua_State *L, int i)
    void lua_rawseti(lua_State *L, int i, lua_Integer n)
    void lua_rawsetp(lua_State *L, int i, const void *p)
    int lua_getinfo(lua_State *L, const char *what, lua_Debug *ar)
    unsigned int lua_numbertocstring(lua_State *L, int i, char *buf)
    size_t lua_stringtonumber(lua_State *L, const char *s)
    void luaL_traceback(lua_State *L, lua_State *of, const char *msg, int level)

    # 'e' and 'v': may raise anything, some run Lua code
    void lua_settop(lua_State *L, int i)
    void lua_setglobal(lua_State *L, const char *name)
    int lua_getglobal(lua_State *L, const char *name)
    int lua_gettable(lua_State *L, int i)
    int lua_getfield(lua_State *L, int i, const char *k)
    int lua_geti(lua_State *L, int i, lua_Integer n)
    void lua_settable(lua_State *L, int i)
    void lua_setfield(lua_State *L, int i, const char *k)
    void lua_seti(lua_State *L, int i, lua_Integer n)
    int lua_compare(lua_State *L, int a, int b, int op)
    void lua_callk(lua_State *L, int na, int nr, lua_KContext c, lua_KFunction k)
    int lua_load(lua_State *L, lua_Reader r, void *d, const char *name, const char *mode)
    int lua_dump(lua_State *L, lua_Writer w, void *d, int strip)
    int lua_yieldk(lua_State *L, int nr, lua_KContext c, lua_KFunction k)
    int lua_error(lua_State *L)
    int lua_next(lua_State *L, int i)
    void lua_concat(lua_State *L, int n)
    void lua_len(lua_State *L, int i)
    int lua_gc(lua_State *L, int what, ...)
    int luaL_loadbufferx(lua_State *L, const char *s, size_t n, const char *name, const char *mode)
    const char *luaL_tolstring(lua_State *L, int i, size_t *len)
    int luaL_error(lua_State *L, const char *fmt, ...)
    int luaL_argerror(lua_State *L, int arg, const char *msg)
    int luaL_typeerror(lua_State *L, int arg, const char *name)
    lua_Integer luaL_checkinteger(lua_State *L, int arg)
    lua_Number luaL_checknumber(lua_State *L, int arg)
    lua_Integer luaL_optinteger(lua_State *L, int arg, lua_Integer fallback)
    const char *luaL_checklstring(lua_State *L, int arg, size_t *len)
    const char *luaL_optlstring(lua_State *L, int arg, const char *fallback, size_t *len)
    void luaL_checktype(lua_State *L, int arg, int t)
    void luaL_checkany(lua_State *L, int arg)
    void luaL_checkstack(lua_State *L, int n, const char *msg)
    int luaL_callmeta(lua_State *L, int obj, const char *e)
    int luaL_getmetafield(lua_State *L, int obj, const char *e)
    lua_Integer luaL_len(lua_State *L, int i)
    void luaL_where(lua_State *L, int level)
    void luaL_openselectedlibs(lua_State *L, int load, int preload)
    int luaopen_math(lua_State *L)
    void luaL_checkversion_(lua_State *L, lua_Number v, size_t sz)

    # macros over the above
    void *lua_getextraspace(lua_State *L)
    int lua_upvalueindex(int i)
    void lua_pop(lua_State *L, int n)
    void lua_newtable(lua_State *L)
    void lua_pushcfunction(lua_State *L, lua_CFunction f)
    lua_Number lua_tonumber(lua_State *L, int i)
    lua_Integer lua_tointeger(lua_State *L, int i)
    const char *lua_tostring(lua_State *L, int i)
    bint lua_isnil(lua_State *L, int i)
    bint lua_istable(lua_State *L, int i)
    bint lua_isfunction(lua_State *L, int i)
    bint lua_isnoneornil(lua_State *L, int i)
    void lua_insert(lua_State *L, int i)
    void lua_remove(lua_State *L, int i)
    void lua_replace(lua_State *L, int i)
    void lua_call(lua_State *L, int na, int nr)
    int lua_pcall(lua_State *L, int na, int nr, int h)
    int lua_yield(lua_State *L, int nr)


# Lua's objects as they lie in memory.
cdef extern from "lua_layout.h" nogil:
    const int TAG_NIL, TAG_FALSE, TAG_TRUE, TAG_LIGHT, TAG_INTEGER, TAG_FLOAT, TAG_SHORT_STRING, TAG_LONG_STRING
    const int TAG_TABLE, TAG_USERDATA
    ctypedef union LuaWord:
        const void *object
        lua_Integer integer
        lua_Number number
    ctypedef struct LuaSlot:
        LuaWord word
        uint8_t tag
    ctypedef struct LuaNode:
        LuaWord word
        uint8_t tag
        uint8_t key_tag
        LuaWord key
    ctypedef struct LuaText:
        uint8_t marked
        uint8_t extra
        unsigned int hash
        LuaText *following
    ctypedef struct LuaObject:
        LuaObject *next
        uint8_t type
        uint8_t marked
    ctypedef struct LuaGlobal:
        void *allocate
        void *data
        Py_ssize_t total
        Py_ssize_t debt
        LuaText **buckets
        int used
        int size
        LuaObject *all
        LuaObject *fixed
        LuaText *no_memory
        LuaText *names[25]
        LuaText *cache[53][2]
    const int CACHE_SETS, CACHE_EACH, METAMETHODS, MODE_NAME
    const int OBJECT_SHORT_STRING, OBJECT_LONG_STRING, OBJECT_PROTO
    LuaGlobal *global_of(lua_State *L)
    size_t short_size(const LuaText *text)
    ctypedef struct LuaTable:
        unsigned int array_size
        uint8_t node_bits
        LuaNode *nodes
        const void *metatable
    bint tag_is_nil(uint8_t tag)
    bint tag_is_string(uint8_t tag)
    const char *text_of(const LuaText *text, size_t *size)
    size_t place_count(const LuaTable *table)
    LuaSlot array_slot(const LuaTable *table, size_t place)
    LuaSlot slot_at(const LuaTable *table, size_t place)
    LuaSlot key_at(const LuaTable *table, size_t place)
    size_t seek_value(const LuaTable *table, size_t place)
    size_t array_run(const LuaTable *table)
    void set_slot(LuaSlot *to, LuaSlot slot)
    LuaSlot *stack_top(lua_State *L)
    LuaSlot top_slot(lua_State *L)
    void set_top(lua_State *L, LuaSlot *top)
    void push_slot(lua_State *L, LuaSlot slot)
    void push_word(lua_State *L, uint8_t tag, const void *object)
    void push_integer(lua_State *L, lua_Integer value)
    void push_float(lua_State *L, lua_Number value)
    bint is_white(const LuaTable *table)
    void set_element(LuaTable *table, size_t place, LuaSlot slot)
    bint set_member(LuaTable *table, LuaSlot key, LuaSlot value)
