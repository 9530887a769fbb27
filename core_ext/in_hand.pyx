# What a worker has in hand, where its supervisor sees it: each activation and activity comes through here twice.
#
# The lock is the GIL, which nothing here gives away half-way, but for the wait for the turn.

import threading

from cpython.unicode cimport PyUnicode_AsUTF8AndSize

cdef enum:                      # the words of a worker's block: Slot of fleet/supervisor/page.py
    WORD_PROGRESS = 1
    WORD_IN_FLIGHT = 2
    WORD_SINCE = 6
    WORD_RUN_ID = 7
    SLOT_WORDS = 12
    RUN_ID_BYTES = 36
    RUN_ID_ROOM = 40

# Nanoseconds after which the activation that has the turn will not give it back soon: it has not ended in its time.
cdef int64_t OVERDUE = 1500000000


cdef class InHand:
    """The words of a worker's block that change with each task. Any thread may call its methods.

    words: the worker's block in the page, a writable buffer. patience: seconds that an activation waits for the one before.
    """

    cdef object owner, turn
    cdef uint64_t *words
    cdef double patience
    cdef uint64_t in_flight
    cdef str holder             # whose activation has the turn, None without one
    cdef int64_t since          # when that began
    cdef dict beside            # activations that run without the turn: run id -> when they began

    def __init__(self, words, double patience):
        self.words = shared_words(words, SLOT_WORDS)
        self.owner = words
        self.turn = threading.Lock()
        self.patience = patience
        self.beside = {}

    def begin(self, str run_id):
        """An activation of the run begins; returns whether it has the turn, for `end`.

        One after the other, so that the page shows the one that runs when the process dies, and no innocent run is
        taken for its cause. A worker has one CPU: nothing is lost. Only when one does not end do others run beside it.
        """
        cdef bint turn = self.turn.acquire(False) or self.waited()
        cdef int64_t now = monotonic()
        self.count(1)
        if turn:
            self.holder = run_id
            self.since = now
            self.show(run_id, now)
        else:
            self.beside[run_id] = now
        return turn

    def end(self, str run_id, bint turn):
        """An activation has ended."""
        if turn:
            self.holder = None
        else:
            del self.beside[run_id]
        if self.holder is None:
            publish(self.words + WORD_SINCE, 0)
            # One that ran beside and does not end has to be seen at some time.
            for other, since in self.beside.items():
                self.show(other, since)
                break
        self.count(-1)
        if turn:
            self.turn.release()

    def activity_begins(self):
        """One begins."""
        self.count(1)

    def activity_ended(self, error, bint is_local):
        """One has ended, with an error or without."""
        self.count(-1)

    cdef bint waited(self) except -1:
        """Wait for the turn; False when it does not come."""
        if self.holder is not None and monotonic() - self.since > OVERDUE:
            return False
        return self.turn.acquire(True, self.patience)

    cdef void count(self, int change) noexcept:
        self.in_flight += change
        publish(self.words + WORD_IN_FLIGHT, self.in_flight)
        if change < 0:
            publish(self.words + WORD_PROGRESS, monotonic())

    cdef int show(self, str run_id, int64_t since) except -1:
        cdef Py_ssize_t size
        cdef const char *text = PyUnicode_AsUTF8AndSize(run_id, &size)
        cdef char id[RUN_ID_ROOM]
        memset(id, 0, RUN_ID_ROOM)
        memcpy(id, text, min(size, RUN_ID_BYTES))
        # Readers take an id for whole if the time is the same before and after they have read it.
        publish(self.words + WORD_SINCE, 0)
        memcpy(self.words + WORD_RUN_ID, id, RUN_ID_ROOM)
        publish(self.words + WORD_SINCE, since)
        return 0
