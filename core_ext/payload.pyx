# Temporal payloads to Lua values and back (decisions 37, 38): binary/null, json/plain, binary/plain.

cdef char UNDECODABLE_KEY       # registry[&UNDECODABLE_KEY] = metatable of payloads that could not be read


cdef bint encoding_is(Wire encoding, const char *name) noexcept nogil:
    cdef size_t size = strlen(name)
    return <size_t>(encoding.end - encoding.at) == size and memcmp(encoding.at, name, size) == 0


cdef void push_undecodable(lua_State *L, const char *why, Wire encoding) noexcept nogil:
    """Push a table that core.undecodable knows: the engine decides what becomes of it."""
    lua_createtable(L, 0, 2)
    lua_pushstring(L, why)
    lua_setfield(L, -2, b"message")
    lua_pushlstring(L, <const char *>encoding.at, encoding.end - encoding.at)
    lua_setfield(L, -2, b"encoding")
    push_metatable(L, &UNDECODABLE_KEY, b"undecodable payload")
    lua_setmetatable(L, -2)


cdef void payload_push(lua_State *L, Wire *w) noexcept nogil:
    """Push the value of a Payload message. What cannot be decoded becomes an undecodable marker, never an error."""
    cdef Wire entry, key, value, encoding, data
    cdef uint64_t tag
    cdef char wrong[256]
    encoding.at = encoding.end = w.end
    encoding.bad = False
    data = encoding
    while w.at < w.end and not w.bad:
        tag = wire_varint(w)
        if tag == 10:               # metadata: map<string, bytes>
            entry = wire_bytes(w)
            key.at = key.end = value.at = value.end = entry.end
            key.bad = value.bad = False
            while entry.at < entry.end and not entry.bad:
                tag = wire_varint(&entry)
                if tag == 10:
                    key = wire_bytes(&entry)
                elif tag == 18:
                    value = wire_bytes(&entry)
                else:
                    wire_skip(&entry, tag & 7)
            if encoding_is(key, b"encoding"):
                encoding = value
        elif tag == 18:
            data = wire_bytes(w)
        else:
            wire_skip(w, tag & 7)
    if encoding_is(encoding, b"json/plain"):
        charge(L, (data.end - data.at) >> 3)
        if not json_push(L, <const char *>data.at, data.end - data.at, wrong, sizeof(wrong)):
            push_undecodable(L, wrong, encoding)
    elif encoding_is(encoding, b"binary/null"):
        lua_pushnil(L)
    elif encoding_is(encoding, b"binary/plain"):
        lua_pushlstring(L, <const char *>data.at, data.end - data.at)
    else:
        push_undecodable(L, b"the encoding is not supported", encoding)


cdef void put_payload(Buffer *b, const char *encoding, const char *data, size_t size) noexcept nogil:
    cdef size_t length = strlen(encoding)
    buffer_byte(b, 10)
    put_varint(b, 2 + 8 + 2 + length)
    buffer_text(b, b"\x0a\x08encoding\x12")
    put_varint(b, length)
    buffer_put(b, encoding, length)
    buffer_byte(b, 18)
    put_varint(b, size)
    buffer_put(b, data, size)


cdef int core_payload(lua_State *L) noexcept nogil:
    """core.payload(v) -> the bytes of a Payload message | nil, what is wrong (with the path to the offender)"""
    cdef StateC *st = state_of(L)
    cdef Buffer *b = &SCRATCH
    cdef size_t size, start
    cdef const char *text
    cdef char wrong[256]
    buffer_start(b, st.limit)
    if lua_isnoneornil(L, 1):
        put_payload(b, b"binary/null", b"", 0)
    elif lua_type(L, 1) == LUA_TSTRING and not is_utf8((text := lua_tolstring(L, 1, &size)), size):
        put_payload(b, b"binary/plain", text, size)
    else:
        buffer_text(b, b"\x0a\x16\x0a\x08encoding\x12\x0ajson/plain\x12")
        start = b.length
        if not json_write(L, 1, b, wrong, sizeof(wrong)):
            lua_pushnil(L)
            lua_pushstring(L, wrong)
            return 2
        charge(L, (b.length - start) >> 3)
        close_length(b, start)
    if b.failed:
        lua_pushnil(L)
        lua_pushstring(L, b"the value is too large")
        return 2
    lua_pushlstring(L, b.data, b.length)
    return 1


cdef int core_from_payload(lua_State *L) noexcept nogil:
    """core.from_payload(bytes of a Payload message) -> value (or an undecodable marker)"""
    cdef size_t size
    cdef Wire w
    w.at = <const uint8_t *>luaL_checklstring(L, 1, &size)
    w.end = w.at + size
    w.bad = False
    payload_push(L, &w)
    return 1


cdef int core_undecodable(lua_State *L) noexcept nogil:
    """core.undecodable(v) -> what was wrong with the payload, its encoding | nil for an ordinary value"""
    cdef bint ours = False
    if lua_type(L, 1) == LUA_TTABLE and lua_getmetatable(L, 1):
        lua_rawgetp(L, LUA_REGISTRYINDEX, &UNDECODABLE_KEY)
        ours = lua_rawequal(L, -1, -2)
    if not ours:
        lua_pushnil(L)
        return 1
    lua_getfield(L, 1, b"message")
    lua_getfield(L, 1, b"encoding")
    return 2
