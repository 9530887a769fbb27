# Permits for polls and tasks, as many as a word of shared memory says: what fleet/worker/permits.py hands to the SDK.
#
# The bridge calls on threads of the core's, in a thread state made for that one moment: no frame of a Python function
# here (delivery.pyx says why). The lock is the GIL, which nothing here gives away half-way.

cdef enum:                      # the words of a worker's tasks of one kind: Tasks of fleet/supervisor/page.py
    WORD_LIMIT = 0              # one more than the permits that there are; 0: as many as the entry allows
    WORD_HELD = 1
    WORD_USED = 2
    WORD_BUSY = 3
    WORD_FINISHED = 4
    TASKS_WORDS = 5

# Nanoseconds. A poll that brings a task sooner did not wait for one, it was under way to a task that was there: a few
# round trips to a server that is far.
cdef int64_t UNDER_WAY = 100000000


cdef class Permit:
    """A permit that the SDK holds. One that it drops, as it does with those that come when it shuts down, is free."""

    cdef Permits permits        # that it counts among, until it is given back
    cdef bint sticky            # it was asked for by a poll for workflow tasks of cached runs
    cdef bint poll              # a poll has it, no task yet
    cdef bint used              # a task has it
    cdef int64_t granted        # when it was (monotonic ns)

    def __dealloc__(self):
        if self.permits is not None:
            self.permits.forget(self)


cdef class PermitRequest:
    """A poll that asks for a permit. The bridge takes it for a future of asyncio's."""

    _asyncio_future_blocking = False
    cdef Permits permits
    cdef Permit permit
    cdef bint sticky
    cdef object granted

    def add_done_callback(self, callback, *, context=None):
        """Call it with this when the permit is granted: on whatever thread, at once if it is."""
        if self.permit is not None:
            callback(self)
        else:
            self.granted = callback

    def result(self):
        """The permit, once."""
        permit, self.permit = self.permit, None
        if permit is None:
            raise RuntimeError("no permit has been granted")
        return permit

    def cancel(self):
        """Nobody waits for it any more."""
        if self in self.permits.waiting:
            self.permits.waiting.remove(self)
        self.permit = self.granted = None


cdef class Permits:
    """The permits for one kind of tasks on one task queue; a slot supplier, as the bridge sees it.

    words: the worker's words in the page, a writable buffer. most: the limit of the entry's own options, never
    exceeded. is_shared: there are polls for the tasks of cached runs too, which share the permits. is_eager: tasks come
    without a poll too.
    """

    cdef object owner
    cdef uint64_t *words
    cdef uint64_t most
    cdef bint is_shared, is_eager, tasks_wait
    cdef uint64_t polls[2]      # that hold a permit: ordinary ones, those for the tasks of cached runs
    cdef list waiting
    cdef int64_t counted_until

    def __init__(self, words, uint64_t most, *, bint is_shared, bint is_eager):
        self.words = shared_words(words, TASKS_WORDS)
        self.owner = words
        self.most = most
        self.is_shared = is_shared
        self.is_eager = is_eager
        self.waiting = []
        self.counted_until = monotonic()

    @property
    def limit(self):
        """How many permits may be held now."""
        return self.bound()

    # ---- what the bridge calls

    def reserve_slot(self, ctx, created):
        """A PermitRequest, which `created` is called with too."""
        cdef PermitRequest request = PermitRequest.__new__(PermitRequest)
        request.permits = self
        request.sticky = ctx.is_sticky
        if not self.waiting and self.may_poll(request.sticky):
            request.permit = self.take(request.sticky, True)
        else:
            self.waiting.append(request)
            self.serve()
        created(request)
        return request

    def try_reserve_slot(self, ctx):
        """A permit for a task that comes without a poll, None without a free one."""
        cdef int64_t free = self.bound() - self.words[WORD_HELD]
        # One without a poll that comes again and again must not take the last permit from the polls for ever.
        if free < 1 or (free == 1 and not self.polls[0] and not self.polls[1]):
            return None
        return self.take(ctx.is_sticky, False)

    def mark_slot_used(self, ctx):
        """A task has come."""
        cdef Permit permit = ctx.permit
        self.count()
        if permit.poll:
            self.tasks_wait = self.counted_until - permit.granted < UNDER_WAY
        self.polled(permit)
        permit.used = True
        self.words[WORD_USED] += 1

    def release_slot(self, ctx):
        """The task has ended, or the poll without one."""
        cdef Permit permit = ctx.permit
        if permit.permits is not None:
            permit.permits = None
            self.forget(permit)
            if self.waiting:
                self.serve()

    # ---- ours

    def serve(self):
        """Grant what waits, in order, as far as the limit allows; bring the sums up to date."""
        cdef PermitRequest request
        cdef list waiting = self.waiting, granted = []
        self.count()
        self.waiting = []
        for request in waiting:
            if self.may_poll(request.sticky):
                request.permit = self.take(request.sticky, True)
                granted.append(request)
            else:
                self.waiting.append(request)
        for request in granted:
            if request.granted is not None:
                request.granted(request)
                request.granted = None

    cdef int64_t bound(self) noexcept:
        cdef uint64_t limit = self.words[WORD_LIMIT]
        return <int64_t>(self.most if limit == 0 else min(limit - 1, self.most))

    cdef bint may_poll(self, bint sticky) noexcept:
        cdef int64_t free = self.bound() - <int64_t>self.words[WORD_HELD]
        cdef int64_t polls = self.polls[sticky]
        if self.is_shared:
            # Workflow tasks come from two queues. A poll of the one must not keep the last permit from the other for as
            # long as the server lets it wait: with two sticky polls and two permits a new run began after 10 s.
            return free > 1 or (free == 1 and not (polls and not self.polls[not sticky]))
        # A task that comes without a poll spares the server and this worker one; it finds a permit only if the polls
        # have not taken them all. While they wait, they take one, and beyond it at most as many as they leave.
        return free > polls if self.is_eager and polls and not self.tasks_wait else free > 0

    cdef Permit take(self, bint sticky, bint poll):
        cdef Permit permit = Permit.__new__(Permit)
        permit.permits = self
        permit.sticky = sticky
        permit.poll = poll
        permit.granted = monotonic()
        self.words[WORD_HELD] += 1
        self.polls[sticky] += poll
        return permit

    cdef void polled(self, Permit permit) noexcept:
        self.polls[permit.sticky] -= permit.poll
        permit.poll = False

    cdef void forget(self, Permit permit) noexcept:
        self.count()
        self.words[WORD_HELD] -= 1
        self.polled(permit)
        if permit.used:
            self.words[WORD_USED] -= 1
            self.words[WORD_FINISHED] += 1

    cdef void count(self) noexcept:
        """Bring the sum of busy times up to now; before each change of what is used. It wraps."""
        cdef int64_t now = monotonic()
        self.words[WORD_BUSY] += self.words[WORD_USED] * <uint64_t>(now - self.counted_until)
        self.counted_until = now


cdef class PermitLoop:
    """Stands in for the event loop where the bridge asks it to await a PermitRequest: that needs no loop.

    loop: what everything else goes to.
    """

    cdef object loop

    def __init__(self, loop):
        self.loop = loop

    def create_future(self):
        return self.loop.create_future()

    def call_soon_threadsafe(self, callback, *args, context=None):
        # Results of the bridge's own futures come with arguments.
        if args:
            self.loop.call_soon_threadsafe(callback, *args, context=context)
        else:
            callback()
