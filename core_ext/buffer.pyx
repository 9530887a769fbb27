# Growable byte buffers. They never raise: a buffer that may not grow marks itself failed and swallows the rest,
# so that code between two Lua calls needs no clean-up path.

from libc.stdio cimport snprintf  # no-cython-lint: the files included after this one use it
from libc.stdlib cimport free, malloc, realloc  # no-cython-lint: the files included after this one use them
from libc.string cimport memchr, memcpy, memmove, memcmp, memset, strchr, strcmp, strlen, strstr  # no-cython-lint: the files included after this one use them

cdef bint buffer_reserve(Buffer *b, size_t extra) noexcept nogil:
    cdef size_t need = b.length + extra
    cdef size_t capacity
    cdef char *grown
    if need <= b.capacity:
        return True
    if b.failed or need < extra or (b.limit and need > b.limit):
        b.failed = True
        return False
    capacity = b.capacity * 2 if b.capacity else 512
    if capacity < need:
        capacity = need
    grown = <char *>realloc(b.data, capacity)
    if grown == NULL:
        b.failed = True
        return False
    b.data = grown
    b.capacity = capacity
    return True


cdef inline void buffer_put(Buffer *b, const char *data, size_t size) noexcept nogil:
    if b.length + size <= b.capacity or buffer_reserve(b, size):
        memcpy(b.data + b.length, data, size)
        b.length += size


cdef inline void buffer_byte(Buffer *b, char byte) noexcept nogil:
    if b.length < b.capacity or buffer_reserve(b, 1):
        b.data[b.length] = byte
        b.length += 1


cdef inline void buffer_text(Buffer *b, const char *text) noexcept nogil:
    buffer_put(b, text, strlen(text))


cdef inline void buffer_start(Buffer *b, size_t limit) noexcept nogil:
    # A scratch buffer that once held something huge gives the memory back.
    if b.capacity > 1 << 20:
        free(b.data)
        b.data = NULL
        b.capacity = 0
    b.length = 0
    b.limit = limit
    b.failed = False
