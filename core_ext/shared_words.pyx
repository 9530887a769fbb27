# The memory that supervisor and workers share (fleet/supervisor/page.py): 64-bit words.

from cpython.buffer cimport PyBUF_WRITABLE, Py_buffer, PyBuffer_Release, PyObject_GetBuffer

cdef extern from *:
    """
    /* A word that others read while it is written: whole, and not before what was written ahead of it. */
    static inline void publish(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
    """
    void publish(uint64_t *word, uint64_t value) noexcept nogil


cdef uint64_t *shared_words(object words, Py_ssize_t count) except NULL:
    """Where the words of a writable buffer are, `count` of them at least. They stay as long as the object does."""
    cdef Py_buffer buffer
    PyObject_GetBuffer(words, &buffer, PyBUF_WRITABLE)
    cdef void *where = buffer.buf
    cdef Py_ssize_t size = buffer.len
    PyBuffer_Release(&buffer)
    if size < count * <Py_ssize_t>sizeof(uint64_t):
        raise ValueError("the words of the shared memory are too few")
    return <uint64_t *>where
