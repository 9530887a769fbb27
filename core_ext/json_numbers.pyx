# Numbers of a JSON text.

from libc.math cimport isinf

cdef extern from "numbers_avx2.h" nogil:
    size_t read_plain_numbers(const uint8_t **at, const uint8_t *end, LuaSlot *slots, size_t room)

cdef inline bint is_digit(const uint8_t *at, const uint8_t *end) noexcept nogil:
    return at < end and <uint8_t>(at[0] - 48) < 10


cdef const uint8_t *read_exponent(JsonReader *r, const uint8_t *at, int *exponent) noexcept nogil:
    """Add the exponent, whose letter is at `at`, to the one there is; returns where it ends."""
    cdef int written = 0
    cdef bint below
    at += 1
    below = at < r.end and at[0] == b"-"
    if at < r.end and (at[0] == b"-" or at[0] == b"+"):
        at += 1
    if not is_digit(at, r.end):
        return json_expected(r, at, b"expected a digit in the exponent")
    while is_digit(at, r.end):
        if written < 100000:
            written = written * 10 + (at[0] - 48)
        at += 1
    exponent[0] += -written if below else written
    return at


cdef const uint8_t *read_hard_number(JsonReader *r, const uint8_t *start, const uint8_t *at) noexcept nogil:
    """Push the number start..at, which is too long or too near the middle of two floats to be decided quickly."""
    cdef bint negative = start[0] == b"-"
    cdef double value
    r.text.length = 0
    buffer_put(r.text, <const char *>start + negative, at - start - negative)
    buffer_byte(r.text, 0)
    if r.text.failed:
        return json_problem(r, start, b"there is not enough memory for the value")
    value = parse_slowly(r.text.data)
    if isinf(value):
        return json_problem(r, start, b"the number is too large for a float")
    push_float(r.L, -value if negative else value)
    r.top += 1
    return at


cdef const uint8_t *read_number(JsonReader *r, const uint8_t *start) noexcept nogil:
    """Push the number at `start`: an integer if it is written as one and fits into 64 bits, else a float."""
    cdef bint negative = start[0] == b"-"
    cdef const uint8_t *first = start + negative
    cdef const uint8_t *at = first + 1
    cdef const uint8_t *point
    cdef uint64_t digits = 0
    cdef bint exact = True
    cdef int exponent = 0
    cdef double value
    if not is_digit(first, r.end):
        return json_expected(r, first, b"expected a digit")
    if first[0] != b"0":
        at = read_digits(first, r.end, &digits)
        exact = at - first <= 19    # 19 digits always fit into 64 bits
    elif is_digit(at, r.end):
        return json_problem(r, first, b"a number may not begin with 0")
    if at == r.end or (at[0] != b"." and at[0] | 32 != b"e"):
        if exact and digits <= <uint64_t>0x7FFFFFFFFFFFFFFFULL + negative and not (negative and digits == 0):
            push_integer(r.L, <lua_Integer>(0 - digits if negative else digits))
            r.top += 1
            return at
    else:
        if at[0] == b".":
            point = at + 1
            at = read_digits(point, r.end, &digits)
            if at == point:
                return json_expected(r, at, b"expected a digit after the point")
            exponent = -<int>(at - point) if at - point < 100000 else -100000
            if at - first > 20:
                # Zeros in front do not count: 0.000... may still be exact.
                while first < at and (first[0] == b"0" or first[0] == b"."):
                    first += 1
                exact = at - first - (first < point) <= 19
        if at < r.end and at[0] | 32 == b"e":
            at = read_exponent(r, at, &exponent)
            if at == NULL:
                return NULL
    if not exact or not decimal_to_double(digits, exponent, &value):
        return read_hard_number(r, start, at)
    push_float(r.L, -value if negative else value)
    r.top += 1
    return at


cdef inline size_t read_numbers(JsonReader *r, const uint8_t **at, size_t most) noexcept nogil:
    """Push the numbers at at[0], with nothing but commas between them, as long as they are plain ones; how many.

    at[0] is behind the last of them then. `most`: there is room for so many on the stack.
    """
    cdef LuaSlot *top = stack_top(r.L)
    cdef size_t count = read_plain_numbers(at, r.end, top, most)
    set_top(r.L, top + count)
    r.top += <int>count
    return count


cdef inline const uint8_t *read_one_number(JsonReader *r, const uint8_t *at) noexcept nogil:
    """Push the number at `at`; returns where it ends. Most are short integers."""
    cdef const uint8_t *after
    cdef int64_t value
    if r.end - at >= 8:
        after = read_short_integer(at, &value)
        if after != NULL:
            push_integer(r.L, value)
            r.top += 1
            return after
    return at if read_numbers(r, &at, 1) else read_number(r, at)
