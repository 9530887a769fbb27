# Strings of a JSON text.

cdef bint is_utf8(const char *text, size_t size) noexcept nogil:
    """Is the text UTF-8 as RFC 3629 has it: no surrogates, nothing overlong, nothing past U+10FFFF?"""
    cdef const uint8_t *at = <const uint8_t *>text
    cdef const uint8_t *end = at + size
    while True:
        at = skip_ascii(at, end)
        if at == end:
            return True
        at = skip_wide(at, end)
        if at < end and at[0] >= 128:
            return False


cdef int hex4(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The number in four hexadecimal digits, or -1."""
    cdef int value = 0, i
    cdef uint8_t c
    if end - at < 4:
        return -1
    for i in range(4):
        c = at[i]
        if <uint8_t>(c - 48) < 10:
            value = value << 4 | (c - 48)
        elif <uint8_t>((c | 32) - 97) < 6:
            value = value << 4 | ((c | 32) - 87)
        else:
            return -1
    return value


cdef inline void put_utf8(Buffer *b, uint32_t code) noexcept nogil:
    if code < 0x80:
        buffer_byte(b, <char>code)
        return
    if code < 0x800:
        buffer_byte(b, <char>(0xC0 | code >> 6))
    else:
        if code < 0x10000:
            buffer_byte(b, <char>(0xE0 | code >> 12))
        else:
            buffer_byte(b, <char>(0xF0 | code >> 18))
            buffer_byte(b, <char>(0x80 | (code >> 12 & 0x3F)))
        buffer_byte(b, <char>(0x80 | (code >> 6 & 0x3F)))
    buffer_byte(b, <char>(0x80 | (code & 0x3F)))


cdef const uint8_t *read_escape(JsonReader *r, const uint8_t *at) noexcept nogil:
    """Append what the escape at `at` (a backslash) stands for; returns where it ends, or NULL."""
    cdef const uint8_t *after = at + 2
    cdef int code, low
    cdef uint8_t c
    if after > r.end:
        return json_problem(r, r.end, b"the string has no end")
    c = at[1]
    if c == b"u":
        code = hex4(after, r.end)
        after += 4
        if code < 0:
            return json_problem(r, at, b"\\u must be followed by four hexadecimal digits")
        if 0xD800 <= code < 0xE000:
            low = -1
            if code < 0xDC00 and r.end - after >= 6 and after[0] == b"\\" and after[1] == b"u":
                low = hex4(after + 2, r.end)
            if not 0xDC00 <= low < 0xE000:
                return json_problem(r, at, b"half of a surrogate pair stands alone")
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            after += 6
        put_utf8(r.text, <uint32_t>code)
        return after
    if c == b"n":
        c = 10
    elif c == b"t":
        c = 9
    elif c == b"r":
        c = 13
    elif c == b"b":
        c = 8
    elif c == b"f":
        c = 12
    elif c != b'"' and c != b"\\" and c != b"/":
        return json_problem(r, at, b"there is no such escape in JSON")
    buffer_byte(r.text, <char>c)
    return after


cdef const uint8_t *read_odd_string(JsonReader *r, const uint8_t *start, const uint8_t *at) noexcept nogil:
    """Push the string that begins at `start` and has something else than plain characters, the first of it at `at`."""
    cdef bint escaped = False
    while at < r.end and at[0] != b'"':
        if at[0] >= 128:
            at = skip_wide(at, r.end)
            if at < r.end and at[0] >= 128:
                return json_problem(r, at, b"the text is not UTF-8")
        elif at[0] == b"\\":
            if not escaped:
                escaped = True
                r.text.length = 0
            buffer_put(r.text, <const char *>start, at - start)
            start = at = read_escape(r, at)
            if at == NULL:
                return NULL
        else:
            return json_problem(r, at, b"control characters in a string must be escaped")
        at = skip_plain(at, r.end)
    if at == r.end:
        return json_problem(r, at, b"the string has no end")
    if escaped:
        buffer_put(r.text, <const char *>start, at - start)
        if r.text.failed:
            return json_problem(r, at, b"there is not enough memory for the value")
        lua_pushlstring(r.L, r.text.data, r.text.length)
    else:
        lua_pushlstring(r.L, <const char *>start, at - start)
    r.top += 1
    return at + 1


cdef const uint8_t *read_string(JsonReader *r, const uint8_t *start, const uint8_t *at) noexcept nogil:
    """Push the string whose opening quote is just before `start`, and which is plain up to `at`; returns where it ends, its
    closing quote included."""
    at = skip_plain(at, r.end)
    if at == r.end or at[0] != b'"':
        return read_odd_string(r, start, at)
    lua_pushlstring(r.L, <const char *>start, at - start)
    r.top += 1
    return at + 1


cdef const uint8_t *read_known_key(JsonReader *r, const uint8_t *start) noexcept nogil:
    """Push the key whose opening quote is just before `start`, as read_string does; short ones are remembered."""
    cdef size_t size
    cdef uint64_t head, tail
    cdef KnownKey *known
    cdef LuaSlot *slot
    if r.end - start <= KNOWN_KEY_SIZE:
        return read_string(r, start, start)
    size = plain_of_16(start)
    if start[size] != b'"':
        return read_string(r, start, start + size)
    first_16(start, size, &head, &tail)
    known = &r.known[((head ^ tail * 3) * 0x9E3779B97F4A7C15ULL) >> 59]
    if known.text != NULL and known.head == head and known.tail == tail:
        push_word(r.L, TAG_SHORT_STRING, known.text)
    else:
        lua_pushlstring(r.L, <const char *>start, size)
        slot = stack_top(r.L) + (r.known_slot + <int>(known - r.known) - r.top - 2)
        set_slot(slot, top_slot(r.L))
        known.head = head
        known.tail = tail
        known.text = slot.word.object
    r.top += 1
    return start + size + 1
