# The members of an object that is written: collected from the table, and put in the order of their keys.

cdef bint text_less(const LuaText *a, const LuaText *b) noexcept nogil:
    cdef size_t size, other_size
    cdef const char *text = text_of(a, &size)
    cdef const char *other = text_of(b, &other_size)
    cdef int order = memcmp(text, other, min(size, other_size))
    return order < 0 or (order == 0 and size < other_size)


cdef inline bint member_less(const JsonMember *a, const JsonMember *b) noexcept nogil:
    return a.prefix < b.prefix if a.prefix != b.prefix else text_less(a.key, b.key)


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
    cdef size_t half = count // 2, from_second
    cdef const JsonMember *first = spare
    cdef const JsonMember *first_end = spare + half
    cdef const JsonMember *second = members + half
    cdef const JsonMember *second_end = members + count
    if count <= 12:
        sort_few(members, count)
        return
    sort_members(members, spare, half)
    sort_members(members + half, spare, count - half)
    if not member_less(&members[half], &members[half - 1]):
        return
    memcpy(spare, members, half * sizeof(JsonMember))
    while first < first_end and second < second_end:
        # Which of the two it is must not be a branch: half of the guesses would be wrong.
        from_second = member_less(second, first)
        members[0] = (<const JsonMember *>(<size_t>first ^ ((<size_t>first ^ <size_t>second) & (0 - from_second))))[0]
        second += from_second
        first += 1 - from_second
        members += 1
    memcpy(members, first, (first_end - first) * sizeof(JsonMember))


cdef void sort_object(JsonMember *members, JsonMember *spare, size_t count) noexcept nogil:
    """Sort the members of an object by their keys."""
    cdef size_t common, same, size, i
    cdef const char *first
    cdef const char *key
    if count > 12:
        # Long lists of keys tend to begin alike (customer-1, customer-2 ...): let the prefixes begin where they differ.
        first = text_of(members[0].key, &common)
        for i in range(1, count):
            key = text_of(members[i].key, &size)
            if common <= size and memcmp(key, first, common) == 0:
                continue
            same = 0
            while same < common and same < size and key[same] == first[same]:
                same += 1
            common = same
        if common > 0:
            for i in range(count):
                key = text_of(members[i].key, &size)
                members[i].prefix = order_prefix(key + common, size - common)
    sort_members(members, spare, count)


cdef bint is_dropped(lua_State *L, const LuaNode *node) noexcept nogil:
    """Is the value a host object, which no member of a JSON object can be? (An error object is its message.)"""
    cdef LuaSlot slot
    cdef bint dropped
    cdef int top = lua_gettop(L)
    if node.tag == TAG_LIGHT:
        return node.word.object != NULL
    slot.word = node.word
    slot.tag = node.tag
    push_slot(L, slot)
    dropped = not error_fields(L, top + 1)
    lua_settop(L, top)
    return dropped


cdef bint collect_members(JsonWriter *w, const LuaTable *table, size_t first) noexcept nogil:
    """List the table's members on w.members; `first`: its first place with a value, which is a node."""
    cdef const LuaNode *node = table.nodes + (first - table.array_size)
    cdef const LuaNode *end = table.nodes + (place_count(table) - table.array_size)
    cdef JsonMember *member
    cdef uint32_t count = 0
    cdef const char *key
    cdef size_t size
    while node < end:
        if not tag_is_nil(node.tag):
            if not tag_is_string(node.key_tag):
                return refuse_keys(w, table)
            count += 1
            if (node.tag != TAG_LIGHT and node.tag != TAG_USERDATA) or not is_dropped(w.L, node):
                member = <JsonMember *>buffer_room(w.members, sizeof(JsonMember))
                if member == NULL:
                    return refuse_value(w, b"there is not enough memory to encode the value")
                w.members.length += sizeof(JsonMember)
                member.key = <const LuaText *>node.key.object
                member.node = node
                key = text_of(member.key, &size)
                member.prefix = order_prefix(key, size)
        node += 1
    writer_charge(w, count)
    return True
