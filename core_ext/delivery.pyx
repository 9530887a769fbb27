# What temporalio's bridge is given in place of the running event loop and of its futures.
#
# The bridge delivers results on threads of the core's, in a thread state made for that one moment. The first frame of a
# Python function in it would map memory, and its end unmap it: there is none here.

cdef class Delivery:
    """Stands in for the event loop in calls of the bridge, and for the future of a poll.

    A poll's result wakes the loop, which is called with it. That of a completion does not, unless somebody waits.

    wake: call_soon_threadsafe of the loop. taken, ended: called on the loop with what a poll gives or raises.

    Attributes:
        settled: called on the loop when no completion is under way any more; None while nobody waits for that.
    """

    cdef object wake, taken, ended, future
    cdef set under_way
    cdef public object settled

    def __init__(self, wake, taken, ended):
        self.wake = wake
        self.taken = taken
        self.ended = ended
        self.future = self
        self.under_way = set()
        self.settled = None

    def __len__(self):
        """How many completions are under way."""
        return len(self.under_way)

    def poll(self):
        """The next call of the bridge is a poll."""
        self.future = self

    def completion(self, id, failed, arrived):
        """The next call of the bridge hands in a completion.

        id: whose it is. failed: called on the loop with the id and the error when it cannot be handed on. arrived: called
        on the loop when the core has dealt with it, or None.
        """
        cdef Completing completing = Completing.__new__(Completing)
        completing.delivery = self
        completing.id = id
        completing.failed = failed
        completing.arrived = arrived
        self.under_way.add(completing)
        self.future = completing

    def withdraw(self):
        """The call has raised: there is no completion."""
        self.under_way.discard(self.future)

    # What the bridge asks of a loop.

    def create_future(self):
        return self.future

    def call_soon_threadsafe(self, check, future, deliver, value, *, context=None):
        if future is self:
            self.wake(deliver, value)
        else:
            deliver(value)

    # What it asks of a future.

    def add_done_callback(self, callback):
        """It would tell of a cancellation; there is none."""

    def cancelled(self):
        return False

    @property
    def set_result(self):
        return self.taken

    @property
    def set_exception(self):
        return self.ended


cdef class Completing:
    """The future of one completion."""

    cdef Delivery delivery
    cdef object id, failed, arrived

    def add_done_callback(self, callback):
        """It would tell of a cancellation; there is none."""

    def cancelled(self):
        return False

    def set_result(self, value):
        cdef Delivery delivery = self.delivery
        delivery.under_way.discard(self)
        if self.arrived is not None:
            delivery.wake(self.arrived)
        if delivery.settled is not None and not delivery.under_way:
            delivery.wake(delivery.settled)

    def set_exception(self, error):
        self.delivery.wake(self.failed, self.id, error)
        self.set_result(None)
