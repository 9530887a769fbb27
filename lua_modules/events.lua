-- process.events: what happens to a run and its children, kept until it is read (lua_api.md 2, decisions 17 and 28).
local core, base, host, load = ...

local events = { kinds = { EXIT = "pid.exit", CANCEL = "pid.cancel", LINK_DOWN = "pid.link.down" } }

local channel = core.new_channel(0)

local function seconds() return host.now() // 1000000000 end

--- events.channel() -> channel of event tables. From the first call on, a cancel request is an event, nothing else.
function events.channel()
    host.reads_events()
    return channel
end

--- events.exit(pid, value, err): a child has ended
function events.exit(pid, value, err)
    core.offer(channel, {
        kind = events.kinds.EXIT, from = pid, at = seconds(), result = { value = value, error = err },
    })
end

--- events.link_down(pid, value, err): a linked process has ended abnormally
function events.link_down(pid, value, err)
    core.offer(channel, {
        kind = events.kinds.LINK_DOWN, from = pid, at = seconds(), result = { value = value, error = err },
    })
end

--- events.cancel(reason, from): someone asks this run to stop
function events.cancel(reason, from)
    core.offer(channel, { kind = events.kinds.CANCEL, from = from, at = seconds(), reason = reason })
end

return events
