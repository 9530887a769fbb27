# What is known of an activation or a completion without reading all of it: whose it is, and of which sorts its parts are.
#
# Field numbers come from the installed temporalio's descriptors, as those of a schema do.

cdef uint64_t parts_of(Wire w) noexcept nogil:
    """A bit for each field of the message, up to field 63; those above are no variants of jobs or commands."""
    cdef uint64_t tag, found = 0
    while w.at < w.end and not w.bad:
        tag = wire_varint(&w)
        if tag >> 3 < 64:
            found |= <uint64_t>1 << (tag >> 3)
        wire_skip(&w, tag & 7)
    return found


def activation_head(uint64_t run_id, uint64_t is_replaying, uint64_t jobs, bytes activation not None):
    """(run id, is it replaying, sorts of its jobs as a bit set of field numbers). The arguments before the bytes
    are field numbers of WorkflowActivation. Raises ValueError when the bytes are no message."""
    cdef Wire w, inner, id
    cdef uint64_t tag, sorts = 0
    cdef bint replaying = False
    w.at = <const uint8_t *>PyBytes_AS_STRING(activation)
    w.end = w.at + len(activation)
    w.bad = False
    id.at = id.end = w.at
    while w.at < w.end and not w.bad:
        tag = wire_varint(&w)
        if tag == (run_id << 3 | 2):
            id = wire_bytes(&w)
        elif tag == is_replaying << 3:
            replaying = wire_varint(&w) != 0
        elif tag == (jobs << 3 | 2):
            inner = wire_bytes(&w)
            sorts |= parts_of(inner)
        else:
            wire_skip(&w, tag & 7)
    if w.bad:
        raise ValueError("malformed activation")
    return id.at[:id.end - id.at].decode("utf-8"), replaying, sorts


def completion_head(uint64_t successful, uint64_t failed, uint64_t commands, bytes completion not None):
    """(has the task failed, sorts of its commands as a bit set of field numbers). The arguments before the bytes are
    field numbers of WorkflowActivationCompletion and of its Success. Raises ValueError when the bytes are no message."""
    cdef Wire w, success, inner
    cdef uint64_t tag, sorts = 0
    cdef bint has_failed = False
    w.at = <const uint8_t *>PyBytes_AS_STRING(completion)
    w.end = w.at + len(completion)
    w.bad = False
    while w.at < w.end and not w.bad:
        tag = wire_varint(&w)
        if tag == (successful << 3 | 2):
            success = wire_bytes(&w)
            while success.at < success.end and not success.bad:
                tag = wire_varint(&success)
                if tag == (commands << 3 | 2):
                    inner = wire_bytes(&success)
                    sorts |= parts_of(inner)
                else:
                    wire_skip(&success, tag & 7)
        else:
            has_failed |= tag == (failed << 3 | 2)
            wire_skip(&w, tag & 7)
    if w.bad:
        raise ValueError("malformed completion")
    return has_failed, sorts
