# Strings, keys and numbers as JSON text, appended to a buffer.

prepare_scan()                  # at import

cdef inline char *buffer_room(Buffer *b, size_t size) noexcept nogil:
    """Where `size` bytes may be written, or NULL."""
    if b.capacity - b.length < size and not buffer_reserve(b, size):
        return NULL
    return b.data + b.length


cdef bint write_escaped(Buffer *b, const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Append the rest of a string, from its first character that is not plain, and the closing quote."""
    cdef char *out
    cdef size_t length
    cdef uint8_t c
    while at < end:
        # Room for the longest escape, for the rest, and for what copy_wide writes past it.
        out = buffer_room(b, (end - at) + 12)
        if out == NULL:
            return True
        c = at[0]
        if c >= 128:
            length = copy_wide(out, at, end)
            if length == 0:
                return False
            at += length
        else:
            at += 1
            length = 2
            out[0] = b"\\"
            if c == b'"' or c == b"\\":
                out[1] = <char>c
            elif c == 10:
                out[1] = b"n"
            elif c == 9:
                out[1] = b"t"
            elif c == 13:
                out[1] = b"r"
            elif c == 8:
                out[1] = b"b"
            elif c == 12:
                out[1] = b"f"
            else:
                memcpy(out + 1, b"u00", 3)
                out[4] = b"0123456789abcdef"[c >> 4]
                out[5] = b"0123456789abcdef"[c & 15]
                length = 6
        b.length += length
        out += length
        length = copy_plain(out, <const char *>at, end - at)
        at += length
        b.length += length
    buffer_byte(b, b'"')
    return True


cdef inline bint write_string(Buffer *b, const char *text, size_t size) noexcept nogil:
    """Append the text as a JSON string; False if it is not UTF-8."""
    cdef char *out = buffer_room(b, size + 2)
    cdef size_t plain
    if out == NULL:
        return True
    out[0] = b'"'
    plain = copy_plain(out + 1, text, size)
    if plain == size:
        out[size + 1] = b'"'
        b.length += size + 2
        return True
    b.length += plain + 1
    return write_escaped(b, <const uint8_t *>text + plain, <const uint8_t *>text + size)


cdef inline bint write_key(Buffer *b, const char *key, size_t size, bint first) noexcept nogil:
    """Append a comma unless it is the first, the key and a colon; False if it is not UTF-8."""
    cdef char *out = buffer_room(b, size + 4)
    cdef size_t plain
    if out == NULL:
        return True
    if not first:
        out[0] = b","
        out += 1
        b.length += 1
    out[0] = b'"'
    plain = copy_plain(out + 1, key, size)
    if plain == size:
        out[size + 1] = b'"'
        out[size + 2] = b":"
        b.length += size + 3
        return True
    b.length += plain + 1
    if not write_escaped(b, <const uint8_t *>key + plain, <const uint8_t *>key + size):
        return False
    buffer_byte(b, b":")
    return True


cdef inline void write_integer(Buffer *b, lua_Integer value) noexcept nogil:
    cdef char *out = buffer_room(b, NUMBER_SIZE)
    if out != NULL:
        b.length += format_integer(out, value)


cdef void write_float(Buffer *b, double value) noexcept nogil:
    """Append the number as JSON has it: a float with an integral value is written without a point, NaN and inf are null."""
    cdef char *out = buffer_room(b, NUMBER_SIZE)
    cdef int64_t integer
    if out == NULL:
        return
    if -9007199254740992.0 <= value <= 9007199254740992.0:
        integer = <int64_t>value
        if value == <double>integer:
            if integer == 0 and 1.0 / value < 0:
                buffer_text(b, b"-0")
            else:
                b.length += format_integer(out, integer)
            return
    elif value != value or isinf(value):
        buffer_text(b, b"null")
        return
    b.length += format_double(out, value)
