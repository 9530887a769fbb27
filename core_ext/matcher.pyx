# The matcher of Lua patterns: as in Lua 5.5, but it charges the budget as it goes, for no count hook fires in C and a
# pattern may take exponential time (decision 11). Character classes are ASCII's, whatever the locale.
#
# It recurses where a choice must be undone: at captures and at repetitions, at most MATCH_DEPTH deep.

cdef extern from "string.h" nogil:
    void *memmem(const void *haystack, size_t size, const void *needle, size_t needle_size)

cdef enum:
    MATCH_DEPTH = 200
    MOST_CAPTURES = 32
    CAPTURE_OPEN = -1           # lengths of captures that are no text
    CAPTURE_POSITION = -2
    FIRST_DIGIT = 49            # "1", the name of the first capture
    WORK_UNIT = 512             # single comparisons between two charges


ctypedef struct Matcher:
    lua_State *L
    const uint8_t *subject
    const uint8_t *end          # a zero byte follows, as after every Lua string
    const uint8_t *pattern_end
    int depth
    int level                   # captures begun
    uint32_t work
    const uint8_t *starts[MOST_CAPTURES]
    ptrdiff_t lengths[MOST_CAPTURES]


# ---- single characters

cdef inline bint ascii_lower(uint8_t c) noexcept nogil:
    return b"a" <= c <= b"z"


cdef inline bint ascii_upper(uint8_t c) noexcept nogil:
    return b"A" <= c <= b"Z"


cdef inline bint ascii_digit(uint8_t c) noexcept nogil:
    return b"0" <= c <= b"9"


cdef inline bint ascii_alphanumeric(uint8_t c) noexcept nogil:
    return ascii_lower(c | 32) or ascii_digit(c)


cdef bint in_class(uint8_t c, uint8_t name) noexcept nogil:
    """Does %name match c? An upper-case name is the complement; a name that is no class stands for itself."""
    cdef uint8_t lower = name | 32
    cdef bint inside
    if not ascii_lower(lower):
        return c == name
    if lower == b"a":
        inside = ascii_lower(c | 32)
    elif lower == b"d":
        inside = ascii_digit(c)
    elif lower == b"l":
        inside = ascii_lower(c)
    elif lower == b"s":
        inside = c == 32 or 9 <= c <= 13
    elif lower == b"u":
        inside = ascii_upper(c)
    elif lower == b"w":
        inside = ascii_alphanumeric(c)
    elif lower == b"x":
        inside = ascii_digit(c) or b"a" <= (c | 32) <= b"f"
    elif lower == b"p":
        inside = 32 < c < 127 and not ascii_alphanumeric(c)
    elif lower == b"c":
        inside = c < 32 or c == 127
    elif lower == b"g":
        inside = 32 < c < 127
    elif lower == b"z":
        inside = c == 0
    else:
        return c == name
    return inside != ascii_upper(name)


cdef const uint8_t *item_end(Matcher *m, const uint8_t *p) noexcept nogil:
    """The end of the single-character item that begins at p, before any repetition mark. Raises if it is malformed."""
    cdef uint8_t first = p[0]
    p += 1
    if first == b"%":
        if p == m.pattern_end:
            luaL_error(m.L, b"malformed pattern (ends with '%%')")
        return p + 1
    if first != b"[":
        return p
    if p[0] == b"^":
        p += 1
    while True:
        # The first character is an element even if it is a bracket.
        if p == m.pattern_end:
            luaL_error(m.L, b"malformed pattern (missing ']')")
        p += 1
        if (p - 1)[0] == b"%" and p < m.pattern_end:
            p += 1
        if p < m.pattern_end and p[0] == b"]":
            return p + 1


cdef bint in_set(uint8_t c, const uint8_t *p, const uint8_t *last) noexcept nogil:
    """Is c in the set from its "[" at p to its "]" at last?"""
    cdef bint inside = True
    p += 1
    if p[0] == b"^":
        inside = False
        p += 1
    while p < last:
        if p[0] == b"%":
            if in_class(c, p[1]):
                return inside
            p += 2
        elif p[1] == b"-" and p + 2 < last:
            if p[0] <= c <= p[2]:
                return inside
            p += 3
        else:
            if p[0] == c:
                return inside
            p += 1
    return not inside


cdef inline bint fits(Matcher *m, const uint8_t *s, const uint8_t *p, const uint8_t *end) noexcept nogil:
    """Does the character at s fit the item from p to end?"""
    cdef uint8_t item = p[0]
    if s >= m.end:
        return False
    if item == b".":
        return True
    if item == b"%":
        return in_class(s[0], p[1])
    if item == b"[":
        return in_set(s[0], p, end - 1)
    return item == s[0]


# ---- matching

cdef inline void spend(Matcher *m, uint32_t work) noexcept nogil:
    """Account for work done; charges the budget now and then, which may raise."""
    m.work += work
    if m.work >= WORK_UNIT:
        charge(m.L, m.work)
        m.work = 0


cdef int closed_capture(Matcher *m, uint8_t digit) noexcept nogil:
    """The index of the capture that %digit refers to. Raises if there is none or it is open."""
    cdef int i = <int>digit - FIRST_DIGIT
    if i < 0 or i >= m.level or m.lengths[i] == CAPTURE_OPEN:
        luaL_error(m.L, b"invalid capture index %%%d", i + 1)
    return i


cdef const uint8_t *match_balanced(Matcher *m, const uint8_t *s, const uint8_t *p) noexcept nogil:
    """%bxy with p at x: the end of the balanced text at s, or NULL."""
    cdef lua_Integer nesting = 1
    cdef const uint8_t *start = s
    cdef uint8_t opening, closing
    if m.pattern_end - p < 2:
        luaL_error(m.L, b"malformed pattern (missing arguments to '%%b')")
    opening, closing = p[0], p[1]
    if s >= m.end or s[0] != opening:
        return NULL
    s += 1
    while s < m.end:
        if s[0] == closing:
            nesting -= 1
            if nesting == 0:
                spend(m, <uint32_t>(s - start) // 4)
                return s + 1
        elif s[0] == opening:
            nesting += 1
        s += 1
    spend(m, <uint32_t>(s - start) // 4)
    return NULL


cdef const uint8_t *match_longest(Matcher *m, const uint8_t *s, const uint8_t *p, const uint8_t *end) noexcept nogil:
    """item* and the rest of the pattern: as many as possible first."""
    cdef ptrdiff_t count = 0
    cdef const uint8_t *result
    while fits(m, s + count, p, end):
        count += 1
        spend(m, 1)
    while count >= 0:
        result = match_here(m, s + count, end + 1)
        if result != NULL:
            return result
        count -= 1
    return NULL


cdef const uint8_t *match_shortest(Matcher *m, const uint8_t *s, const uint8_t *p, const uint8_t *end) noexcept nogil:
    """item- and the rest of the pattern: as few as possible first."""
    cdef const uint8_t *result
    while True:
        result = match_here(m, s, end + 1)
        if result != NULL:
            return result
        if not fits(m, s, p, end):
            return NULL
        s += 1


cdef const uint8_t *match_opening(Matcher *m, const uint8_t *s, const uint8_t *p, ptrdiff_t length) noexcept nogil:
    cdef const uint8_t *result
    if m.level >= MOST_CAPTURES:
        luaL_error(m.L, b"too many captures")
    m.starts[m.level] = s
    m.lengths[m.level] = length
    m.level += 1
    result = match_here(m, s, p)
    if result == NULL:
        m.level -= 1
    return result


cdef const uint8_t *match_closing(Matcher *m, const uint8_t *s, const uint8_t *p) noexcept nogil:
    cdef const uint8_t *result
    cdef int i = m.level - 1
    while i >= 0 and m.lengths[i] != CAPTURE_OPEN:
        i -= 1
    if i < 0:
        luaL_error(m.L, b"invalid pattern capture")
    m.lengths[i] = s - m.starts[i]
    result = match_here(m, s, p)
    if result == NULL:
        m.lengths[i] = CAPTURE_OPEN
    return result


cdef const uint8_t *match_again(Matcher *m, const uint8_t *s, uint8_t digit) noexcept nogil:
    """%1 to %9: the end of the capture's text at s, or NULL."""
    cdef int i = closed_capture(m, digit)
    cdef size_t length = <size_t>m.lengths[i]
    if <size_t>(m.end - s) < length:
        return NULL             # so are position captures, whose length is huge here
    spend(m, <uint32_t>(length // BYTES_PER_STEP))
    return s + length if memcmp(m.starts[i], s, length) == 0 else NULL


cdef const uint8_t *match_here(Matcher *m, const uint8_t *s, const uint8_t *p) noexcept nogil:
    """The end of the match of the pattern from p on with the subject at s, or NULL. Raises if the pattern is malformed."""
    cdef const uint8_t *end
    cdef const uint8_t *result
    cdef uint8_t mark
    if m.depth == 0:
        luaL_error(m.L, b"pattern too complex")
    m.depth -= 1
    while s != NULL and p != m.pattern_end:
        spend(m, 1)
        if p[0] == b"(":
            if p[1] == b")":
                s = match_opening(m, s, p + 2, CAPTURE_POSITION)
            else:
                s = match_opening(m, s, p + 1, CAPTURE_OPEN)
            break
        if p[0] == b")":
            s = match_closing(m, s, p + 1)
            break
        if p[0] == b"$" and p + 1 == m.pattern_end:
            if s != m.end:
                s = NULL
            break
        if p[0] == b"%":
            if p[1] == b"b":
                s = match_balanced(m, s, p + 2)
                p += 4
                continue
            if p[1] == b"f":
                p += 2
                if p[0] != b"[":
                    luaL_error(m.L, b"missing '[' after '%%f' in pattern")
                end = item_end(m, p)
                if in_set(0 if s == m.subject else (s - 1)[0], p, end - 1) or not in_set(s[0], p, end - 1):
                    s = NULL
                p = end
                continue
            if ascii_digit(p[1]):
                s = match_again(m, s, p[1])
                p += 2
                continue
        end = item_end(m, p)
        mark = end[0]
        if not fits(m, s, p, end):
            if mark != b"*" and mark != b"?" and mark != b"-":
                s = NULL
            p = end + 1         # zero of them will do
        elif mark == b"?":
            result = match_here(m, s + 1, end + 1)
            if result != NULL:
                s = result
                break
            p = end + 1
        elif mark == b"+":
            s = match_longest(m, s + 1, p, end)
            break
        elif mark == b"*":
            s = match_longest(m, s, p, end)
            break
        elif mark == b"-":
            s = match_shortest(m, s, p, end)
            break
        else:
            s += 1
            p = end
    m.depth += 1
    return s


cdef void matcher_start(Matcher *m, lua_State *L, const char *s, size_t size, const char *p, size_t pattern_size) noexcept nogil:
    m.L = L
    m.subject = <const uint8_t *>s
    m.end = m.subject + size
    m.pattern_end = <const uint8_t *>p + pattern_size
    m.depth = MATCH_DEPTH
    m.level = 0
    m.work = 0


cdef inline const uint8_t *match_at(Matcher *m, const uint8_t *s, const char *p) noexcept nogil:
    """A new match at s: its end, or NULL."""
    m.level = 0
    return match_here(m, s, <const uint8_t *>p)
