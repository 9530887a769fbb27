# JSON text to Lua values: strict RFC 8259 in one pass, safe on any bytes, raising for want of memory only.
#
# Tables are made in the right size at once, because growing them costs more than filling them: the members of a container
# wait on the Lua stack until their number is known, and are moved from there to where they belong in the table
# (lua_layout.h). Only containers of more than READ_BATCH members grow as they are read.
#
# What reads is given the place where to begin and returns the place behind, or NULL when something is wrong. (In a register
# the place costs nothing; in the reader each step would wait for the one before to be stored.)

cdef enum:
    JSON_DEPTH = 128
    READ_BATCH = 1024           # members of one container that may wait on the stack
    READ_ROOM = 64              # stack slots to ask Lua for at a time
    READ_SPARE = 8              # of them that must be free before a value is read
    KNOWN_KEYS = 32             # that are remembered
    KNOWN_KEY_SIZE = 16         # the longest of them, in bytes

# A key that was read: the documents with many objects have the same few keys in all of them, and to find a string among
# all strings of the state takes longer than to find it here. A slot of its own on the stack keeps it from the collector.
ctypedef struct KnownKey:
    uint64_t head               # its first eight bytes, and the next: zeros after the end, which no key has in it
    uint64_t tail
    const void *text            # the string; NULL: none yet

ctypedef struct JsonReader:
    lua_State *L
    const uint8_t *start
    const uint8_t *end
    Buffer *text                # strings with escapes are put together here
    int top                     # of the Lua stack: every value that is pushed counts here
    int room                    # the top that Lua has promised
    int depth
    uint8_t[129] guess          # by depth: how many members the object had that was read last, at most 255
    int known_slot              # stack index of the first known key's string; 0: none are remembered
    KnownKey[32] known
    const char *problem
    const uint8_t *place        # where it is
    bint unexpected             # say what was found there instead


cdef inline const uint8_t *json_problem(JsonReader *r, const uint8_t *at, const char *problem) noexcept nogil:
    r.place = at
    r.problem = problem
    r.unexpected = False
    return NULL


cdef inline const uint8_t *json_expected(JsonReader *r, const uint8_t *at, const char *what) noexcept nogil:
    r.place = at
    r.problem = what
    r.unexpected = True
    return NULL


cdef inline bint reader_room(JsonReader *r, const uint8_t *at) noexcept nogil:
    """Make sure that a few more values can be pushed."""
    if r.top + READ_SPARE <= r.room:
        return True
    if not lua_checkstack(r.L, READ_ROOM):
        json_problem(r, at, b"there is not enough memory for the value")
        return False
    r.room = r.top + READ_ROOM
    return True


cdef inline const uint8_t *skip_space(const uint8_t *at, const uint8_t *end) noexcept nogil:
    while at < end and at[0] <= 32 and (at[0] == 32 or at[0] == 10 or at[0] == 13 or at[0] == 9):
        at += 1
    return at


# ---- values

cdef const uint8_t *read_word(JsonReader *r, const uint8_t *at, bint in_array) noexcept nogil:
    """Push true, false or null; anything else is no value."""
    cdef size_t left = r.end - at
    if left >= 4 and memcmp(at, b"true", 4) == 0:
        push_word(r.L, TAG_TRUE, NULL)
        at += 4
    elif left >= 4 and memcmp(at, b"null", 4) == 0:
        push_word(r.L, TAG_LIGHT if in_array else TAG_NIL, NULL)
        at += 4
    elif left >= 5 and memcmp(at, b"false", 5) == 0:
        push_word(r.L, TAG_FALSE, NULL)
        at += 5
    else:
        return json_expected(r, at, b"expected a value")
    r.top += 1
    return at


cdef inline bint begins_number(uint8_t c) noexcept nogil:
    return c == b"-" or <uint8_t>(c - 48) < 10


cdef inline const uint8_t *read_value(JsonReader *r, const uint8_t *at, bint in_array) noexcept nogil:
    """Push the value at `at`; returns where it ends. `in_array`: null is json.null there; elsewhere it is nil."""
    cdef uint8_t c
    at = skip_space(at, r.end)
    if at == r.end:
        return json_expected(r, at, b"expected a value")
    c = at[0]
    if c == b'"':
        return read_string(r, at + 1, at + 1)
    if begins_number(c):
        return read_one_number(r, at)
    if c == b"{":
        return read_object(r, at)
    if c == b"[":
        return read_array(r, at)
    return read_word(r, at, in_array)


cdef inline const uint8_t *open_container(JsonReader *r, const uint8_t *at) noexcept nogil:
    """Enter the array or object at `at`; returns where its first member or its end is."""
    if r.depth == JSON_DEPTH:
        return json_problem(r, at, b"nested more than 128 levels deep")
    if not reader_room(r, at):
        return NULL
    r.depth += 1
    r.top += 1
    return skip_space(at + 1, r.end)


cdef inline void create_table(JsonReader *r, size_t waiting, size_t elements, size_t members) noexcept nogil:
    """Make the table of a container. Stack: ..., nil, `waiting` values -> ..., table, the values"""
    cdef LuaSlot *top
    lua_createtable(r.L, <int>elements, <int>members)
    top = stack_top(r.L) - 1
    set_slot(top - waiting - 1, top[0])
    set_top(r.L, top)


cdef inline LuaTable *table_below(JsonReader *r, size_t waiting) noexcept nogil:
    """The table under the topmost `waiting` values."""
    return <LuaTable *>(stack_top(r.L) - waiting - 1)[0].word.object


cdef void store_elements(JsonReader *r, size_t waiting, size_t count) noexcept nogil:
    """Move the topmost values into the table below them; the last of them is element `count`."""
    cdef LuaTable *table = table_below(r, waiting)
    cdef LuaSlot *slots = stack_top(r.L) - waiting
    cdef size_t done = count - waiting, i
    cdef int index = r.top - <int>waiting
    if is_white(table) and count <= table.array_size:
        for i in range(waiting):
            set_element(table, done + i, slots[i])
    else:
        for i in range(waiting):
            push_slot(r.L, (stack_top(r.L) - waiting)[i])
            lua_rawseti(r.L, index, <lua_Integer>(done + i + 1))
    set_top(r.L, stack_top(r.L) - waiting)
    r.top = index


cdef const uint8_t *read_array(JsonReader *r, const uint8_t *at) noexcept nogil:
    """Push the array at `at`; returns where it ends. Its elements wait on the stack, and the table is made for as many."""
    cdef size_t count = 0, waiting = 0, taken
    at = open_container(r, at)
    if at == NULL:
        return NULL
    if at < r.end and at[0] == b"]":
        r.depth -= 1
        lua_createtable(r.L, 0, 0)
        return at + 1
    push_word(r.L, TAG_NIL, NULL)
    while True:
        if not reader_room(r, at):
            return NULL
        at = skip_space(at, r.end)
        taken = 0
        if at < r.end and begins_number(at[0]):
            taken = read_numbers(r, &at, min(READ_BATCH - waiting, <size_t>(r.room - r.top - READ_SPARE + 1)))
        if taken == 0:
            at = read_value(r, at, True)
            if at == NULL:
                return NULL
            taken = 1
        count += taken
        waiting += taken
        if waiting == READ_BATCH:
            if count == READ_BATCH:
                create_table(r, waiting, 2 * READ_BATCH, 0)
            store_elements(r, waiting, count)
            waiting = 0
        at = skip_space(at, r.end)
        if at < r.end and at[0] == b",":
            at += 1
        elif at < r.end and at[0] == b"]":
            at += 1
            break
        else:
            return json_expected(r, at, b"expected ',' or ']'")
    if count < READ_BATCH:
        create_table(r, waiting, count, 0)
    store_elements(r, waiting, count)
    r.depth -= 1
    return at


cdef void store_members(JsonReader *r, size_t waiting) noexcept nogil:
    """Move the topmost keys and values into the table below them, in the order of the text: the last of equal keys wins."""
    cdef LuaTable *table = table_below(r, 2 * waiting)
    cdef LuaSlot *slots = stack_top(r.L) - 2 * waiting
    cdef int index = r.top - 2 * <int>waiting
    cdef size_t i
    for i in range(waiting):
        if is_white(table) and set_member(table, slots[2 * i], slots[2 * i + 1]):
            continue
        push_slot(r.L, slots[2 * i])
        push_slot(r.L, slots[2 * i + 1])
        lua_rawset(r.L, index)
        slots = stack_top(r.L) - 2 * waiting
    set_top(r.L, slots)
    r.top = index


cdef inline const uint8_t *read_member_key(JsonReader *r, const uint8_t *at) noexcept nogil:
    """Push the key of a member; returns where its value is."""
    at = skip_space(at, r.end)
    if at == r.end or at[0] != b'"':
        return json_expected(r, at, b"expected a key in double quotes")
    at += 1
    if not reader_room(r, at):
        return NULL
    at = read_known_key(r, at) if r.known_slot else read_string(r, at, at)
    if at == NULL:
        return NULL
    at = skip_space(at, r.end)
    if at == r.end or at[0] != b":":
        return json_expected(r, at, b"expected ':' after a key")
    return skip_space(at + 1, r.end)


cdef const uint8_t *read_object(JsonReader *r, const uint8_t *at) noexcept nogil:
    """Push the object at `at`; returns where it ends. Its members wait on the stack.

    The objects of a list tend to have the same members: one that follows another at the same depth gets its table before
    them, in the other's size. (Tables have an order, that of their creation: when a table is made is seen by scripts.)
    """
    cdef size_t count = 0, waiting = 0
    cdef bint early, nulls = False
    at = open_container(r, at)
    if at == NULL:
        return NULL
    if at < r.end and at[0] == b"}":
        r.depth -= 1
        lua_createtable(r.L, 0, 0)
        mark_object(r.L, r.top)
        return at + 1
    early = r.guess[r.depth] != 0
    if early:
        lua_createtable(r.L, 0, r.guess[r.depth])
    else:
        push_word(r.L, TAG_NIL, NULL)
    while True:
        at = read_member_key(r, at)
        if at == NULL:
            return NULL
        nulls |= at < r.end and at[0] == b"n"
        at = read_value(r, at, False)
        if at == NULL:
            return NULL
        count += 1
        waiting += 1
        if waiting == READ_BATCH:
            if count == READ_BATCH and not early:
                create_table(r, 2 * waiting, 0, 2 * READ_BATCH)
            store_members(r, waiting)
            waiting = 0
        at = skip_space(at, r.end)
        if at < r.end and at[0] == b",":
            at += 1
        elif at < r.end and at[0] == b"}":
            at += 1
            break
        else:
            return json_expected(r, at, b"expected ',' or '}'")
    if count < READ_BATCH and not early:
        create_table(r, 2 * waiting, 0, count)
    store_members(r, waiting)
    r.guess[r.depth] = <uint8_t>min(count, 255)
    r.depth -= 1
    if nulls:
        # {"a":null} is an empty table too, and was an object.
        lua_pushnil(r.L)
        if lua_next(r.L, r.top):
            lua_pop(r.L, 2)
        else:
            mark_object(r.L, r.top)
    return at


# ---- the whole text

cdef void explain_json(JsonReader *r, char *wrong, size_t size) noexcept nogil:
    """Write the problem with its line and column (both from 1, columns in bytes)."""
    cdef const uint8_t *at = r.start
    cdef const uint8_t *line = r.start
    cdef long number = 1
    cdef int length
    while at < r.place:
        if at[0] == 10:
            number += 1
            line = at + 1
        at += 1
    length = snprintf(wrong, size, b"line %ld, column %ld: %s", number, <long>(r.place - line) + 1, r.problem)
    if not r.unexpected or length < 0 or <size_t>length >= size:
        return
    wrong += length
    size -= length
    if r.place == r.end:
        snprintf(wrong, size, b", found the end of the text")
    elif 32 < r.place[0] < 127:
        snprintf(wrong, size, b", found '%c'", <int>r.place[0])
    else:
        snprintf(wrong, size, b", found the byte 0x%02X", <int>r.place[0])


cdef bint read_text(JsonReader *r) noexcept nogil:
    """Push the one value of the text."""
    cdef const uint8_t *at = r.start
    if r.end - at >= 3 and memcmp(at, b"\xEF\xBB\xBF", 3) == 0:
        json_problem(r, at, b"the text begins with a byte order mark, which JSON may not")
        return False
    if not reader_room(r, at):
        return False
    at = read_value(r, at, False)
    if at == NULL:
        return False
    at = skip_space(at, r.end)
    if at < r.end:
        json_expected(r, at, b"expected nothing after the value")
        return False
    return True


cdef bint json_push(lua_State *L, const char *data, size_t size, char *wrong, size_t wrong_size) noexcept nogil:
    """Push the value of a JSON text (decisions 37, RFC 8259).

    data, size: the text in UTF-8. Returns False, with nothing pushed, if it is no JSON: `wrong` then says why and
    where. Raises for want of memory only.
    """
    cdef JsonReader r
    cdef int base = lua_gettop(L)
    cdef LuaSlot *result
    memset(&r, 0, sizeof(JsonReader))
    r.L = L
    r.start = <const uint8_t *>data
    r.end = r.start + size
    r.text = &JSON_TEXT
    r.top = r.room = base
    buffer_start(r.text, 0)
    if size >= 128 and lua_checkstack(L, KNOWN_KEYS):
        for _ in range(KNOWN_KEYS):
            push_word(L, TAG_NIL, NULL)
        r.known_slot = base + 1
        r.top = base + KNOWN_KEYS
    if read_text(&r):
        if r.known_slot:
            result = stack_top(L) - 1
            set_slot(result - KNOWN_KEYS, result[0])
            set_top(L, result - KNOWN_KEYS + 1)
        return True
    lua_settop(L, base)
    explain_json(&r, wrong, wrong_size)
    return False
