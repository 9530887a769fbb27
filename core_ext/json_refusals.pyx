# Why a value cannot be JSON, in words and with the path to the offender. Nothing here runs unless something is wrong.

cdef bint refuse_value(JsonWriter *w, const char *problem) noexcept nogil:
    snprintf(w.problem, sizeof(w.problem), b"%s", problem)
    return False


cdef void path_front(JsonWriter *w, const char *text, size_t size) noexcept nogil:
    if w.path_cut or size > <size_t>w.path_start:
        w.path_cut = True
        return
    w.path_start -= <int>size
    memcpy(w.path + w.path_start, text, size)


cdef void path_index(JsonWriter *w, lua_Integer index) noexcept nogil:
    """The path leads through element `index` of the table being left."""
    cdef char text[32]
    if w.depth < w.path_depth:
        path_front(w, text, snprintf(text, sizeof(text), b"[%lld]", <long long>index))


cdef void path_key(JsonWriter *w, const char *key, size_t size) noexcept nogil:
    """The path leads through the member `key` of the table being left."""
    cdef char text[64]
    cdef int length = 0
    cdef size_t i
    cdef bint plain = 0 < size and not is_digit(<const uint8_t *>key, <const uint8_t *>key + size)
    if w.depth >= w.path_depth:
        return
    for i in range(size):
        if not (is_word(key[i])):
            plain = False
    if plain and size < sizeof(text):
        path_front(w, key, size)
        path_front(w, b".", 1)
        return
    # Not a Lua name: quoted, shortened, and with anything unprintable as an escape.
    length = snprintf(text, sizeof(text), b"[\"")
    for i in range(size):
        if length > 48:
            length += snprintf(text + length, sizeof(text) - length, b"...")
            break
        if 32 <= <uint8_t>key[i] < 127 and key[i] != b'"' and key[i] != b"\\":
            text[length] = key[i]
            length += 1
        else:
            length += snprintf(text + length, sizeof(text) - length, b"\\x%02X", <int><uint8_t>key[i])
    length += snprintf(text + length, sizeof(text) - length, b"\"]")
    path_front(w, text, length)


cdef inline bint is_word(char c) noexcept nogil:
    return c == b"_" or b"a" <= c <= b"z" or b"A" <= c <= b"Z" or b"0" <= c <= b"9"


cdef bint refuse_cycle_or_depth(JsonWriter *w, const LuaTable *table) noexcept nogil:
    """The table is one level too deep: say whether that is because a table contains itself."""
    cdef int outer, inner
    w.tables[JSON_DEPTH] = table
    for inner in range(1, JSON_DEPTH + 1):
        for outer in range(inner):
            if w.tables[outer] == w.tables[inner]:
                w.path_depth = inner + 1
                return refuse_value(w, b"cannot encode a table that contains itself")
    return refuse_value(w, b"cannot encode a value that is nested more than 128 levels deep")


cdef bint refuse_keys(JsonWriter *w, const LuaTable *table) noexcept nogil:
    """Say why the keys of the table are neither strings nor 1..n."""
    cdef lua_Integer count = 0, highest = 0
    cdef bint strings = False, odd_numbers = False, others = False
    cdef size_t place = seek_value(table, 0)
    cdef LuaSlot key
    while place < place_count(table):
        key = key_at(table, place)
        if tag_is_string(key.tag):
            strings = True
        elif key.tag & 15 != LUA_TNUMBER:
            others = True
        else:
            count += 1
            if key.tag != TAG_INTEGER or key.word.integer < 1:
                odd_numbers = True
            elif key.word.integer > highest:
                highest = key.word.integer
        place = seek_value(table, place + 1)
    if others:
        return refuse_value(w, b"cannot encode a table with keys that are neither strings nor numbers")
    if strings:
        return refuse_value(w, b"cannot encode a table with both string and number keys")
    if odd_numbers:
        return refuse_value(w, b"cannot encode a table with number keys other than 1, 2, 3 ...")
    snprintf(w.problem, sizeof(w.problem),
             b"cannot encode a sparse array (%lld elements, the highest index is %lld)",
             <long long>count, <long long>highest)
    return False
