# The members of an object that is written: collected from the table, and put in the order of their keys.

cdef inline bint member_less(JsonMember *a, JsonMember *b) noexcept nogil:
    cdef int order
    if a.prefix != b.prefix:
        return a.prefix < b.prefix
    order = memcmp(a.key, b.key, a.size if a.size < b.size else b.size)
    return order < 0 or (order == 0 and a.size < b.size)


cdef void sort_few(JsonMember *members, size_t count) noexcept nogil:
    """Insertion sort."""
    cdef JsonMember member
    cdef size_t i, j
    for i in range(1, count):
        if not member_less(&members[i], &members[i - 1]):
            continue
        member = members[i]
        j = i
        while j > 0 and member_less(&member, &members[j - 1]):
            members[j] = members[j - 1]
            j -= 1
        members[j] = member


cdef void sort_members(JsonMember *members, JsonMember *spare, size_t count) noexcept nogil:
    """Merge sort: never quadratic, whatever the keys. `spare` has room for half of them."""
    cdef size_t half = count // 2, i = 0, j, k = 0
    if count <= 12:
        sort_few(members, count)
        return
    sort_members(members, spare, half)
    sort_members(members + half, spare, count - half)
    if not member_less(&members[half], &members[half - 1]):
        return
    memcpy(spare, members, half * sizeof(JsonMember))
    j = half
    while i < half:
        if j < count and member_less(&members[j], &spare[i]):
            members[k] = members[j]
            j += 1
        else:
            members[k] = spare[i]
            i += 1
        k += 1


cdef void sort_object(JsonMember *members, JsonMember *spare, size_t count) noexcept nogil:
    """Sort the members of an object by their keys."""
    cdef size_t common, same, i
    if count > 12:
        # Long lists of keys tend to begin alike (customer-1, customer-2 ...): let the prefixes begin where they differ.
        common = members[0].size
        for i in range(1, count):
            same = 0
            while same < common and same < members[i].size and members[i].key[same] == members[0].key[same]:
                same += 1
            common = same
        if common > 0:
            for i in range(count):
                members[i].prefix = order_prefix(members[i].key + common, members[i].size - common)
    sort_members(members, spare, count)


cdef inline bint is_dropped(lua_State *L, int index, int kind) noexcept nogil:
    """Is the value a host object, which no member of a JSON object can be? (An error object is its message.)"""
    if kind == LUA_TLIGHTUSERDATA:
        return lua_touserdata(L, index) != NULL
    if kind != LUA_TUSERDATA:
        return False
    if not error_fields(L, index):
        return True
    lua_pop(L, 1)
    return False


cdef bint collect_members(JsonWriter *w, int index, int *top) noexcept nogil:
    """List the table's members on w.members. Stack: ..., first key, first value -> ..., those that wait there."""
    cdef lua_State *L = w.L
    cdef JsonMember *member
    cdef int slot = top[0]
    cdef int last = slot + 2 * WRITE_STACKED
    cdef uint32_t count = 0
    cdef int kind
    while True:
        # stack: ..., key (at slot + 1), value
        if lua_type(L, slot + 1) != LUA_TSTRING:
            return refuse_keys(w, index, top[0])
        count += 1
        kind = lua_type(L, slot + 2)
        if not is_dropped(L, slot + 2, kind):
            member = <JsonMember *>buffer_room(w.members, sizeof(JsonMember))
            if member == NULL:
                return refuse_value(w, b"there is not enough memory to encode the value")
            w.members.length += sizeof(JsonMember)
            member.key = lua_tolstring(L, slot + 1, &member.size)
            member.prefix = order_prefix(member.key, member.size)
            member.kind = kind
            member.slot = 0
            if slot < last and writer_room(w, slot + 2):
                member.slot = slot + 2
                slot += 2
                lua_pushvalue(L, slot - 1)
            else:
                lua_settop(L, slot + 1)
        else:
            lua_settop(L, slot + 1)
        if not lua_next(L, index):
            break
    writer_charge(w, count)
    top[0] = slot
    return True
