# PLACEHOLDER signatures
cdef lua_Integer push_sorted_keys(lua_State *L, int index) noexcept nogil:
    lua_newtable(L)
    return 0
