# The design of the core in one page: every C structure, and what owns it.
#
# A StateC belongs to one Lua state (one workflow run, one function call, one process). It is reached from any
# lua_State of that run through lua_getextraspace, so no C function here needs an upvalue to find it.
# Ownership: LuaState (Python) -> StateC -> lua_State -> everything Lua allocates. Tasks and waiters are malloc'ed
# and belong to StateC.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "debug.h" nogil:
    const bint FLEET_DEBUG_BUILD
    void live_states(int step)
    void live_blocks(int step)
    void live_tasks(int step)
    void live_waiters(int step)
    long long live_states_count()
    long long live_blocks_count()
    long long live_tasks_count()
    long long live_waiters_count()


# Why an activation was thrown away. A script cannot catch these: whatever pcall makes of the Lua error,
# step() looks at StateC.violation afterwards.
cdef enum Violation:
    VIOLATION_NONE = 0
    VIOLATION_INSTRUCTIONS = 1
    VIOLATION_TIME = 2
    VIOLATION_MEMORY = 3
    VIOLATION_STACK = 4
    VIOLATION_SANDBOX = 5       # a missing module, something that the sandbox does not have


cdef enum TaskStatus:
    TASK_READY = 0              # in the run queue; `nargs` values for its resume are on its stack
    TASK_RUNNING = 1
    TASK_BLOCKED = 2


# How a blocked task takes a cancellation (decisions 17): raise the error at the blocking call, or return nil, err.
cdef enum Interrupt:
    INTERRUPT_NEVER = 0
    INTERRUPT_RAISES = 1
    INTERRUPT_RETURNS = 2


# A growable byte buffer (buffer.pyx); `failed` sticks when it outgrows its limit, so writers check once at the end.
cdef extern from "buffer.h" nogil:
    ctypedef struct Buffer:
        char *data
        size_t length
        size_t capacity
        size_t limit
        bint failed
    Buffer SCRATCH
    Buffer HOST_RESULT

# Looking at text in large steps (json_strings.pyx, json_text.pyx), and the codec's working space.
cdef extern from "scan.h" nogil:
    Buffer JSON_TEXT
    Buffer JSON_MEMBERS
    void prepare_scan()
    size_t plain_of_16(const uint8_t *at)
    const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
    const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end)
    size_t copy_plain(char *to, const char *source, size_t size)
    size_t copy_wide(char *to, const uint8_t *source, const uint8_t *end)
    const uint8_t *skip_wide(const uint8_t *at, const uint8_t *end)
    uint64_t eight_digits(uint32_t value)
    void first_16(const uint8_t *at, size_t size, uint64_t *head, uint64_t *tail)
    const uint8_t *read_digits(const uint8_t *at, const uint8_t *end, uint64_t *value)
    const uint8_t *read_short_integer(const uint8_t *at, int64_t *value)
    uint64_t order_prefix(const char *text, size_t size)


# Memory of Lua states in large pieces (alloc.pyx).
cdef extern from "chunks.h" nogil:
    ctypedef struct Chunk:
        Chunk *next
        uint32_t live           # blocks in use
        uint32_t kind           # BlockKind of all its blocks
    const size_t CHUNK_SIZE
    const size_t SMALL_BLOCK    # bytes that a block of a chunk may hold, its header apart
    Chunk *chunk_of(const void *block)
    Chunk *chunk_take()
    void chunk_give(Chunk *chunk)

cdef enum:
    SHARED_BUCKETS = 256        # of the strings in an image, and at least in the string tables of its states
    MOST_SHARED = 4 * SHARED_BUCKETS    # short strings that a program adds: each new string of a state is looked for among them
    NEVER_SHRINKS = 4           # Lua's collector halves a string table of which less than this part is in use

cdef enum:
    BLOCK_CLASSES = 26          # lists of free small blocks, by size
    BLOCK_KINDS = 4


# Code in an image: that of a module or of a chunk of a program.
ctypedef struct SharedCode:
    const char *name
    size_t size
    void *proto
    bint passing


# What the states of an image share (image.pyx).
ctypedef struct Shared:
    LuaText *strings[SHARED_BUCKETS]
    SharedCode *code
    int count
    void *maker                 # the code of the function that makes functions with shared code
    const Shared *below         # of the engine; NULL: this is it


# Before each block that is too large for a chunk.
ctypedef struct LargeBlock:
    LargeBlock *next
    LargeBlock *previous
    size_t size                 # of all of it


# One field of a protobuf message that the core reads or writes (proto.pyx).
ctypedef struct ProtoField:
    uint32_t number
    uint8_t kind                # ProtoKind
    bint repeated
    bint is_map                 # map<string, V>: `message` is the entry type's value message, or -1 for a string
    int message                 # index into Schema.messages when kind is PROTO_MESSAGE
    char name[56]
    uint8_t name_length


ctypedef struct ProtoMessage:
    uint8_t special             # ProtoSpecial
    int count
    ProtoField *fields          # in order of their numbers


cdef enum ProtoKind:
    PROTO_INTEGER = 0           # int32, int64, uint32, uint64, enum (uint64 keeps its bits)
    PROTO_BOOL = 1
    PROTO_DOUBLE = 2
    PROTO_FLOAT = 3
    PROTO_BYTES = 4             # string and bytes
    PROTO_MESSAGE = 5


# Messages that are not tables in Lua.
cdef enum ProtoSpecial:
    SPECIAL_NONE = 0
    SPECIAL_PAYLOAD = 1         # a Lua value, through the payload codec
    SPECIAL_NANOSECONDS = 2     # Duration and Timestamp: an integer


# A managed coroutine. All tasks hang on StateC.tasks in order of creation; the ready ones on the run queue too.
ctypedef struct Task:
    lua_State *L                # kept alive by the task table in the registry
    uint32_t id
    uint8_t status              # TaskStatus
    uint8_t interrupt           # Interrupt, while blocked
    bint raises                 # the one resume value is an error to raise
    int nargs
    Waiter *waiters             # while blocked on channels: one for send and receive, n for select
    int nwaiters
    Task *previous
    Task *next
    Task *next_ready


# One case of a blocked channel operation, linked into the channel's queue of senders or receivers.
ctypedef struct Waiter:
    Task *task
    Channel *channel
    lua_State *frame            # the coroutine that blocked (a manual coroutine may run inside the task)
    int case_index              # 1-based position in select; 0 for a plain send or receive
    bint sends
    Waiter *previous
    Waiter *next


# The payload of a channel userdata. Buffered values live in the userdata's user value, a table used as a ring:
# position p is at key p, `head` is the oldest, `count` how many.
ctypedef struct Channel:
    int64_t capacity
    int64_t head
    int64_t count
    bint closed
    Waiter *receivers
    Waiter *receivers_tail
    Waiter *senders
    Waiter *senders_tail


# A coroutine that runs, on the C stack of who resumes it (stackdump.pyx).
ctypedef struct Resumption:
    lua_State *L
    Resumption *outer           # the one that has resumed it


ctypedef struct StateC:
    lua_State *L                # the main thread: runs no user code but chunk bodies
    void *owner                 # borrowed: the LuaState that owns this struct

    # memory (alloc.pyx); the arrays are by BlockKind
    size_t used                 # bytes of all blocks
    size_t held                 # bytes taken from the system for them
    int passing                 # of the block kinds: PASSING while code is loaded that will go
    void *free_blocks[BLOCK_KINDS][BLOCK_CLASSES]
    char *fresh[BLOCK_KINDS]    # the unused part of the chunk in use
    char *fresh_end[BLOCK_KINDS]
    Chunk *chunks
    size_t empty_chunks
    LargeBlock *large
    const Shared *shared        # what the state has from an image; NULL: nothing
    bint apart                  # the strings of that are out of its string table, for that grows
    size_t limit
    uint64_t serial             # the last creation serial given
    uint64_t shown              # the last number under which an object was shown (naming.pyx)
    void *refused               # the block whose growth was refused last: a second refusal in a row is final
    size_t refused_size

    # budget (budget.pyx)
    bint sliced                 # functions and processes: give way to the event loop instead of failing
    uint8_t violation           # Violation
    uint64_t instructions       # spent in this step, C work included
    uint64_t instruction_limit
    int64_t deadline            # CLOCK_MONOTONIC, nanoseconds
    char *report                # the violation in words, with the Lua traceback; NULL before it is written

    # scheduler (scheduler.pyx)
    Task *tasks
    Task *tasks_tail
    Task *ready
    Task *ready_tail
    Task *current
    uint32_t last_task
    int wake_nargs              # how many values the current resume brought
    bint wake_raises
    bint handed_over            # the yield in flight is ours (block, spawn, slice), not the script's
    bint must_not_block         # while a chunk body runs
    bint stopped                # the main function has ended or failed: nothing runs any more

    # what a fatal signal shows (stackdump.pyx)
    Resumption *resumption      # the innermost coroutine that runs
    StateC *entered_before      # the next of the states that are inside of a step
    unsigned long thread        # that is in the step

    uint64_t random_state[4]    # of the run's seed: uuid and generated names
    uint64_t seed
