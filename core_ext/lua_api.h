/* The Lua 5.5 C API, bound at run time to the VM inside lupa's wheel.
 *
 * Every API function is a static pointer of the same name, so the rest of the core reads as
 * ordinary Lua C API code. fleet_bind_lua() fills them all or names the first that is missing.
 * Constants and struct layouts are those of 5.5; selfcheck.pyx proves them against the VM at import. */
#ifndef FLEET_LUA_API_H
#define FLEET_LUA_API_H

#include <dlfcn.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define LUA_VERSION_NUM 505
#define LUA_REGISTRYINDEX (-(INT_MAX / 2 + 1000))
#define lua_upvalueindex(i) (LUA_REGISTRYINDEX - (i))
#define LUA_MULTRET (-1)
#define LUA_EXTRASPACE (sizeof(void *))
#define LUA_IDSIZE 60

#define LUA_OK 0
#define LUA_YIELD 1
#define LUA_ERRRUN 2
#define LUA_ERRSYNTAX 3
#define LUA_ERRMEM 4
#define LUA_ERRERR 5

#define LUA_TNONE (-1)
#define LUA_TNIL 0
#define LUA_TBOOLEAN 1
#define LUA_TLIGHTUSERDATA 2
#define LUA_TNUMBER 3
#define LUA_TSTRING 4
#define LUA_TTABLE 5
#define LUA_TFUNCTION 6
#define LUA_TUSERDATA 7
#define LUA_TTHREAD 8

#define LUA_RIDX_GLOBALS 2
#define LUA_MASKCOUNT (1 << 3)
#define LUA_HOOKCOUNT 3
#define LUA_OPEQ 0
#define LUA_OPLT 1
#define LUA_OPLE 2
#define LUA_GCSTOP 0
#define LUA_GCRESTART 1
#define LUA_GCCOLLECT 2
#define LUA_GCGEN 7
#define LUA_GCINC 8
#define LUA_GLIBK 1
#define LUA_COLIBK 4
#define LUA_MATHLIBK 32
#define LUA_STRLIBK 128
#define LUA_TABLIBK 256
#define LUA_UTF8LIBK 512
#define LUA_DBLIBK 8

typedef struct lua_State lua_State;
typedef long long lua_Integer;
typedef unsigned long long lua_Unsigned;
typedef double lua_Number;
typedef intptr_t lua_KContext;
typedef int (*lua_CFunction)(lua_State *);
typedef int (*lua_KFunction)(lua_State *, int, lua_KContext);
typedef const char *(*lua_Reader)(lua_State *, void *, size_t *);
typedef int (*lua_Writer)(lua_State *, const void *, size_t, void *);
typedef void *(*lua_Alloc)(void *, void *, size_t, size_t);

typedef struct lua_Debug {
  int event;
  const char *name;
  const char *namewhat;
  const char *what;
  const char *source;
  size_t srclen;
  int currentline;
  int linedefined;
  int lastlinedefined;
  unsigned char nups;
  unsigned char nparams;
  char isvararg;
  unsigned char extraargs;
  char istailcall;
  int ftransfer;
  int ntransfer;
  char short_src[LUA_IDSIZE];
  void *i_ci;
} lua_Debug;
typedef void (*lua_Hook)(lua_State *, lua_Debug *);

/* Grouped by what they may do outside a protected call (the manual's third letter). */
#define FLEET_LUA_API(X)                                                                           \
  /* '-': never raise */                                                                           \
  X(lua_State *, lua_newstate, (lua_Alloc f, void *ud, unsigned seed))                             \
  X(lua_CFunction, lua_atpanic, (lua_State *L, lua_CFunction f))                                   \
  X(lua_Number, lua_version, (lua_State *L))                                                       \
  X(int, lua_absindex, (lua_State *L, int i))                                                      \
  X(int, lua_gettop, (lua_State *L))                                                               \
  X(void, lua_pushvalue, (lua_State *L, int i))                                                    \
  X(void, lua_rotate, (lua_State *L, int i, int n))                                                \
  X(void, lua_copy, (lua_State *L, int source, int target))                                              \
  X(int, lua_checkstack, (lua_State *L, int n))                                                    \
  X(void, lua_xmove, (lua_State *source, lua_State *target, int n))                                      \
  X(int, lua_isinteger, (lua_State *L, int i))                                                     \
  X(int, lua_iscfunction, (lua_State *L, int i))                                                   \
  X(int, lua_type, (lua_State *L, int i))                                                          \
  X(const char *, lua_typename, (lua_State *L, int t))                                             \
  X(lua_Number, lua_tonumberx, (lua_State *L, int i, int *ok))                                     \
  X(lua_Integer, lua_tointegerx, (lua_State *L, int i, int *ok))                                   \
  X(int, lua_toboolean, (lua_State *L, int i))                                                     \
  X(lua_Unsigned, lua_rawlen, (lua_State *L, int i))                                               \
  X(lua_CFunction, lua_tocfunction, (lua_State *L, int i))                                         \
  X(void *, lua_touserdata, (lua_State *L, int i))                                                 \
  X(lua_State *, lua_tothread, (lua_State *L, int i))                                              \
  X(const void *, lua_topointer, (lua_State *L, int i))                                            \
  X(int, lua_rawequal, (lua_State *L, int a, int b))                                               \
  X(void, lua_pushnil, (lua_State *L))                                                             \
  X(void, lua_pushnumber, (lua_State *L, lua_Number n))                                            \
  X(void, lua_pushinteger, (lua_State *L, lua_Integer n))                                          \
  X(void, lua_pushboolean, (lua_State *L, int b))                                                  \
  X(void, lua_pushlightuserdata, (lua_State *L, void *p))                                          \
  X(int, lua_pushthread, (lua_State *L))                                                           \
  X(int, lua_rawget, (lua_State *L, int i))                                                        \
  X(int, lua_rawgeti, (lua_State *L, int i, lua_Integer n))                                        \
  X(int, lua_rawgetp, (lua_State *L, int i, const void *p))                                        \
  X(int, lua_getmetatable, (lua_State *L, int i))                                                  \
  X(int, lua_getiuservalue, (lua_State *L, int i, int n))                                          \
  X(int, lua_setmetatable, (lua_State *L, int i))                                                  \
  X(int, lua_setiuservalue, (lua_State *L, int i, int n))                                          \
  X(int, lua_pcallk, (lua_State *L, int na, int nr, int h, lua_KContext c, lua_KFunction k))       \
  X(int, lua_resume, (lua_State *L, lua_State *source, int na, int *nr))                             \
  X(int, lua_status, (lua_State *L))                                                               \
  X(int, lua_isyieldable, (lua_State *L))                                                          \
  X(int, lua_closethread, (lua_State *L, lua_State *source))                                         \
  X(void, lua_sethook, (lua_State *L, lua_Hook f, int mask, int count))                            \
  X(int, lua_getstack, (lua_State *L, int level, lua_Debug *ar))                                   \
  X(void *, lua_upvalueid, (lua_State *L, int f, int n))                                           \
  X(const char *, lua_setupvalue, (lua_State *L, int f, int n))                                    \
  X(const char *, lua_getupvalue, (lua_State *L, int f, int n))                                    \
  X(const char *, lua_getlocal, (lua_State *L, const lua_Debug *ar, int n))                        \
  /* 'm': may raise for want of memory */                                                          \
  X(lua_State *, lua_newthread, (lua_State *L))                                                    \
  X(const char *, lua_tolstring, (lua_State *L, int i, size_t *len))                               \
  X(const char *, lua_pushlstring, (lua_State *L, const char *s, size_t len))                      \
  X(const char *, lua_pushstring, (lua_State *L, const char *s))                                   \
  X(const char *, lua_pushfstring, (lua_State *L, const char *fmt, ...))                           \
  X(void, lua_pushcclosure, (lua_State *L, lua_CFunction f, int n))                                \
  X(void, lua_createtable, (lua_State *L, int na, int nr))                                         \
  X(void *, lua_newuserdatauv, (lua_State *L, size_t size, int nuv))                               \
  X(void, lua_rawset, (lua_State *L, int i))                                                       \
  X(void, lua_rawseti, (lua_State *L, int i, lua_Integer n))                                       \
  X(void, lua_rawsetp, (lua_State *L, int i, const void *p))                                       \
  X(int, lua_getinfo, (lua_State *L, const char *what, lua_Debug *ar))                             \
  X(unsigned, lua_numbertocstring, (lua_State *L, int i, char *buf))                               \
  X(size_t, lua_stringtonumber, (lua_State *L, const char *s))                                     \
  X(void, luaL_traceback, (lua_State *L, lua_State *of, const char *msg, int level))               \
  /* 'e' and 'v': may raise anything, some run Lua code */                                         \
  X(void, lua_settop, (lua_State *L, int i))                                                       \
  X(void, lua_setglobal, (lua_State *L, const char *name))                                         \
  X(int, lua_getglobal, (lua_State *L, const char *name))                                          \
  X(int, lua_gettable, (lua_State *L, int i))                                                      \
  X(int, lua_getfield, (lua_State *L, int i, const char *k))                                       \
  X(int, lua_geti, (lua_State *L, int i, lua_Integer n))                                           \
  X(void, lua_settable, (lua_State *L, int i))                                                     \
  X(void, lua_setfield, (lua_State *L, int i, const char *k))                                      \
  X(void, lua_seti, (lua_State *L, int i, lua_Integer n))                                          \
  X(int, lua_compare, (lua_State *L, int a, int b, int op))                                        \
  X(void, lua_callk, (lua_State *L, int na, int nr, lua_KContext c, lua_KFunction k))              \
  X(int, lua_load, (lua_State *L, lua_Reader r, void *d, const char *name, const char *mode))      \
  X(int, lua_dump, (lua_State *L, lua_Writer w, void *d, int strip))                               \
  X(int, lua_yieldk, (lua_State *L, int nr, lua_KContext c, lua_KFunction k))                      \
  X(int, lua_error, (lua_State *L))                                                                \
  X(int, lua_next, (lua_State *L, int i))                                                          \
  X(void, lua_concat, (lua_State *L, int n))                                                       \
  X(void, lua_len, (lua_State *L, int i))                                                          \
  X(int, lua_gc, (lua_State *L, int what, ...))                                                    \
  X(int, luaL_loadbufferx, (lua_State *L, const char *s, size_t n, const char *name, const char *mode)) \
  X(const char *, luaL_tolstring, (lua_State *L, int i, size_t *len))                              \
  X(int, luaL_error, (lua_State *L, const char *fmt, ...))                                         \
  X(int, luaL_argerror, (lua_State *L, int arg, const char *msg))                                  \
  X(int, luaL_typeerror, (lua_State *L, int arg, const char *name))                                \
  X(lua_Integer, luaL_checkinteger, (lua_State *L, int arg))                                       \
  X(lua_Number, luaL_checknumber, (lua_State *L, int arg))                                         \
  X(lua_Integer, luaL_optinteger, (lua_State *L, int arg, lua_Integer fallback))                        \
  X(const char *, luaL_checklstring, (lua_State *L, int arg, size_t *len))                         \
  X(const char *, luaL_optlstring, (lua_State *L, int arg, const char *fallback, size_t *len))          \
  X(void, luaL_checktype, (lua_State *L, int arg, int t))                                          \
  X(void, luaL_checkany, (lua_State *L, int arg))                                                  \
  X(void, luaL_checkstack, (lua_State *L, int n, const char *msg))                                 \
  X(int, luaL_callmeta, (lua_State *L, int obj, const char *e))                                    \
  X(int, luaL_getmetafield, (lua_State *L, int obj, const char *e))                                \
  X(lua_Integer, luaL_len, (lua_State *L, int i))                                                  \
  X(void, luaL_where, (lua_State *L, int level))                                                   \
  X(void, luaL_openselectedlibs, (lua_State *L, int load, int preload))                            \
  X(int, luaopen_math, (lua_State *L))                                                             \
  X(void, luaL_checkversion_, (lua_State *L, lua_Number v, size_t sz))

#define X(ret, name, args) static ret(*name) args;
FLEET_LUA_API(X)
#undef X

#define lua_getextraspace(L) ((void *)((char *)(L) - LUA_EXTRASPACE))
#define lua_pop(L, n) lua_settop(L, -(n) - 1)
#define lua_newtable(L) lua_createtable(L, 0, 0)
#define lua_pushcfunction(L, f) lua_pushcclosure(L, (f), 0)
#define lua_tonumber(L, i) lua_tonumberx(L, (i), NULL)
#define lua_tointeger(L, i) lua_tointegerx(L, (i), NULL)
#define lua_tostring(L, i) lua_tolstring(L, (i), NULL)
#define lua_isnil(L, i) (lua_type(L, (i)) == LUA_TNIL)
#define lua_istable(L, i) (lua_type(L, (i)) == LUA_TTABLE)
#define lua_isfunction(L, i) (lua_type(L, (i)) == LUA_TFUNCTION)
#define lua_isnoneornil(L, i) (lua_type(L, (i)) <= 0)
#define lua_insert(L, i) lua_rotate(L, (i), 1)
#define lua_remove(L, i) (lua_rotate(L, (i), -1), lua_pop(L, 1))
#define lua_replace(L, i) (lua_copy(L, -1, (i)), lua_pop(L, 1))
#define lua_call(L, n, r) lua_callk(L, (n), (r), 0, NULL)
#define lua_pcall(L, n, r, h) lua_pcallk(L, (n), (r), (h), 0, NULL)
#define lua_yield(L, n) lua_yieldk(L, (n), 0, NULL)

/* Returns NULL, or what is missing: the name of a function, or the dlopen message. */
static const char *fleet_bind_lua(const char *path) {
  void *lib = dlopen(path, RTLD_NOLOAD | RTLD_NOW);
  if (lib == NULL) return dlerror();
#define X(ret, name, args)                                                                         \
  if ((*(void **)(&name) = dlsym(lib, #name)) == NULL) return #name;
  FLEET_LUA_API(X)
#undef X
  return NULL;
}

#endif
