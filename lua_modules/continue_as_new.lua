-- Continue-as-new: the run ends, and the same workflow goes on with a new history (workflows.md 8, decisions 16, 27, 40).
local core, base, host, load = ...
local lib = core.lib
local error = lib.error
local _, internal = load("errors")
local messages, signals, batch = load("messages"), load("signals"), load("message_batch")
local cancellation, children, events = load("cancellation"), load("children"), load("events")
local run = host.run

local continued = {}

local function headers()
    local sent = {}
    if lib.next(run.context) ~= nil then sent[host.CONTEXT_HEADER] = core.payload(run.context) end
    local unread = messages.unread()
    if unread[1] then batch.headers(batch.UNREAD, unread, nil, sent) end
    local exits = events.unread_exits()
    if exits[1] then batch.headers(batch.EXITS, exits, nil, sent) end
    sent[cancellation.HEADER] = cancellation.inheritance()
    return lib.next(sent) and sent or nil
end

--- continued.start(id, values): ends this run; never returns. Memo, search attributes, timeouts and the retry policy stay.
-- id: entry id of another workflow, which runs on its own worker's queue, or nil. values: list with n.
-- Raises kind INVALID when a value cannot be sent: code that follows the call must not run as if it had worked.
function continued.start(id, values)
    core.current()      -- raises where nothing may block: here the run could not end
    local encoded, err = children.encode(id or run.info.entry, values)
    if not encoded then error(err, 0) end
    local workflow_type, queue = run.info.workflow_type, run.info.task_queue
    if id then
        local entry, host_part, place
        entry, queue, host_part, place = children.destination(id)
        if not entry then error(queue, 0) end
        if place and place.namespace ~= run.info.namespace then
            error(internal.make("INVALID", id .. " runs on " .. host_part .. " in the namespace " .. place.namespace
                .. ": a run goes on in its own, " .. run.info.namespace, false), 0)
        end
        workflow_type = entry.type
    end
    host.emit("continue_as_new_workflow_execution", {
        workflow_type = workflow_type, task_queue = queue, arguments = encoded, headers = headers(),
        memo = run.memo_changes and load("attributes").memo_of_next_run(),
    })
    core.stop()
    core.park(0)
end

--- continued.resume(headers): a continued run takes over what the run before it had not read
function continued.resume(headers)
    signals.receive_headers(batch.UNREAD, headers)
    local exits = batch.from_headers(batch.EXITS, headers)
    if exits then events.restore(exits) end
    local record = headers[cancellation.HEADER]
    if lib.type(record) == "table" and not core.undecodable(record) then cancellation.inherit(record) end
end

return continued
