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


cdef inline const JsonMember *chosen(const JsonMember *a, const JsonMember *b, size_t second) noexcept nogil:
    """The first, or the second if that is 1. Not by a branch: half of the guesses would be wrong."""
    return <const JsonMember *>(<size_t>a ^ ((<size_t>a ^ <size_t>b) & (0 - second)))


cdef void merge_members(const JsonMember *source, size_t half, size_t count, JsonMember *target) noexcept nogil:
    """Merge two sorted runs, `half` members and the rest, which are as many or one more: from both ends at once, since
    each step waits for the one before it. No end leaves its run before they meet."""
    cdef const JsonMember *first = source
    cdef const JsonMember *second = source + half
    cdef const JsonMember *first_last = source + half - 1
    cdef const JsonMember *second_last = source + count - 1
    cdef JsonMember *target_last = target + count - 1
    cdef size_t of_second, of_first
    while target < target_last:
        of_second = member_less(second, first)
        target[0] = chosen(first, second, of_second)[0]
        second += of_second
        first += 1 - of_second
        target += 1
        of_first = member_less(second_last, first_last)
        target_last[0] = chosen(second_last, first_last, of_first)[0]
        first_last -= of_first
        second_last -= 1 - of_first
        target_last -= 1
    if target == target_last:
        target[0] = first[0] if first <= first_last else second[0]


cdef void sort_members(JsonMember *members, JsonMember *spare, size_t count, bint to_spare) noexcept nogil:
    """Merge sort, in place or into `spare`, which has room for all: never quadratic, whatever the keys."""
    cdef size_t half = count // 2
    cdef JsonMember *source = members if to_spare else spare
    cdef JsonMember *target = spare if to_spare else members
    if count <= 12:
        sort_few(members, count)
        if to_spare:
            memcpy(spare, members, count * sizeof(JsonMember))
        return
    sort_members(members, spare, half, not to_spare)
    sort_members(members + half, spare + half, count - half, not to_spare)
    if member_less(&source[half], &source[half - 1]):
        merge_members(source, half, count, target)
    else:
        memcpy(target, source, count * sizeof(JsonMember))


cdef void sort_object(JsonMember *members, JsonMember *spare, size_t count) noexcept nogil:
    """Sort the members of an object by their keys. `spare` has room for as many."""
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
    sort_members(members, spare, count, False)


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
