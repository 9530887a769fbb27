# fleet._core: the native core. This file is its table of contents; the structures are in types.pxd.

include "lua.pxd"           # the Lua C API
include "types.pxd"         # every C structure, and what owns it

include "buffer.pyx"        # growable byte buffers
include "alloc.pyx"         # the memory of a state, its limit, creation serials
include "budget.pyx"        # instruction and time budget, violations
include "scheduler.pyx"     # tasks, run queue, parking and waking
include "channel.pyx"       # channels and select
include "coroutines.pyx"    # coroutine.* over the scheduler
include "waiting.pyx"       # where tasks wait
include "members.pyx"       # the members of the libraries, for all states
include "naming.pyx"        # tostring without addresses, names of built-in functions
include "order.pyx"         # the order of keys: snapshots, sorted keys
include "traversal.pyx"     # pairs and next in that order
include "text.pyx"          # text that grows while Lua code may run
include "matcher.pyx"       # matching a Lua pattern
include "patterns.pyx"      # string.find, match, gmatch, gsub
include "strings.pyx"       # the rest of string.*
include "tables.pyx"        # table.*
include "base.pyx"          # setmetatable, load, randomseed, traceback ...
include "absent.pyx"        # explanations in place of what the sandbox does not have
include "libraries.pyx"     # the standard libraries: our own where the stock ones are not safe
include "numbers.pyx"       # numbers to decimal text and back
include "json_read.pyx"     # JSON text to Lua values
include "json_strings.pyx"  # the strings of a JSON text
include "json_numbers.pyx"  # the numbers of a JSON text
include "json_write.pyx"    # Lua values to JSON text
include "json_text.pyx"     # strings and numbers as JSON text
include "json_members.pyx"  # the members of an object, in order
include "json_refusals.pyx"  # what cannot be JSON, and where it is
include "json.pyx"          # JSON as scripts call it
include "proto.pyx"         # protobuf messages to Lua tables and back
include "envelope.pyx"      # whose an activation is, and what is in it
include "delivery.pyx"      # how activations come and completions go
include "shared_words.pyx"  # the memory that supervisor and workers share
include "permits.pyx"       # permits for polls and tasks
include "in_hand.pyx"       # what a worker has in hand
include "payload.pyx"       # Temporal payloads
include "random.pyx"        # the run's own random numbers
include "objects.pyx"       # host objects for the privileged modules
include "flat.pyx"          # values between Lua and Python
include "host.pyx"          # calls from Lua into Python
include "program.pyx"       # compiled Lua
include "image.pyx"         # strings and code that states share
include "sandbox.pyx"       # what a script sees
include "stackdump.pyx"     # the Lua stacks of a process that hangs or crashes
include "state.pyx"         # LuaState, Pool: what Python holds
include "selfcheck.pyx"     # binds lupa's Lua at import and proves that it fits
