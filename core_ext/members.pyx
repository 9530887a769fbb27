# The members of the libraries: one process-wide list, from which each state takes what its code asks for.
#
# A light C function has no object of its own in Lua, so a member costs a state nothing until a table refers to it. The list
# is filled once, at import, and only read afterwards. It also gives the functions their names (naming.pyx).

cdef enum:
    MOST_MEMBERS = 384
    MEMBER_SLOTS = 1024         # of the hash table, a power of 2
    LONGEST_TEXT = 24


ctypedef struct Member:
    const char *table           # "" for a global
    size_t table_size
    const char *name
    size_t size
    int kind                    # LUA_TFUNCTION, LUA_TNUMBER or LUA_TSTRING
    lua_CFunction function
    bint is_integer
    lua_Integer integer
    lua_Number number
    char text[LONGEST_TEXT]
    size_t text_size


cdef Member MEMBERS[MOST_MEMBERS]
cdef int MEMBER_COUNT = 0
cdef uint16_t MEMBER_INDEX[MEMBER_SLOTS]      # position in MEMBERS, from 1


cdef uint32_t member_slot(const char *table, size_t table_size, const char *name, size_t size) noexcept nogil:
    cdef uint32_t hashed = 2166136261
    cdef size_t i
    for i in range(table_size):
        hashed = (hashed ^ <uint8_t>table[i]) * 16777619
    for i in range(size):
        hashed = (hashed ^ <uint8_t>name[i]) * 16777619
    return hashed & (MEMBER_SLOTS - 1)


cdef Member *find_member(const char *table, size_t table_size, const char *name, size_t size) noexcept nogil:
    """table.name, NULL if there is no such member. `table` is empty for globals."""
    cdef uint32_t slot = member_slot(table, table_size, name, size)
    cdef Member *member
    while MEMBER_INDEX[slot]:
        member = &MEMBERS[MEMBER_INDEX[slot] - 1]
        if member.size == size and member.table_size == table_size \
                and memcmp(member.name, name, size) == 0 and memcmp(member.table, table, table_size) == 0:
            return member
        slot = (slot + 1) & (MEMBER_SLOTS - 1)
    return NULL


cdef Member *new_member(const char *table, size_t table_size, const char *name, size_t size, int kind) noexcept nogil:
    """A member with a name that lives as long as the process."""
    global MEMBER_COUNT
    cdef uint32_t slot = member_slot(table, table_size, name, size)
    cdef Member *member = &MEMBERS[MEMBER_COUNT]
    member.table = table
    member.table_size = table_size
    member.name = name
    member.size = size
    member.kind = kind
    MEMBER_COUNT += 1
    while MEMBER_INDEX[slot]:
        slot = (slot + 1) & (MEMBER_SLOTS - 1)
    MEMBER_INDEX[slot] = <uint16_t>MEMBER_COUNT
    return member


cdef void member(const char *table, const char *name, lua_CFunction function) noexcept nogil:
    """Put table.name on the list; a global when `table` is empty."""
    new_member(table, strlen(table), name, strlen(name), LUA_TFUNCTION).function = function


cdef void push_member(lua_State *L, const Member *m) noexcept nogil:
    if m.kind == LUA_TFUNCTION:
        lua_pushcfunction(L, m.function)
    elif m.kind == LUA_TSTRING:
        lua_pushlstring(L, m.text, m.text_size)
    elif m.is_integer:
        lua_pushinteger(L, m.integer)
    else:
        lua_pushnumber(L, m.number)


cdef void put_members(lua_State *L, const char *table) noexcept nogil:
    """Put all members of a library into the table on top of the stack."""
    cdef size_t size = strlen(table)
    cdef int i
    for i in range(MEMBER_COUNT):
        if MEMBERS[i].table_size == size and memcmp(MEMBERS[i].table, table, size) == 0:
            lua_pushlstring(L, MEMBERS[i].name, MEMBERS[i].size)
            push_member(L, &MEMBERS[i])
            lua_rawset(L, -3)


cdef int members_of(const char *table) noexcept nogil:
    cdef size_t size = strlen(table)
    cdef int i, count = 0
    for i in range(MEMBER_COUNT):
        count += MEMBERS[i].table_size == size and memcmp(MEMBERS[i].table, table, size) == 0
    return count
