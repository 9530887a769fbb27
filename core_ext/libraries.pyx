# PLACEHOLDER
cdef void open_libraries(lua_State *L, int stock, int base) noexcept nogil:
    pass
