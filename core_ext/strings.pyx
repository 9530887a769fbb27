# string.*: what is not done by patterns. Sizes are checked before the work, bytes are charged, letters are ASCII's.

cdef lua_CFunction STOCK_FORMAT = NULL


cdef int string_rep(lua_State *L) noexcept nogil:
    """string.rep(s, n[, separator]) -> string. What cannot fit into the memory limit is refused before any work."""
    cdef size_t size = 0, gap = 0, total
    cdef const char *s = luaL_checklstring(L, 1, &size)
    cdef lua_Integer n = luaL_checkinteger(L, 2)
    cdef const char *separator = luaL_optlstring(L, 3, b"", &gap)
    cdef StateC *st = state_of(L)
    cdef char *out
    cdef Text text
    if n <= 0 or (size == 0 and gap == 0):
        lua_pushstring(L, b"")
        return 1
    if n == 1:
        lua_pushvalue(L, 1)
        return 1
    if <uint64_t>n > st.limit // (size + gap) + 1:
        violate(st, VIOLATION_MEMORY)
        return raise_violation(L)
    total = size * <size_t>n + gap * <size_t>(n - 1)
    charge(L, total // BYTES_PER_STEP)
    text_start(&text, L)
    out = text_room(&text, total)
    text.length = total
    # The separator goes between, so the unit that repeats is "s separator", cut short at the end.
    memcpy(out, s, size)
    memcpy(out + size, separator, gap)
    repeat_block(out, size + gap, total)
    text_push(&text)
    return 1


cdef void repeat_block(char *data, size_t block, size_t total) noexcept nogil:
    """Fill data[block:total] with repetitions of data[:block], doubling what there is."""
    cdef size_t piece
    while block < total:
        piece = block if block < total - block else total - block
        memcpy(data + block, data, piece)
        block += piece


cdef size_t end_position(lua_Integer position, size_t size) noexcept nogil:
    """An end argument (negative: from the end) as a position from 0 to size."""
    if position > <lua_Integer>size:
        return size
    if position >= 0:
        return <size_t>position
    if position < -<lua_Integer>size:
        return 0
    return size + <size_t>position + 1


cdef int string_sub(lua_State *L) noexcept nogil:
    """string.sub(s, i[, j]) -> string"""
    cdef size_t size = 0, start, end
    cdef const char *s = luaL_checklstring(L, 1, &size)
    start = start_position(luaL_checkinteger(L, 2), size)
    end = end_position(luaL_optinteger(L, 3, -1), size)
    if start > end:
        lua_pushstring(L, b"")
        return 1
    charge(L, (end - start) // BYTES_PER_STEP)
    lua_pushlstring(L, s + start - 1, end - start + 1)
    return 1


cdef enum Conversion:
    TO_LOWER = 0
    TO_UPPER = 1
    TO_REVERSE = 2


cdef int converted(lua_State *L, Conversion how) noexcept nogil:
    cdef size_t i, size = 0
    cdef const char *s = luaL_checklstring(L, 1, &size)
    cdef char *out
    cdef uint8_t c
    cdef Text text
    charge(L, size // 4)
    text_start(&text, L)
    out = text_room(&text, size)
    text.length = size
    for i in range(size):
        c = <uint8_t>s[i]
        if how == TO_LOWER:
            out[i] = <char>(c + 32 if ascii_upper(c) else c)
        elif how == TO_UPPER:
            out[i] = <char>(c - 32 if ascii_lower(c) else c)
        else:
            out[size - 1 - i] = <char>c
    text_push(&text)
    return 1


cdef int string_lower(lua_State *L) noexcept nogil:
    """string.lower(s) -> string"""
    return converted(L, TO_LOWER)


cdef int string_upper(lua_State *L) noexcept nogil:
    """string.upper(s) -> string"""
    return converted(L, TO_UPPER)


cdef int string_reverse(lua_State *L) noexcept nogil:
    """string.reverse(s) -> string"""
    return converted(L, TO_REVERSE)


# ---- format: the stock one does the work, after every object has been replaced by a text without its address

cdef char *writable_format(lua_State *L, const char *format, size_t size) noexcept nogil:
    """A copy of the format that may be changed, in a userdata on top of the stack."""
    cdef char *copy = <char *>lua_newuserdatauv(L, size + 1, 1)
    memcpy(copy, format, size + 1)
    return copy


cdef void replace_object(lua_State *L, int arg, bint pointer) noexcept nogil:
    """Replace the argument of a %s or %p by its text, unless the stock format can have it as it is."""
    cdef char identity[160]
    cdef int kind = lua_type(L, arg)
    if pointer:
        if kind <= LUA_TSTRING and kind != LUA_TLIGHTUSERDATA:
            lua_pushstring(L, b"(null)")    # strings too: whether two equal ones are one object says nothing
        else:
            identity_text(L, arg, identity, sizeof(identity))
            lua_pushstring(L, identity)
    elif kind < LUA_TTABLE and kind != LUA_TLIGHTUSERDATA:
        return
    else:
        push_text(L, arg, NULL)
    lua_replace(L, arg)


cdef int string_format(lua_State *L) noexcept nogil:
    """string.format(format, ...) -> string. %s and %p show objects as tostring does."""
    cdef size_t size = 0, at = 0, length = 0, work
    cdef const char *format = luaL_checklstring(L, 1, &size)
    cdef char *copy = NULL
    cdef int arg = 1, top = lua_gettop(L), slot
    luaL_checkstack(L, 4, NULL)
    lua_pushnil(L)
    slot = top + 1
    work = size
    while at < size:
        if format[at] != b"%":
            at += 1
            continue
        at += 1
        if format[at] == b"%":
            at += 1
            continue
        # Not past the terminating zero: it is in no set.
        while format[at] != 0 and memchr(b"-+#0 .123456789", format[at], 15) != NULL:
            at += 1
        arg += 1
        if arg > top or at >= size:
            break               # the stock function says what is wrong
        if format[at] == b"s":
            replace_object(L, arg, False)
        elif format[at] == b"p":
            replace_object(L, arg, True)
            if copy == NULL:
                copy = writable_format(L, format, size)
                lua_replace(L, slot)
            copy[at] = b"s"
        if lua_type(L, arg) == LUA_TSTRING:
            lua_tolstring(L, arg, &length)
            work += length
        at += 1
    charge(L, work // BYTES_PER_STEP)
    if copy != NULL:
        lua_pushlstring(L, copy, size)
        lua_replace(L, 1)
    lua_settop(L, top)
    # Called in this very frame, so that its errors name our caller and our arguments.
    return STOCK_FORMAT(L)
