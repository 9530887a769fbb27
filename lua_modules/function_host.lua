-- What the modules build on in a function: `host` over real time, with requests to Python (engine_function.lua). In a
-- workflow workflow_host.lua has the same interface.
local core, base, whole, load = ...
local lib = core.lib
local error = lib.error
local call = whole.call

local host = {}

local function invalid(message)
    local _, internal = load("errors")
    return internal.make("INVALID", message, false)
end

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
        if not encoded then return nil, invalid("the context cannot be sent: " .. wrong) end
    end
    local op = {}
    op.number = begin(function(payload, err)
        if err then return done(nil, err) end
        local value = core.from_payload(payload)
        local unread, encoding = core.undecodable(value)
        if unread then
            return done(nil, invalid("the result of " .. id .. " cannot be read: " .. unread
                .. " (encoding " .. encoding .. ")"))
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

return host
