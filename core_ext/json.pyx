# PLACEHOLDER signatures
cdef bint json_push(lua_State *L, const char *data, size_t size, char *wrong, size_t wrong_size) noexcept nogil:
    lua_pushlstring(L, data, size)
    return True
cdef bint json_write(lua_State *L, int index, Buffer *b, char *wrong, size_t wrong_size) noexcept nogil:
    buffer_text(b, b"null")
    return True
cdef bint is_utf8(const char *text, size_t size) noexcept nogil:
    return True
