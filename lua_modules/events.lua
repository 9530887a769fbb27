-- process.events: what happens to a run and its children, kept until it is read (lua_api.md 2, decisions 17 and 28).
local core, base, host, load = ...

local SECOND = 1000000000

local events = { kinds = { EXIT = "pid.exit", CANCEL = "pid.cancel", LINK_DOWN = "pid.link.down" } }

local channel = core.new_channel(0)
local offered = 0

local function offer(event)
    offered = offered + 1
    core.offer(channel, event)
end

--- events.channel() -> channel of event tables. From the first call on, a cancel request is an event, nothing else.
function events.channel()
    host.reads_events()
    return channel
end

--- events.exit(pid, value, err): a child has ended
function events.exit(pid, value, err)
    offer({ kind = events.kinds.EXIT, from = pid, at = host.now() // SECOND, result = { value = value, error = err } })
end

--- events.link_down(pid, value, err): a linked process has ended abnormally
function events.link_down(pid, value, err)
    offer({ kind = events.kinds.LINK_DOWN, from = pid, at = host.now() // SECOND, result = { value = value, error = err } })
end

--- events.cancel(asked): someone asks this process to stop
-- asked: {at= nanoseconds, reason=, deadline= nanoseconds, from= PID}, of which only `at` must be there.
-- The event's deadline is a duration in nanoseconds, as time.after takes it, counted from its `at`.
function events.cancel(asked)
    offer({
        kind = events.kinds.CANCEL, from = asked.from, at = asked.at // SECOND, reason = asked.reason,
        deadline = asked.deadline,
    })
    asked.event = offered
end

--- events.was_read(asked) -> boolean: is its CANCEL event read? True when it made none.
function events.was_read(asked)
    return not asked.event or asked.event <= offered - core.pending(channel)
end

return events
