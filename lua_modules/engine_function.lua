-- The engine of a function call outside workflows: real time, real randomness, I/O through requests to Python.
--
-- A request is {number, name, arguments} in the outbox that flush() returns; Python does it on the event loop and
-- answers with an event {"done", number, value} or {"failed", number, error}. Answers that are there at the same time
-- come as one event {"batch", {event, ...}}. What a call that asks for nothing needs is here; the rest of `host` is in
-- function_host.lua, what happens to a call as a process in function_events.lua.
local core, base = ...
local lib = core.lib
local type = lib.type

local call = { number = 0, waiting = {}, outbox = {}, context = {} }
local host = { workflow = false, call = call }
local events = {}
local loader = core.module("loader")(core, base, host)
local module = loader.module

loader.globals({ errors = true, os = true, print = true, payload = true, process = true })
loader.lend(host, "function_host")
loader.lend(events, "function_events")

local function invalid(message)
    local _, internal = module("errors")
    return internal.make("INVALID", message, false)
end

local function finish(...)
    local value, err = module("outcomes").of(...)
    if not err then
        local encoded, wrong = core.payload(value)
        if encoded then
            call.result = encoded
        else
            err = invalid("the result cannot be sent: " .. wrong)
        end
    end
    call.error = err
    core.stop()
end

-- {"start", payloads, the payload of the context or nil}
function events.start(event)
    call.started = core.host("now")
    local context = event[3] and core.from_payload(event[3])
    if type(context) == "table" and not core.undecodable(context) then call.context = context end
    local arguments = { n = #event[2] }
    for i, payload in lib.ipairs(event[2]) do
        local value = core.from_payload(payload)
        local wrong, encoding = core.undecodable(value)
        if wrong then
            return finish(nil, invalid("argument " .. i .. " cannot be read: " .. wrong .. " (encoding " .. encoding .. ")"))
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
