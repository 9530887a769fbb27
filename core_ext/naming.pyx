# How values are shown: tostring() without addresses, and the names of the built-in functions.
#
# An object is shown with a number of its own, given when it is first shown: the first one is 1. Creation serials would
# be the same on every replay too, but only of the same release: they also count the engine's own objects.
# A light C function is no object; it is known by the name under which the sandbox has it.

cdef Member *find_builtin(lua_CFunction function) noexcept nogil:
    """What a light C function is known as: its first name in the list of members counts."""
    cdef int i
    for i in range(MEMBER_COUNT):
        if MEMBERS[i].function == function:
            return &MEMBERS[i]
    return NULL


cdef void builtin_text(const Member *builtin, char *text, size_t room) noexcept nogil:
    """The name of a built-in function, such as "string.rep"; "?" for one that has none."""
    if builtin == NULL:
        snprintf(text, room, b"?")
    elif builtin.table_size and builtin.table[0] != b"_":
        snprintf(text, room, b"%.*s.%.*s", <int>builtin.table_size, builtin.table, <int>builtin.size, builtin.name)
    else:
        snprintf(text, room, b"%.*s", <int>builtin.size, builtin.name)


cdef uint64_t builtin_rank(lua_CFunction function) noexcept nogil:
    """Where a built-in function is among all of them in order of names, from 1; 0 if it has no name."""
    cdef char mine[128]
    cdef char other[128]
    cdef uint64_t rank = 1
    cdef Member *builtin = find_builtin(function)
    cdef int i
    if builtin == NULL:
        return 0
    builtin_text(builtin, mine, sizeof(mine))
    for i in range(MEMBER_COUNT):
        builtin_text(&MEMBERS[i], other, sizeof(other))
        if strcmp(other, mine) < 0:
            rank += 1
    return rank


cdef void identity_text(lua_State *L, int index, char *text, size_t room) noexcept nogil:
    """What stands for the address of the object at `index`: "0x" and its number, or "builtin: " and a name."""
    if lua_type(L, index) == LUA_TFUNCTION and serial_of(L, index) == 0:
        snprintf(text, room, b"builtin: ")
        builtin_text(find_builtin(lua_tocfunction(L, index)), text + strlen(text), room - strlen(text))
    else:
        snprintf(text, room, b"0x%08llx", <unsigned long long>shown_number(L, index))


cdef const char *push_text(lua_State *L, int index, size_t *size) noexcept nogil:
    """Push the value at `index` as tostring() gives it, with __tostring and __name. May raise anything."""
    cdef char identity[160]
    cdef int kind
    index = lua_absindex(L, index)
    luaL_checkstack(L, 4, NULL)
    if luaL_callmeta(L, index, b"__tostring"):
        if lua_type(L, -1) != LUA_TSTRING and lua_type(L, -1) != LUA_TNUMBER:
            luaL_error(L, b"'__tostring' must return a string")
        return lua_tolstring(L, -1, size)
    kind = lua_type(L, index)
    if kind == LUA_TNUMBER or kind == LUA_TSTRING:
        lua_pushvalue(L, index)
    elif kind == LUA_TBOOLEAN:
        lua_pushstring(L, b"true" if lua_toboolean(L, index) else b"false")
    elif kind == LUA_TNIL:
        lua_pushstring(L, b"nil")
    else:
        identity_text(L, index, identity, sizeof(identity))
        if luaL_getmetafield(L, index, b"__name") == LUA_TSTRING:
            lua_pushfstring(L, b"%s: %s", lua_tostring(L, -1), identity)
            lua_remove(L, -2)
        else:
            lua_pushfstring(L, b"%s: %s", lua_typename(L, kind), identity)
    return lua_tolstring(L, -1, size)


cdef int safe_tostring(lua_State *L) noexcept nogil:
    """tostring(value) -> string, without addresses (decision 5)"""
    luaL_checkany(L, 1)
    push_text(L, 1, NULL)
    return 1
