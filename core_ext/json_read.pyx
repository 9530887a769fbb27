# JSON text to Lua values: strict RFC 8259 in one pass, safe on any bytes, raising for want of memory only.
#
# Tables are made in the right size at once, because growing them costs more than filling them: the members of a container
# wait on the Lua stack until their number is known, and are moved from there to where they belong in the table
# (lua_layout.h). Only containers of more than READ_BATCH members grow as they are read.

from libc.math cimport isinf

cdef enum:
    JSON_DEPTH = 128
    READ_BATCH = 1024           # members of one container that may wait on the stack
    READ_ROOM = 64              # stack slots to ask Lua for at a time
    KNOWN_KEYS = 32             # that are remembered
    KNOWN_KEY_SIZE = 16         # the longest of them, in bytes: its head and tail of eight are all of it

# A key that was read: the documents with many objects have the same few keys in all of them, and to find a string among
# all strings of the state takes longer than to find it here. The string is in a slot of its own on the stack.
ctypedef struct KnownKey:
    uint64_t head
    uint64_t tail
    uint64_t size               # 0: none yet

ctypedef struct JsonReader:
    lua_State *L
    const uint8_t *start
    const uint8_t *at           # where we are; on failure, where the problem is
    const uint8_t *end
    Buffer *text                # strings with escapes are put together here
    int top                     # of the Lua stack: every value that is pushed counts here
    int room                    # the top that Lua has promised
    int depth
    uint8_t[129] guess          # by depth: how many members the object had that was read last, at most 255
    int known_slot              # stack index of the first known key's string; 0: none are remembered
    KnownKey[32] known
    const char *problem
    bint unexpected             # say what was found there instead


cdef inline bint json_problem(JsonReader *r, const uint8_t *at, const char *problem) noexcept nogil:
    r.at = at
    r.problem = problem
    r.unexpected = False
    return False


cdef inline bint json_expected(JsonReader *r, const char *what) noexcept nogil:
    r.problem = what
    r.unexpected = True
    return False


cdef inline bint reader_room(JsonReader *r) noexcept nogil:
    """Make sure that a few more values can be pushed."""
    if r.top + 8 <= r.room:
        return True
    if not lua_checkstack(r.L, READ_ROOM):
        return json_problem(r, r.at, b"there is not enough memory for the value")
    r.room = r.top + READ_ROOM
    return True


cdef inline void skip_space(JsonReader *r) noexcept nogil:
    while r.at < r.end and r.at[0] <= 32 and (r.at[0] == 32 or r.at[0] == 10 or r.at[0] == 13 or r.at[0] == 9):
        r.at += 1


cdef inline bint is_digit(const uint8_t *at, const uint8_t *end) noexcept nogil:
    return at < end and <uint8_t>(at[0] - 48) < 10


# ---- strings

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
        json_problem(r, r.end, b"the string has no end")
        return NULL
    c = at[1]
    if c == b"u":
        code = hex4(after, r.end)
        after += 4
        if code < 0:
            json_problem(r, at, b"\\u must be followed by four hexadecimal digits")
            return NULL
        if 0xD800 <= code < 0xE000:
            low = -1
            if code < 0xDC00 and r.end - after >= 6 and after[0] == b"\\" and after[1] == b"u":
                low = hex4(after + 2, r.end)
            if not 0xDC00 <= low < 0xE000:
                json_problem(r, at, b"half of a surrogate pair stands alone")
                return NULL
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
        json_problem(r, at, b"there is no such escape in JSON")
        return NULL
    buffer_byte(r.text, <char>c)
    return after


cdef bint read_string(JsonReader *r) noexcept nogil:
    """Push the string whose opening quote is just behind us."""
    cdef const uint8_t *start = r.at
    cdef const uint8_t *at = start
    cdef bint escaped = False
    while True:
        at = skip_plain(at, r.end)
        if at == r.end:
            return json_problem(r, at, b"the string has no end")
        if at[0] == b'"':
            break
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
                return False
        else:
            return json_problem(r, at, b"control characters in a string must be escaped")
    if escaped:
        buffer_put(r.text, <const char *>start, at - start)
        if r.text.failed:
            return json_problem(r, at, b"there is not enough memory for the value")
        lua_pushlstring(r.L, r.text.data, r.text.length)
    else:
        lua_pushlstring(r.L, <const char *>start, at - start)
    r.top += 1
    r.at = at + 1
    return True


cdef bint read_known_key(JsonReader *r) noexcept nogil:
    """Push the key whose opening quote is just behind us; short ones are remembered."""
    cdef const uint8_t *start = r.at
    cdef const uint8_t *at
    cdef size_t size
    cdef uint64_t head, tail
    cdef KnownKey *known
    cdef LuaSlot *slot
    if r.end - start <= KNOWN_KEY_SIZE:
        return read_string(r)
    size = plain_of_16(start)
    at = start + size
    if at[0] != b'"' or size == 0:
        return read_string(r)
    memcpy(&head, start, 8)
    if size < 8:
        head &= (1ULL << (8 * size)) - 1
        tail = 0
    else:
        memcpy(&tail, at - 8, 8)
    known = &r.known[((head ^ tail * 3) * 0x9E3779B97F4A7C15ULL + size) >> 59]
    slot = stack_top(r.L) + (r.known_slot + <int>(known - r.known) - r.top - 1)
    if known.size == size and known.head == head and known.tail == tail:
        push_slot(r.L, slot[0])
    else:
        lua_pushlstring(r.L, <const char *>start, size)
        slot = stack_top(r.L) + (r.known_slot + <int>(known - r.known) - r.top - 2)
        set_slot(slot, top_slot(r.L))
        known.head = head
        known.tail = tail
        known.size = size
    r.top += 1
    r.at = at + 1
    return True


# ---- numbers

cdef bint read_number(JsonReader *r) noexcept nogil:
    """Push the number at r.at: an integer if it is written as one and fits into 64 bits, else a float."""
    cdef const uint8_t *start = r.at
    cdef const uint8_t *at = start
    cdef const uint8_t *first
    cdef const uint8_t *point
    cdef bint negative = at[0] == b"-", inexact = False, below
    cdef uint64_t digits = 0
    cdef int exponent = 0, written = 0
    cdef double value
    at += negative
    if not is_digit(at, r.end):
        r.at = at
        return json_expected(r, b"expected a digit")
    first = at
    at = read_digits(at, r.end, &digits)
    if first[0] == b"0" and at - first > 1:
        return json_problem(r, first, b"a number may not begin with 0")
    inexact = at - first > 19       # 19 digits always fit into 64 bits
    if at == r.end or (at[0] != b"." and at[0] | 32 != b"e"):
        if not inexact:
            if digits <= <uint64_t>0x7FFFFFFFFFFFFFFFULL + negative and not (negative and digits == 0):
                push_integer(r.L, <lua_Integer>(0 - digits if negative else digits))
                r.top += 1
                r.at = at
                return True
    else:
        if at[0] == b".":
            at += 1
            point = at
            at = read_digits(at, r.end, &digits)
            if at == point:
                r.at = at
                return json_expected(r, b"expected a digit after the point")
            exponent = -<int>(at - point) if at - point < 100000 else -100000
            if at - first > 20:
                # Zeros in front do not count: 0.000... may still be exact.
                while first < at and (first[0] == b"0" or first[0] == b"."):
                    first += 1
                inexact = at - first - (first < point) > 19
        if at < r.end and at[0] | 32 == b"e":
            at += 1
            below = at < r.end and at[0] == b"-"
            if at < r.end and (at[0] == b"-" or at[0] == b"+"):
                at += 1
            if not is_digit(at, r.end):
                r.at = at
                return json_expected(r, b"expected a digit in the exponent")
            while is_digit(at, r.end):
                if written < 100000:
                    written = written * 10 + (at[0] - 48)
                at += 1
            exponent += -written if below else written
    if inexact or not decimal_to_double(digits, exponent, &value):
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
    r.at = at
    return True


# ---- values

cdef bint read_word(JsonReader *r, bint in_array) noexcept nogil:
    """Push true, false or null; anything else is no value."""
    cdef size_t left = r.end - r.at
    if left >= 4 and memcmp(r.at, b"true", 4) == 0:
        push_word(r.L, TAG_TRUE, NULL)
        r.at += 4
    elif left >= 4 and memcmp(r.at, b"null", 4) == 0:
        if in_array:
            push_word(r.L, TAG_LIGHT, NULL)
        else:
            push_word(r.L, TAG_NIL, NULL)
        r.at += 4
    elif left >= 5 and memcmp(r.at, b"false", 5) == 0:
        push_word(r.L, TAG_FALSE, NULL)
        r.at += 5
    else:
        return json_expected(r, b"expected a value")
    r.top += 1
    return True


cdef inline bint read_value(JsonReader *r, bint in_array) noexcept nogil:
    """Push the value at r.at. `in_array`: null is json.null there; elsewhere it is nil."""
    cdef uint8_t c
    skip_space(r)
    if r.at == r.end:
        return json_expected(r, b"expected a value")
    c = r.at[0]
    if c == b'"':
        r.at += 1
        return read_string(r)
    if c == b"{":
        return read_object(r)
    if c == b"[":
        return read_array(r)
    if c == b"-" or <uint8_t>(c - 48) < 10:
        return read_number(r)
    return read_word(r, in_array)


cdef bint open_container(JsonReader *r) noexcept nogil:
    """Enter an array or object, and stop at its first member or its end."""
    if r.depth == JSON_DEPTH:
        return json_problem(r, r.at, b"nested more than 128 levels deep")
    if not reader_room(r):
        return False
    r.depth += 1
    r.at += 1
    skip_space(r)
    return True


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


cdef bint read_array(JsonReader *r) noexcept nogil:
    """Push the array whose bracket is at r.at. Its elements wait on the stack, and the table is made for as many."""
    cdef size_t count = 0, waiting = 0
    if not open_container(r):
        return False
    r.top += 1
    if r.at < r.end and r.at[0] == b"]":
        r.at += 1
        r.depth -= 1
        lua_createtable(r.L, 0, 0)
        return True
    push_word(r.L, TAG_NIL, NULL)
    while True:
        if not reader_room(r) or not read_value(r, True):
            return False
        count += 1
        waiting += 1
        if waiting == READ_BATCH:
            if count == READ_BATCH:
                create_table(r, waiting, 2 * READ_BATCH, 0)
            store_elements(r, waiting, count)
            waiting = 0
        skip_space(r)
        if r.at < r.end and r.at[0] == b",":
            r.at += 1
        elif r.at < r.end and r.at[0] == b"]":
            r.at += 1
            break
        else:
            return json_expected(r, b"expected ',' or ']'")
    if count < READ_BATCH:
        create_table(r, waiting, count, 0)
    store_elements(r, waiting, count)
    r.depth -= 1
    return True


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


cdef bint read_object(JsonReader *r) noexcept nogil:
    """Push the object whose brace is at r.at. Its members wait on the stack.

    The objects of a list tend to have the same members: one that follows another at the same depth gets its table before
    them, in the other's size. (Tables have an order, that of their creation: when a table is made is seen by scripts.)
    """
    cdef size_t count = 0, waiting = 0
    cdef bint early, nulls = False
    if not open_container(r):
        return False
    r.top += 1
    if r.at < r.end and r.at[0] == b"}":
        r.at += 1
        r.depth -= 1
        lua_createtable(r.L, 0, 0)
        mark_object(r.L, r.top)
        return True
    early = r.guess[r.depth] != 0
    if early:
        lua_createtable(r.L, 0, r.guess[r.depth])
    else:
        push_word(r.L, TAG_NIL, NULL)
    while True:
        skip_space(r)
        if r.at == r.end or r.at[0] != b'"':
            return json_expected(r, b"expected a key in double quotes")
        r.at += 1
        if not reader_room(r) or not (read_known_key(r) if r.known_slot else read_string(r)):
            return False
        skip_space(r)
        if r.at == r.end or r.at[0] != b":":
            return json_expected(r, b"expected ':' after a key")
        r.at += 1
        skip_space(r)
        nulls |= r.at < r.end and r.at[0] == b"n"
        if not read_value(r, False):
            return False
        count += 1
        waiting += 1
        if waiting == READ_BATCH:
            if count == READ_BATCH and not early:
                create_table(r, 2 * waiting, 0, 2 * READ_BATCH)
            store_members(r, waiting)
            waiting = 0
        skip_space(r)
        if r.at < r.end and r.at[0] == b",":
            r.at += 1
        elif r.at < r.end and r.at[0] == b"}":
            r.at += 1
            break
        else:
            return json_expected(r, b"expected ',' or '}'")
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
    return True


# ---- the whole text

cdef void explain_json(JsonReader *r, char *wrong, size_t size) noexcept nogil:
    """Write the problem with its line and column (both from 1, columns in bytes)."""
    cdef const uint8_t *at = r.start
    cdef const uint8_t *line = r.start
    cdef long number = 1
    cdef int length
    while at < r.at:
        if at[0] == 10:
            number += 1
            line = at + 1
        at += 1
    length = snprintf(wrong, size, b"line %ld, column %ld: %s", number, <long>(r.at - line) + 1, r.problem)
    if not r.unexpected or length < 0 or <size_t>length >= size:
        return
    wrong += length
    size -= length
    if r.at == r.end:
        snprintf(wrong, size, b", found the end of the text")
    elif 32 < r.at[0] < 127:
        snprintf(wrong, size, b", found '%c'", <int>r.at[0])
    else:
        snprintf(wrong, size, b", found the byte 0x%02X", <int>r.at[0])


cdef bint read_text(JsonReader *r) noexcept nogil:
    """Push the one value of the text."""
    if r.end - r.at >= 3 and memcmp(r.at, b"\xEF\xBB\xBF", 3) == 0:
        return json_problem(r, r.at, b"the text begins with a byte order mark, which JSON may not")
    if not reader_room(r) or not read_value(r, False):
        return False
    skip_space(r)
    return r.at == r.end or json_expected(r, b"expected nothing after the value")


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
    r.start = r.at = <const uint8_t *>data
    r.end = r.at + size
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
