-- Messages of a workflow to processes outside Temporal (decision 26): each is an activity on the task queue that only
-- the serving process with that node polls, so that it is durable, retried, and the same on one machine and on many.
local core, base, host, load = ...
local lib = core.lib
local _, internal = load("errors")
local activities = load("activities")
local run = host.run

local QUEUE = "lua-fleet-node-"
local ACTIVITY = "lua-fleet.deliver"
local SECOND = 1000000000
local OPTIONS = {
    schedule_to_start_timeout = 10 * SECOND,
    start_to_close_timeout = 10 * SECOND,
    -- A full mailbox is an attempt that failed.
    retry_policy = { initial_interval = SECOND // 10, backoff_coefficient = 2.0, maximum_interval = SECOND },
}

local node_send = {}

-- PID -> list of the messages on their way to it, of which the first is in flight: the server keeps no order.
local lines = {}
local sent = 0

local function outcome(dest, err)
    if not err then return true, nil end
    local f = internal.fields(err)
    local nobody = f.kind == "TIMEOUT" and f.details and f.details.timeout_type == "schedule_to_start"
    if not nobody then return nil, err end
    return nil, internal.make("NOT_FOUND", "process not found: nobody takes messages for " .. dest
        .. ": the serving process that it lived in has ended", false)
end

local function next_in(dest)
    local line = lines[dest]
    if #line == 0 then
        lines[dest] = nil
        return
    end
    local message = line[1]
    activities.post(ACTIVITY, message.queue, message.arguments, OPTIONS, function(_, err)
        lib.t_remove(line, 1)
        if message.task then core.wake(message.task, outcome(dest, err)) end
        next_in(dest)
    end)
end

--- node_send.is_process(target) -> whether the PID is one of a process outside Temporal. target: as pid.parse gives it.
function node_send.is_process(target) return lib.s_find(target.node, "^n%-%x%x%x%x%x%x%x%x%x%x%x%x$") ~= nil end

--- node_send.send(dest, target, topic, encoded, from) -> true, nil | nil, err (NOT_FOUND, CANCELED)
-- Blocks until the process has it, after all that this run sent to it before. from: PID of this run.
function node_send.send(dest, target, topic, encoded, from)
    sent = sent + 1
    -- The run id, and not that of the first run: what a run sends after a reset is another message.
    local id = run.run_id .. "/" .. sent
    local arguments = { core.payload({ to = dest, topic = topic, from = from, id = id }), n = encoded.n + 1 }
    for i = 1, encoded.n do arguments[i + 1] = encoded[i] end
    local message = { queue = QUEUE .. target.node, arguments = arguments, task = core.current() }
    local line = lines[dest]
    if line then
        line[#line + 1] = message
    else
        lines[dest] = { message }
        next_in(dest)
    end
    local ok, err = core.park(2, "process.send")
    if ok or err == nil then return ok, err end
    -- Interrupted or answered: either way nobody waits any more. What is in flight may arrive, the others stay here.
    message.task = nil
    line = lines[dest]
    for i = 2, line and #line or 0 do
        if line[i] == message then
            lib.t_remove(line, i)
            break
        end
    end
    return ok, err
end

return node_send
