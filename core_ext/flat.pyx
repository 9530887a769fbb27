# The flat format: how values cross between Lua and Python without either side's objects alive in the other's frames.
#
# One tag byte, then: i 8-byte integer, d 8-byte double, s 4-byte length and bytes, [ 4-byte count and that many
# values, { 4-byte count and that many key/value pairs, E an error (a { map follows), N T F nothing.
# Python strings become Lua strings as UTF-8; Lua strings become Python str when they are UTF-8, else bytes.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8

cdef enum:
    FLAT_DEPTH = 128


cdef class LuaValueError(Exception):
    """A value that cannot cross between Lua and Python."""


class LuaError:
    """An error object on its way between Lua and Python: what errors.lua keeps of it (lua_api.md 7).

    thrown: raised by a script that did not say whether it may be retried; Temporal may (decision 2)."""

    __slots__ = ("message", "kind", "retryable", "details", "stack", "thrown")

    def __init__(self, message, kind="UNKNOWN", retryable=None, details=None, stack="", thrown=None):
        self.message = message
        self.kind = kind
        self.retryable = retryable
        self.details = details
        self.stack = stack
        self.thrown = thrown

    def __repr__(self):
        return f"LuaError({self.message!r}, kind={self.kind!r}, retryable={self.retryable!r})"


cdef void put_u32(Buffer *b, uint32_t value) noexcept nogil:
    buffer_put(b, <const char *>&value, 4)


# ---- Python to flat

cdef int flat_put(Buffer *b, object value, int depth) except -1:
    cdef int64_t integer
    cdef double number
    cdef bytes encoded
    if depth > FLAT_DEPTH:
        raise LuaValueError("nested more than 128 levels deep")
    if value is None:
        buffer_byte(b, b"N")
    elif value is True:
        buffer_byte(b, b"T")
    elif value is False:
        buffer_byte(b, b"F")
    elif isinstance(value, int):
        try:
            integer = value
        except OverflowError:
            number = float(value)
            buffer_byte(b, b"d")
            buffer_put(b, <const char *>&number, 8)
        else:
            buffer_byte(b, b"i")
            buffer_put(b, <const char *>&integer, 8)
    elif isinstance(value, float):
        number = value
        buffer_byte(b, b"d")
        buffer_put(b, <const char *>&number, 8)
    elif isinstance(value, (str, bytes)):
        encoded = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        buffer_byte(b, b"s")
        put_u32(b, <uint32_t>len(encoded))
        buffer_put(b, PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded))
    elif isinstance(value, (list, tuple)):
        buffer_byte(b, b"[")
        put_u32(b, <uint32_t>len(value))
        for item in value:
            flat_put(b, item, depth + 1)
    elif isinstance(value, dict):
        buffer_byte(b, b"{")
        put_u32(b, <uint32_t>len(value))
        for key, item in value.items():
            flat_put(b, key, depth + 1)
            flat_put(b, item, depth + 1)
    elif isinstance(value, LuaError):
        buffer_byte(b, b"E")
        flat_put(b, {name: getattr(value, name) for name in LuaError.__slots__}, depth + 1)
    else:
        raise LuaValueError(f"a {type(value).__name__} cannot be passed to Lua")
    if b.failed:
        raise MemoryError("a value for Lua is too large")
    return 0


cdef bytes flat_encode(object value):
    cdef Buffer b
    memset(&b, 0, sizeof(Buffer))
    try:
        flat_put(&b, value, 0)
        return PyBytes_FromStringAndSize(b.data, b.length)
    finally:
        free(b.data)


# ---- flat to Python

ctypedef struct Reader:
    const char *at
    const char *end


cdef object flat_get(Reader *r):
    cdef char tag = r.at[0]
    cdef uint32_t size
    cdef const char *start
    r.at += 1
    if tag == b"N":
        return None
    if tag == b"T":
        return True
    if tag == b"F":
        return False
    if tag == b"i":
        r.at += 8
        return (<int64_t *>(r.at - 8))[0]
    if tag == b"d":
        r.at += 8
        return (<double *>(r.at - 8))[0]
    if tag == b"E":
        return LuaError(**flat_get(r))
    size = (<uint32_t *>r.at)[0]
    r.at += 4
    if tag == b"s":
        start = r.at
        r.at += size
        try:
            return PyUnicode_DecodeUTF8(start, size, NULL)
        except UnicodeDecodeError:
            return PyBytes_FromStringAndSize(start, size)
    if tag == b"[":
        return [flat_get(r) for _ in range(size)]
    result = {}
    for _ in range(size):
        key = flat_get(r)
        result[key] = flat_get(r)
    return result


cdef object flat_decode(const char *data, size_t size):
    cdef Reader r
    r.at = data
    r.end = data + size
    return flat_get(&r)


# ---- flat to Lua: called in protected mode, raises for want of memory only

cdef void flat_push(lua_State *L, Reader *r) noexcept nogil:
    cdef char tag = r.at[0]
    cdef uint32_t size, i
    r.at += 1
    luaL_checkstack(L, 4, b"value nested too deeply")
    if tag == b"N":
        lua_pushnil(L)
    elif tag == b"T" or tag == b"F":
        lua_pushboolean(L, tag == b"T")
    elif tag == b"i":
        lua_pushinteger(L, (<int64_t *>r.at)[0])
        r.at += 8
    elif tag == b"d":
        lua_pushnumber(L, (<double *>r.at)[0])
        r.at += 8
    elif tag == b"E":
        lua_rawgetp(L, LUA_REGISTRYINDEX, &ERROR_KEY)
        flat_push(L, r)
        lua_call(L, 1, 1)
    else:
        size = (<uint32_t *>r.at)[0]
        r.at += 4
        if tag == b"s":
            lua_pushlstring(L, r.at, size)
            r.at += size
        elif tag == b"[":
            lua_createtable(L, <int>size, 0)
            for i in range(size):
                flat_push(L, r)
                lua_rawseti(L, -2, i + 1)
        else:
            lua_createtable(L, 0, <int>size)
            for _ in range(size):
                flat_push(L, r)
                flat_push(L, r)
                lua_rawset(L, -3)


# ---- Lua to flat: NULL, or what is wrong with the value

cdef const char *flat_write(lua_State *L, int index, Buffer *b, int depth) noexcept nogil:
    cdef int kind = lua_type(L, index)
    cdef size_t size
    cdef const char *text
    cdef int64_t integer
    cdef double number
    cdef uint32_t count = 0
    cdef size_t mark
    if depth > FLAT_DEPTH or not lua_checkstack(L, 6):
        return b"a value is nested more than 128 levels deep, or contains itself"
    if b.failed:
        return b"a value is too large"
    index = lua_absindex(L, index)
    if kind == LUA_TNIL or kind == LUA_TNONE:
        buffer_byte(b, b"N")
    elif kind == LUA_TBOOLEAN:
        buffer_byte(b, b"T" if lua_toboolean(L, index) else b"F")
    elif kind == LUA_TNUMBER:
        if lua_isinteger(L, index):
            integer = lua_tointeger(L, index)
            buffer_byte(b, b"i")
            buffer_put(b, <const char *>&integer, 8)
        else:
            number = lua_tonumber(L, index)
            buffer_byte(b, b"d")
            buffer_put(b, <const char *>&number, 8)
    elif kind == LUA_TSTRING:
        text = lua_tolstring(L, index, &size)
        if size >> 32:
            return b"a string is too large"
        buffer_byte(b, b"s")
        put_u32(b, <uint32_t>size)
        buffer_put(b, text, size)
    elif kind == LUA_TUSERDATA and error_fields(L, index):
        buffer_byte(b, b"E")
        text = flat_write(L, -1, b, depth + 1)
        lua_pop(L, 1)
        return text
    elif kind == LUA_TTABLE:
        count = <uint32_t>lua_rawlen(L, index)
        if count > 0 and is_sequence(L, index, count):
            buffer_byte(b, b"[")
            put_u32(b, count)
            for i in range(1, count + 1):
                lua_rawgeti(L, index, i)
                text = flat_write(L, -1, b, depth + 1)
                lua_pop(L, 1)
                if text != NULL:
                    return text
        else:
            count = 0
            buffer_byte(b, b"{")
            mark = b.length
            put_u32(b, 0)
            lua_pushnil(L)
            while lua_next(L, index):
                text = flat_write(L, -2, b, depth + 1)
                if text == NULL:
                    text = flat_write(L, -1, b, depth + 1)
                if text != NULL:
                    lua_pop(L, 2)
                    return text
                lua_pop(L, 1)
                count += 1
            if not b.failed:
                (<uint32_t *>(b.data + mark))[0] = count
    else:
        buffer_byte(b, b"N")
    return NULL


cdef bint is_sequence(lua_State *L, int index, lua_Unsigned length) noexcept nogil:
    """Are 1..length all the keys of the table? (`length` is its raw length.)"""
    cdef lua_Unsigned seen = 0
    lua_pushnil(L)
    while lua_next(L, index):
        lua_pop(L, 1)
        seen += 1
        if seen > length or not lua_isinteger(L, -1):
            lua_pop(L, 1)
            return False
    return seen == length


cdef bint error_fields(lua_State *L, int index) noexcept nogil:
    """Push the fields table of an error object; False (nothing pushed) if the value is none."""
    if not lua_getmetatable(L, index):
        return False
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ERROR_CLASS_KEY)
    if not lua_rawequal(L, -1, -2):
        lua_pop(L, 2)
        return False
    lua_pop(L, 2)
    lua_getiuservalue(L, index, 1)
    return True


cdef char ERROR_CLASS_KEY       # registry[&ERROR_CLASS_KEY] = the metatable of error objects


cdef int core_set_error_class(lua_State *L) noexcept nogil:
    """core.set_error_class(metatable): objects of this class cross to Python as LuaError."""
    luaL_checktype(L, 1, LUA_TTABLE)
    lua_settop(L, 1)
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ERROR_CLASS_KEY)
    return 0
