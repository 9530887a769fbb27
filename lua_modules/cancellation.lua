-- The cancellation of a run: when it takes effect, its deadline, how it goes on in a continued run (decisions 16, 17).
local core, base, host, load = ...
local _, internal = load("errors")
local events = load("events")
local run = host.run

local MILLISECOND = 1000000

local cancellation = {
    --- cancellation.HEADER: the header with the cancel that a continued run has inherited
    HEADER = "lua-fleet-cancel",
}

-- The deadline ends the run whatever its code does: nothing runs any more.
local function close()
    host.emit("cancel_workflow_execution", {})
    core.stop()
end

local function set_deadline(at)
    if run.cancel_deadline and run.cancel_deadline <= at then return end
    run.cancel_deadline = at
    local left = at - run.now
    host.timer(left > MILLISECOND and left or MILLISECOND, close)
end

-- Once everything that this activation woke has run (decision 17).
local function take_effect(asked)
    while core.others_ready() do base.coroutine.yield() end
    asked.waiting = false
    if run.reads_events then return events.cancel(asked) end
    core.interrupt(internal.canceled("operation canceled"))
end

--- cancellation.request(asked): someone asks this run to stop. Temporal delivers one request per run; a second one
-- changes nothing. asked: {deadline= nanoseconds from now or nil, reason= string or nil}
function cancellation.request(asked)
    if run.cancel then return end
    run.cancel, run.cancel_requested = asked, true
    asked.at, asked.waiting = run.now, true
    if asked.deadline then set_deadline(run.now + asked.deadline) end
    core.start(take_effect, asked)
end

--- cancellation.inheritance() -> encoded payload for HEADER | nil: what the continued run must know of a cancel
function cancellation.inheritance()
    local asked = run.cancel
    local pending = asked ~= nil and (asked.waiting or not events.was_read(asked))
    if not pending and not run.cancel_deadline then return nil end
    return core.payload({
        deadline_at = run.cancel_deadline, pending = pending or nil, at = pending and asked.at or nil,
        reason = pending and asked.reason or nil,
    })
end

--- cancellation.inherit(record): a run that continues another one takes over its cancel. record: decoded HEADER.
function cancellation.inherit(record)
    run.cancel_requested = true
    if record.deadline_at then set_deadline(record.deadline_at) end
    if not record.pending then return end
    run.cancel = {
        at = record.at, reason = record.reason, waiting = true,
        deadline = record.deadline_at and record.deadline_at - record.at,
    }
    core.start(take_effect, run.cancel)
end

return cancellation
