# string.find, match, gmatch and gsub over the matcher, as in Lua 5.5 (decision 11).

# ---- captures

cdef const char *capture(Matcher *m, int i, const uint8_t *s, const uint8_t *end, size_t *size) noexcept nogil:
    """The text of capture number i (from 0; the whole match if there are none), or NULL with a position pushed."""
    if i >= m.level:
        if i != 0:
            luaL_error(m.L, b"invalid capture index %%%d", i + 1)
        size[0] = end - s
        return <const char *>s
    if m.lengths[i] == CAPTURE_POSITION:
        lua_pushinteger(m.L, m.starts[i] - m.subject + 1)
        return NULL
    if m.lengths[i] == CAPTURE_OPEN:
        luaL_error(m.L, b"unfinished capture")
    size[0] = <size_t>m.lengths[i]
    return <const char *>m.starts[i]


cdef void push_capture(Matcher *m, int i, const uint8_t *s, const uint8_t *end) noexcept nogil:
    cdef size_t size = 0
    cdef const char *text = capture(m, i, s, end, &size)
    if text != NULL:
        spend(m, <uint32_t>(size // BYTES_PER_STEP))
        lua_pushlstring(m.L, text, size)


cdef int push_captures(Matcher *m, const uint8_t *s, const uint8_t *end) noexcept nogil:
    """Push all captures; the whole match from s to end if there are none and s is not NULL. Returns how many."""
    cdef int i, count = m.level
    if count == 0 and s != NULL:
        count = 1
    luaL_checkstack(m.L, count, b"too many captures")
    for i in range(count):
        push_capture(m, i, s, end)
    return count


# ---- find and match

cdef size_t start_position(lua_Integer position, size_t size) noexcept nogil:
    """A start argument (from 1; negative: from the end) as a position of at least 1, maybe past the end."""
    if position > 0:
        return <size_t>position
    if position == 0 or position < -<lua_Integer>size:
        return 1
    return size + <size_t>position + 1


cdef bint is_plain(const char *p, size_t size) noexcept nogil:
    """Has the pattern no special characters?"""
    cdef size_t i
    for i in range(size):
        if memchr(b"^$*+?.([%-", p[i], 10) != NULL:
            return False
    return True


cdef int push_plain_find(lua_State *L, const char *s, size_t size, size_t start, const char *p, size_t wanted) noexcept nogil:
    cdef const char *found
    charge(L, (size - start) // BYTES_PER_STEP)
    found = <const char *>memmem(s + start, size - start, p, wanted) if wanted else s + start
    if found == NULL:
        lua_pushnil(L)
        return 1
    lua_pushinteger(L, found - s + 1)
    lua_pushinteger(L, found - s + <lua_Integer>wanted)
    return 2


cdef int find_or_match(lua_State *L, bint find) noexcept nogil:
    cdef size_t size = 0, pattern_size = 0, start
    cdef const char *s = luaL_checklstring(L, 1, &size)
    cdef const char *p = luaL_checklstring(L, 2, &pattern_size)
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef Matcher m
    cdef bint anchored
    start = start_position(luaL_optinteger(L, 3, 1), size) - 1
    if start > size:
        lua_pushnil(L)
        return 1
    if find and (lua_toboolean(L, 4) or is_plain(p, pattern_size)):
        return push_plain_find(L, s, size, start, p, pattern_size)
    anchored = p[0] == b"^"
    matcher_start(&m, L, s, size, p, pattern_size)
    if anchored:
        p += 1
    at = m.subject + start
    while True:
        end = match_at(&m, at, p)
        if end != NULL:
            break
        at += 1
        if anchored or at > m.end:
            charge(L, m.work)
            lua_pushnil(L)
            return 1
    charge(L, m.work)
    if not find:
        return push_captures(&m, at, end)
    lua_pushinteger(L, at - m.subject + 1)
    lua_pushinteger(L, end - m.subject)
    return push_captures(&m, NULL, NULL) + 2


cdef int pattern_find(lua_State *L) noexcept nogil:
    """string.find(s, pattern[, init[, plain]]) -> start, end, captures... | nil"""
    return find_or_match(L, True)


cdef int pattern_match(lua_State *L) noexcept nogil:
    """string.match(s, pattern[, init]) -> captures... | nil"""
    return find_or_match(L, False)


# ---- gmatch

ctypedef struct Matches:
    Matcher m
    const char *pattern
    const uint8_t *at
    const uint8_t *last         # the end of the match before, where no empty match may follow


cdef int next_match(lua_State *L) noexcept nogil:
    """The iterator of gmatch. Upvalues: subject, pattern, Matches."""
    cdef Matches *g = <Matches *>lua_touserdata(L, lua_upvalueindex(3))
    cdef const uint8_t *at = g.at
    cdef const uint8_t *end
    g.m.L = L
    g.m.depth = MATCH_DEPTH     # an error in a call before may have left it anywhere
    while at <= g.m.end:
        end = match_at(&g.m, at, g.pattern)
        if end != NULL and end != g.last:
            g.at = g.last = end
            return push_captures(&g.m, at, end)
        at += 1
    g.at = at
    return 0


cdef int pattern_gmatch(lua_State *L) noexcept nogil:
    """string.gmatch(s, pattern[, init]) -> iterator of captures"""
    cdef size_t size = 0, pattern_size = 0, start
    cdef const char *s = luaL_checklstring(L, 1, &size)
    cdef const char *p = luaL_checklstring(L, 2, &pattern_size)
    cdef Matches *g
    start = start_position(luaL_optinteger(L, 3, 1), size) - 1
    lua_settop(L, 2)
    g = <Matches *>lua_newuserdatauv(L, sizeof(Matches), 1)
    matcher_start(&g.m, L, s, size, p, pattern_size)
    g.pattern = p
    g.at = g.m.subject + (start if start <= size else size + 1)
    g.last = NULL
    lua_pushcclosure(L, next_match, 3)
    return 1


# ---- gsub. Stack: subject, pattern, replacement, slot of the result

cdef void add_template(Matcher *m, Text *out, const uint8_t *s, const uint8_t *end) noexcept nogil:
    """Append the replacement string with its %0 to %9 filled in."""
    cdef size_t size = 0, length = 0
    cdef const char *at = lua_tolstring(m.L, 3, &size)
    cdef const char *stop = at + size
    cdef const char *escape
    cdef const char *text
    spend(m, <uint32_t>(size // BYTES_PER_STEP))
    while True:
        escape = <const char *>memchr(at, b"%", stop - at)
        if escape == NULL:
            break
        text_add(out, at, escape - at)
        at = escape + 2
        if escape[1] == b"%":
            text_add(out, b"%", 1)
        elif escape[1] == b"0":
            text_add(out, <const char *>s, end - s)
        elif ascii_digit(<uint8_t>escape[1]):
            text = capture(m, <int>escape[1] - FIRST_DIGIT, s, end, &length)
            if text != NULL:
                spend(m, <uint32_t>(length // BYTES_PER_STEP))
                text_add(out, text, length)
            else:
                text = lua_tolstring(m.L, -1, &length)
                text_add(out, text, length)
                lua_pop(m.L, 1)
        else:
            luaL_error(m.L, b"invalid use of '%%' in replacement string")
    text_add(out, at, stop - at)


cdef bint add_replacement(Matcher *m, Text *out, const uint8_t *s, const uint8_t *end, int kind) noexcept nogil:
    """Append what replaces the match from s to end; False if it stays as it is."""
    cdef lua_State *L = m.L
    cdef size_t size = 0
    cdef const char *text
    cdef int count
    if kind == LUA_TFUNCTION:
        lua_pushvalue(L, 3)
        count = push_captures(m, s, end)
        lua_call(L, count, 1)
    elif kind == LUA_TTABLE:
        push_capture(m, 0, s, end)
        lua_gettable(L, 3)
    else:
        add_template(m, out, s, end)
        return True
    if not lua_toboolean(L, -1):
        lua_pop(L, 1)
        text_add(out, <const char *>s, end - s)
        return False
    kind = lua_type(L, -1)
    if kind != LUA_TSTRING and kind != LUA_TNUMBER:
        luaL_error(L, b"invalid replacement value (a %s)", lua_typename(L, kind))
    text = lua_tolstring(L, -1, &size)
    text_add(out, text, size)
    lua_pop(L, 1)
    return True


cdef int pattern_gsub(lua_State *L) noexcept nogil:
    """string.gsub(s, pattern, replacement[, n]) -> text, how many were replaced"""
    cdef size_t size = 0, pattern_size = 0
    cdef const char *subject = luaL_checklstring(L, 1, &size)
    cdef const char *p = luaL_checklstring(L, 2, &pattern_size)
    cdef int kind = lua_type(L, 3)
    cdef lua_Integer count = 0, most
    cdef bint anchored = p[0] == b"^", changed = False
    cdef const uint8_t *at
    cdef const uint8_t *end
    cdef const uint8_t *last = NULL
    cdef const uint8_t *copied  # up to here the subject is in `out`
    cdef Matcher m
    cdef Text out
    if kind != LUA_TNUMBER and kind != LUA_TSTRING and kind != LUA_TFUNCTION and kind != LUA_TTABLE:
        return luaL_typeerror(L, 3, b"string/function/table")
    most = luaL_optinteger(L, 4, <lua_Integer>size + 1)
    lua_settop(L, 3)
    text_start(&out, L)
    matcher_start(&m, L, subject, size, p, pattern_size)
    at = copied = m.subject
    if anchored:
        p += 1
    while count < most:
        end = match_at(&m, at, p)
        if end != NULL and end != last:
            count += 1
            text_add(&out, <const char *>copied, at - copied)
            if add_replacement(&m, &out, at, end, kind):
                changed = True
            at = last = copied = end
        elif at < m.end:
            at += 1
        else:
            break
        if anchored:
            break
    charge(L, m.work)
    if changed:
        text_add(&out, <const char *>copied, m.end - copied)
        text_push(&out)
    else:
        lua_pushvalue(L, 1)
    lua_pushinteger(L, count)
    return 2
