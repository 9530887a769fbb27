-- The engine of a function call outside workflows: real time, real randomness, I/O through requests to Python.
--
-- A request is {number, name, arguments} in the outbox that flush() returns; Python does it on the event loop and
-- answers with an event {"done", number, value} or {"failed", number, error}. Answers that are there at the same time
-- come as one event {"batch", {event, ...}}. `host` has the interface that engine_workflow.lua has.
local core, base = ...
local lib = core.lib
local type, error = lib.type, lib.error

local host = { workflow = false }
local loader = core.module("loader")(core, base, host)
local module = loader.module
local errors, internal = module("errors")
base.errors = errors
base.os = module("os")
base.print = module("print")
base.payload = module("payload")
base.process = module("process")

local call = { number = 0, waiting = {}, outbox = {}, context = {} }

--- host.begin(done, name, ...) -> number; done(value, err) is called when Python has the answer
local function begin(done, name, ...)
    call.number = call.number + 1
    call.waiting[call.number] = done
    call.outbox[#call.outbox + 1] = { call.number, name, lib.t_pack(...) }
    return call.number
end
host.begin = begin

--- host.abandon(number): the answer is wanted no more
function host.abandon(number)
    if call.waiting[number] then
        call.waiting[number] = nil
        call.outbox[#call.outbox + 1] = { number, "abandon", { n = 0 } }
        return true
    end
    return false
end

--- host.request(name, ...) -> value | nil, err. Blocks this coroutine only.
function host.request(name, ...)
    local task = core.current()
    local answered = false
    local number = begin(function(value, err)
        answered = true
        core.wake(task, value, err)
    end, name, ...)
    local value, err = core.park(2)
    if not answered then host.abandon(number) end
    return value, err
end

function host.now() return core.host("now") end

--- host.started() -> host.now() when the call began
function host.started() return call.started end

function host.random_bytes(n) return core.host("random_bytes", n) end

function host.timer(ns, fired) return begin(fired, "sleep", ns) end

function host.cancel_timer(number) return host.abandon(number) end

function host.sleep(ns)
    local _, err = host.request("sleep", ns)
    if err then error(err, 0) end
end

function host.log(level, text, fields) core.host("log", level, text, fields) end

function host.context() return call.context end

--- host.reads_events(): the script asked for process.events(), and decides itself what a cancel means
function host.reads_events() core.host("process_reads_events") end

--- host.start_call(id, arguments, options, context, done) -> op | nil, err
-- arguments: list of encoded payloads with n; options: as with_options got them; context: table, or nil to inherit;
-- done(value, err) is called when the function has ended.
function host.start_call(id, arguments, options, context, done)
    local encoded, wrong
    if context then
        encoded, wrong = core.payload(context)
        if not encoded then return nil, internal.make("INVALID", "the context cannot be sent: " .. wrong, false) end
    end
    local op = {}
    op.number = begin(function(payload, err)
        if err then return done(nil, err) end
        local value = core.from_payload(payload)
        local unread, encoding = core.undecodable(value)
        if unread then
            return done(nil, internal.make("INVALID", "the result of " .. id .. " cannot be read: " .. unread
                .. " (encoding " .. encoding .. ")", false))
        end
        done(value, nil)
    end, "call", id, arguments, options or false, encoded)
    return op
end

function host.cancel_call(op) host.abandon(op.number) end

function host.forget_call(op) host.abandon(op.number) end

--- host.upgrade(request): end this call for other code, which takes over what is a process; never returns
-- request: {entry=, arguments= list of payloads, messages= what nobody has received}
function host.upgrade(request)
    call.upgrade = request
    core.stop()
    core.park(0)
end

local function finish(...)
    local value, err = module("outcomes").of(...)
    if not err then
        local encoded, wrong = core.payload(value)
        if encoded then
            call.result = encoded
        else
            err = internal.make("INVALID", "the result cannot be sent: " .. wrong, false)
        end
    end
    call.error = err
    core.stop()
end

local events = {}

-- {"start", payloads, the payload of the context or nil}
function events.start(event)
    call.started = host.now()
    local context = event[3] and core.from_payload(event[3])
    if type(context) == "table" and not core.undecodable(context) then call.context = context end
    local arguments = { n = #event[2] }
    for i, payload in lib.ipairs(event[2]) do
        local value = core.from_payload(payload)
        local wrong, encoding = core.undecodable(value)
        if wrong then
            return finish(nil, internal.make("INVALID", "argument " .. i .. " cannot be read: " .. wrong
                .. " (encoding " .. encoding .. ")", false))
        end
        arguments[i] = value
    end
    local main = module("environment")()
    core.start(function() finish(main(lib.t_unpack(arguments, 1, arguments.n))) end)
end

local function answer(number, value, err)
    local done = call.waiting[number]
    call.waiting[number] = nil
    if done then done(value, err) end
end

function events.done(event) answer(event[2], event[3], nil) end

function events.failed(event) answer(event[2], nil, event[3]) end

-- {"cancel", error}: whatever blocks returns or raises it (decision 34)
function events.cancel(event) core.interrupt(event[2]) end

-- What happens to the call as a process: a message or an event of process.events(). Their readers are loaded on first
-- use, and only calls that somebody watches or writes to have any.

local function readable(what, payload)
    local value = core.from_payload(payload)
    local wrong, encoding = core.undecodable(value)
    if not wrong then return true, value end
    return false, what .. " cannot be read: " .. wrong .. " (encoding " .. encoding .. ")"
end

-- {"message", topic, PID of the sender or nil, payloads}
function events.message(event)
    local payloads = event[4]
    local values = { n = #payloads }
    for i, payload in lib.ipairs(payloads) do
        local ok, value = readable("a message was dropped: its payload " .. i, payload)
        if not ok then return host.log("error", value, { topic = event[2] }) end
        values[i] = value
    end
    call.messages = module("messages")
    call.messages.deliver(event[2], event[3], values)
end

-- {"exit" or "link_down", PID, payload of the result or nil, error or nil}
local function ending(event)
    local _, pid, payload, err = lib.t_unpack(event, 1, 4)
    if err then return pid, nil, err end
    local ok, value = readable("the result of " .. pid, payload)
    if ok then return pid, value, nil end
    return pid, nil, internal.make("INVALID", value, false)
end

function events.exit(event) module("events").exit(ending(event)) end

function events.link_down(event) module("events").link_down(ending(event)) end

-- {"cancel_request", reason of process.cancel, PID of who asks or nil}
function events.cancel_request(event)
    local asked = module("cancel_reason").decode(event[2])
    asked.at, asked.from = host.now(), event[3]
    module("events").cancel(asked)
end

-- {"batch", {event, ...}}
function events.batch(event)
    for _, one in lib.ipairs(event[2]) do events[one[1]](one) end
end

local engine = {}

function engine.apply(event) events[event[1]](event) end

function engine.failed(thrown, traceback)
    call.error = module("outcomes").thrown(thrown, traceback)
    core.stop()
end

function engine.flush()
    local outbox = call.outbox
    call.outbox = {}
    local unread = call.messages and call.messages.unread_count() or 0
    return { outbox = outbox, result = call.result, error = call.error, unread = unread, upgrade = call.upgrade }
end

return engine
