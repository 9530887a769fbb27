# Protobuf messages to Lua tables and back, driven by a schema taken from the installed temporalio's descriptors.
#
# Only the fields that the engine uses are in a schema; all others are skipped by the wire rules. A field that is
# absent is nil, except that zero values of proto3 scalars are absent on the wire: readers use `or 0`. A repeated
# field is a list with `n`; a map<string, V> is a table. Payloads become Lua values at once.

cdef class Schema:
    """Message types, described once per process.

    messages: a list of (special, fields), special one of "", "payload", "nanoseconds"; fields a list of
    (number, name, kind, repeated, is_map, message index), kind one of "integer", "bool", "double", "float", "bytes", "message".
    """

    cdef ProtoMessage *messages
    cdef int count

    def __cinit__(self, list messages):
        specials = {"": SPECIAL_NONE, "payload": SPECIAL_PAYLOAD, "nanoseconds": SPECIAL_NANOSECONDS}
        kinds = {"integer": PROTO_INTEGER, "bool": PROTO_BOOL, "double": PROTO_DOUBLE, "float": PROTO_FLOAT,
                 "bytes": PROTO_BYTES, "message": PROTO_MESSAGE}
        cdef ProtoMessage *message
        cdef ProtoField *field
        cdef bytes encoded
        self.messages = <ProtoMessage *>malloc(sizeof(ProtoMessage) * max(len(messages), 1))
        if self.messages == NULL:
            raise MemoryError()
        memset(self.messages, 0, sizeof(ProtoMessage) * max(len(messages), 1))
        self.count = len(messages)
        for index, (special, fields) in enumerate(messages):
            message = &self.messages[index]
            message.special = specials[special]
            message.count = len(fields)
            message.fields = <ProtoField *>malloc(sizeof(ProtoField) * max(len(fields), 1))
            if message.fields == NULL:
                raise MemoryError()
            for position, (number, name, kind, repeated, is_map, target) in enumerate(sorted(fields)):
                field = &message.fields[position]
                encoded = name.encode()
                field.number = number
                field.kind = kinds[kind]
                field.repeated = repeated
                field.is_map = is_map
                field.message = target
                field.name_length = len(encoded)
                memset(field.name, 0, sizeof(field.name))
                memcpy(field.name, PyBytes_AS_STRING(encoded), min(len(encoded), sizeof(field.name) - 1))

    def __dealloc__(self):
        cdef int i
        if self.messages != NULL:
            for i in range(self.count):
                free(self.messages[i].fields)
            free(self.messages)


# ---- reading

ctypedef struct Wire:
    const uint8_t *at
    const uint8_t *end
    bint bad


cdef uint64_t wire_varint(Wire *w) noexcept nogil:
    cdef uint64_t value = 0
    cdef int shift = 0
    while w.at < w.end and shift < 70:
        value |= <uint64_t>(w.at[0] & 0x7F) << shift if shift < 64 else 0
        w.at += 1
        if not (w.at - 1)[0] & 0x80:
            return value
        shift += 7
    w.bad = True
    return 0


cdef Wire wire_bytes(Wire *w) noexcept nogil:
    """The length-delimited contents at `w`, which moves past them."""
    cdef Wire inner
    cdef uint64_t size = wire_varint(w)
    inner.at = w.at
    inner.bad = False
    if size > <uint64_t>(w.end - w.at):
        w.bad = True
        size = 0
    inner.end = w.at + size
    w.at += size
    return inner


cdef void wire_skip(Wire *w, int wire_type) noexcept nogil:
    cdef uint64_t tag
    if wire_type == 0:
        wire_varint(w)
    elif wire_type == 1:
        w.at += 8
    elif wire_type == 2:
        wire_bytes(w)
    elif wire_type == 5:
        w.at += 4
    elif wire_type == 3:        # a group: skip to its end
        while not w.bad and w.at < w.end:
            tag = wire_varint(w)
            if tag & 7 == 4:
                return
            wire_skip(w, tag & 7)
    else:
        w.bad = True
    if w.at > w.end:
        w.bad = True


cdef ProtoField *find_field(ProtoMessage *message, uint64_t number) noexcept nogil:
    cdef int i
    for i in range(message.count):
        if message.fields[i].number == number:
            return &message.fields[i]
    return NULL


cdef int64_t read_nanoseconds(Wire w) noexcept nogil:
    cdef int64_t seconds = 0, nanos = 0
    cdef uint64_t tag
    while w.at < w.end and not w.bad:
        tag = wire_varint(&w)
        if tag == 8:
            seconds = <int64_t>wire_varint(&w)
        elif tag == 16:
            nanos = <int32_t>wire_varint(&w)
        else:
            wire_skip(&w, tag & 7)
    return seconds * 1000000000 + nanos


cdef bint push_scalar(lua_State *L, ProtoMessage *messages, ProtoField *field, Wire *w, int wire_type) noexcept nogil:
    """Push one value of the field; False (nothing pushed) if the wire type does not fit."""
    cdef Wire inner
    cdef float single
    cdef double number
    if field.kind == PROTO_INTEGER and wire_type == 0:
        lua_pushinteger(L, <int64_t>wire_varint(w))
    elif field.kind == PROTO_BOOL and wire_type == 0:
        lua_pushboolean(L, wire_varint(w) != 0)
    elif field.kind == PROTO_DOUBLE and wire_type == 1 and w.end - w.at >= 8:
        memcpy(&number, w.at, 8)
        w.at += 8
        lua_pushnumber(L, number)
    elif field.kind == PROTO_FLOAT and wire_type == 5 and w.end - w.at >= 4:
        memcpy(&single, w.at, 4)
        w.at += 4
        lua_pushnumber(L, single)
    elif field.kind == PROTO_BYTES and wire_type == 2:
        inner = wire_bytes(w)
        lua_pushlstring(L, <const char *>inner.at, inner.end - inner.at)
    elif field.kind == PROTO_MESSAGE and wire_type == 2:
        inner = wire_bytes(w)
        push_message(L, messages, field.message, &inner)
        w.bad = w.bad or inner.bad
    else:
        wire_skip(w, wire_type)
        return False
    return True


cdef void push_map_entry(lua_State *L, ProtoMessage *messages, ProtoField *field, Wire *w) noexcept nogil:
    """Set one entry of the map table on top of the stack."""
    cdef Wire entry = wire_bytes(w)
    cdef Wire inner
    cdef uint64_t tag
    lua_pushstring(L, b"")
    lua_pushnil(L)
    while entry.at < entry.end and not entry.bad:
        tag = wire_varint(&entry)
        if tag == 10:
            inner = wire_bytes(&entry)
            lua_pushlstring(L, <const char *>inner.at, inner.end - inner.at)
            lua_replace(L, -3)
        elif tag == 18:
            inner = wire_bytes(&entry)
            if field.message >= 0:
                push_message(L, messages, field.message, &inner)
            else:
                lua_pushlstring(L, <const char *>inner.at, inner.end - inner.at)
            lua_replace(L, -2)
        else:
            wire_skip(&entry, tag & 7)
    w.bad = w.bad or entry.bad
    lua_rawset(L, -3)


cdef void push_message(lua_State *L, ProtoMessage *messages, int index, Wire *w) noexcept nogil:
    """Push the message as a table (or as what its special form is)."""
    cdef ProtoMessage *message = &messages[index]
    cdef ProtoField *field
    cdef uint64_t tag
    cdef int wire_type
    luaL_checkstack(L, 8, b"message nested too deeply")
    if message.special == SPECIAL_PAYLOAD:
        payload_push(L, w)
        return
    if message.special == SPECIAL_NANOSECONDS:
        lua_pushinteger(L, read_nanoseconds(w[0]))
        return
    lua_createtable(L, 0, 4)
    while w.at < w.end and not w.bad:
        tag = wire_varint(w)
        wire_type = tag & 7
        field = find_field(message, tag >> 3)
        if field == NULL:
            wire_skip(w, wire_type)
        elif field.is_map or field.repeated:
            lua_pushlstring(L, field.name, field.name_length)
            if lua_rawget(L, -2) != LUA_TTABLE:
                lua_pop(L, 1)
                lua_newtable(L)
                if field.repeated and not field.is_map:
                    lua_pushinteger(L, 0)
                    lua_setfield(L, -2, b"n")
                lua_pushlstring(L, field.name, field.name_length)
                lua_pushvalue(L, -2)
                lua_rawset(L, -4)
            if field.is_map:
                push_map_entry(L, messages, field, w)
            elif wire_type == 2 and field.kind <= PROTO_BOOL:
                push_packed(L, field, w)
            elif push_scalar(L, messages, field, w, wire_type):
                append_counted(L)
            lua_pop(L, 1)
        else:
            lua_pushlstring(L, field.name, field.name_length)
            if push_scalar(L, messages, field, w, wire_type):
                lua_rawset(L, -3)
            else:
                lua_pop(L, 1)


cdef void append_counted(lua_State *L) noexcept nogil:
    """Append the value on top to the list below it, which counts in `n` (its values may be nil)."""
    cdef lua_Integer count
    lua_getfield(L, -2, b"n")
    count = lua_tointeger(L, -1) + 1
    lua_pop(L, 1)
    lua_rawseti(L, -2, count)
    lua_pushinteger(L, count)
    lua_setfield(L, -2, b"n")


cdef void push_packed(lua_State *L, ProtoField *field, Wire *w) noexcept nogil:
    cdef Wire inner = wire_bytes(w)
    while inner.at < inner.end and not inner.bad:
        lua_pushinteger(L, <int64_t>wire_varint(&inner))
        append_counted(L)


# ---- writing

cdef void put_varint(Buffer *b, uint64_t value) noexcept nogil:
    while value >= 0x80:
        buffer_byte(b, <char>(value & 0x7F | 0x80))
        value >>= 7
    buffer_byte(b, <char>value)


cdef void close_length(Buffer *b, size_t start) noexcept nogil:
    """Put the length of what was written since `start` before it."""
    cdef size_t size = b.length - start
    cdef size_t rest = size
    cdef int width = 1
    if b.failed:
        return
    while rest >= 0x80:
        rest >>= 7
        width += 1
    if not buffer_reserve(b, width):
        return
    memmove(b.data + start + width, b.data + start, size)
    b.length = start
    put_varint(b, size)
    b.length += size


cdef const char *write_field(lua_State *L, ProtoMessage *messages, ProtoField *field, int index, Buffer *b) noexcept nogil:
    cdef size_t size, start
    cdef const char *text
    cdef double number
    cdef float single
    cdef uint64_t tag = <uint64_t>field.number << 3
    if field.kind == PROTO_INTEGER:
        put_varint(b, tag)
        put_varint(b, <uint64_t>lua_tointeger(L, index))
    elif field.kind == PROTO_BOOL:
        put_varint(b, tag)
        put_varint(b, lua_toboolean(L, index))
    elif field.kind == PROTO_DOUBLE:
        put_varint(b, tag | 1)
        number = lua_tonumber(L, index)
        buffer_put(b, <const char *>&number, 8)
    elif field.kind == PROTO_FLOAT:
        put_varint(b, tag | 5)
        single = <float>lua_tonumber(L, index)
        buffer_put(b, <const char *>&single, 4)
    elif field.kind == PROTO_BYTES:
        if lua_type(L, index) != LUA_TSTRING:
            return field.name
        text = lua_tolstring(L, index, &size)
        put_varint(b, tag | 2)
        put_varint(b, size)
        buffer_put(b, text, size)
    else:
        put_varint(b, tag | 2)
        start = b.length
        text = write_message(L, messages, field.message, index, b)
        if text != NULL:
            return text
        close_length(b, start)
    return NULL


cdef const char *write_map(lua_State *L, ProtoMessage *messages, ProtoField *field, int index, Buffer *b) noexcept nogil:
    """Entries in byte order of their keys, so that the same table is always the same bytes."""
    cdef size_t start, inner, size
    cdef const char *text
    cdef lua_Integer i, count
    cdef const char *wrong = NULL
    index = lua_absindex(L, index)
    count = push_sorted_keys(L, index)
    for i in range(1, count + 1):
        lua_rawgeti(L, -1, i)
        if lua_type(L, -1) != LUA_TSTRING:
            return field.name
        text = lua_tolstring(L, -1, &size)
        put_varint(b, <uint64_t>field.number << 3 | 2)
        start = b.length
        buffer_byte(b, 10)
        put_varint(b, size)
        buffer_put(b, text, size)
        lua_rawget(L, index)
        buffer_byte(b, 18)
        inner = b.length
        wrong = write_message(L, messages, field.message, -1, b)
        if wrong != NULL:
            return wrong
        close_length(b, inner)
        close_length(b, start)
        lua_pop(L, 1)
    lua_pop(L, 1)
    return NULL


cdef const char *write_message(lua_State *L, ProtoMessage *messages, int message_index, int index, Buffer *b) noexcept nogil:
    """Append the message for the value at `index`. NULL, or the name of the field that does not fit."""
    cdef ProtoMessage *message = &messages[message_index]
    cdef ProtoField *field
    cdef const char *name
    cdef const char *wrong
    cdef size_t size
    cdef lua_Integer i, count
    cdef int64_t nanoseconds
    cdef int position
    luaL_checkstack(L, 10, b"message nested too deeply")
    index = lua_absindex(L, index)
    if message.special == SPECIAL_PAYLOAD:
        # Encoded by core.payload when the call was made, so that later changes to a table do not show.
        if lua_type(L, index) != LUA_TSTRING:
            return b"(a payload that was not encoded)"
        name = lua_tolstring(L, index, &size)
        buffer_put(b, name, size)
        return NULL
    if message.special == SPECIAL_NANOSECONDS:
        nanoseconds = lua_tointeger(L, index)
        put_varint(b, 8)
        put_varint(b, <uint64_t>(nanoseconds // 1000000000))
        put_varint(b, 16)
        put_varint(b, <uint64_t>(nanoseconds % 1000000000))
        return NULL
    if lua_type(L, index) != LUA_TTABLE:
        return b"(not a table)"
    lua_pushnil(L)
    while lua_next(L, index):
        if lua_type(L, -2) != LUA_TSTRING:
            return b"(a key that is no name)"
        name = lua_tolstring(L, -2, &size)
        field = NULL
        for position in range(message.count):
            if message.fields[position].name_length == size and memcmp(message.fields[position].name, name, size) == 0:
                field = &message.fields[position]
                break
        if field == NULL:
            return name
        if field.is_map:
            wrong = write_map(L, messages, field, -1, b)
        elif field.repeated:
            wrong = NULL
            lua_pushstring(L, b"n")
            count = lua_tointeger(L, -1) if lua_rawget(L, -2) == LUA_TNUMBER else <lua_Integer>lua_rawlen(L, -2)
            lua_pop(L, 1)
            for i in range(1, count + 1):
                lua_rawgeti(L, -1, i)
                wrong = write_field(L, messages, field, -1, b)
                if wrong != NULL:
                    return wrong
                lua_pop(L, 1)
        else:
            wrong = write_field(L, messages, field, -1, b)
        if wrong != NULL:
            return wrong
        lua_pop(L, 1)
    return NULL
