-- process.events: what happens to a run and its children, kept until it is read (lua_api.md 2, decisions 17 and 28).
local core, base, host, load = ...
local lib = core.lib

local SECOND = 1000000000

local events = { kinds = { EXIT = "pid.exit", CANCEL = "pid.cancel", LINK_DOWN = "pid.link.down" } }

local channel = core.new_channel(0)
local offered, forgotten = 0, 0
local recent = {}               -- number -> event, of those that may be unread

local function offer(event)
    offered = offered + 1
    recent[offered] = event
    core.offer(channel, event)
    while forgotten < offered - core.pending(channel) do
        forgotten = forgotten + 1
        recent[forgotten] = nil
    end
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

local function record(err)
    if not err then return nil end
    local _, internal = load("errors")
    local f = internal.fields(err)
    local said = { kind = f.kind, message = f.message, retryable = f.retryable, details = f.details, stack = f.stack }
    if not core.payload(said) then said.details = nil end
    return said
end

--- events.unread_exits() -> list of {topic= "pid.exit", from=, payloads=} as message_batch takes it: what nobody has read
function events.unread_exits()
    local list = {}
    for i = lib.m_max(1, offered - core.pending(channel) + 1), offered do
        local event = recent[i]
        if event.kind == events.kinds.EXIT then
            local payloads = {
                core.payload(event.at), core.payload(event.result.value), core.payload(record(event.result.error)), n = 3,
            }
            list[#list + 1] = { topic = event.kind, from = event.from, payloads = payloads }
        end
    end
    return list
end

--- events.restore(list): the exits that the run before this one had not read. list: as message_batch gives it.
function events.restore(list)
    local _, internal = load("errors")
    for _, exit in lib.ipairs(list) do
        local at, value, said = exit.values[1], exit.values[2], exit.values[3]
        local err = said and internal.make(said.kind, said.message, said.retryable, said.details, said.stack)
        offer({ kind = exit.topic, from = exit.from, at = at, result = { value = value, error = err } })
    end
end

return events
