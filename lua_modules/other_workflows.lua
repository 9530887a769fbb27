-- Other workflows as a run sees them: which one a PID means, signals and cancel requests to it (workflows.md 5 and 6).
local core, base, host, load = ...
local lib = core.lib
local _, internal = load("errors")
local signals, printable = load("signals"), load("printable")
local run = host.run

local FAILED = { not_found = 1, namespace_not_found = 2, too_many = 3 }     -- Temporal's causes

local others = {}
local waiting = {}      -- sequence number of a command -> function(job), called with its answer

local function refused(kind, text) return internal.make(kind, text, false) end

--- others.unresolved(dest) -> err (NOT_FOUND) for a destination that is no PID
function others.unresolved(dest)
    return refused("NOT_FOUND", "could not resolve " .. printable(dest)
        .. " as PID or registered name: the PID of a workflow reads {client@worker|workflow id}")
end

--- others.namespace(dest, target) -> namespace | nil, err (NOT_FOUND) when a run of this client cannot reach it
-- dest: PID; target: its parts (pid.lua).
function others.namespace(dest, target)
    local info = run.info
    if target.node == "" and target.host == info.worker then return info.namespace end
    local client, named = lib.s_match(target.node, "^([^/]*)/?(.*)$")
    local namespace = info.namespace
    if client ~= info.client then namespace = core.host("neighbour", client) end
    if namespace then return named ~= "" and named or namespace end
    return nil, refused("NOT_FOUND", "process " .. printable(dest)
        .. " cannot be reached from this workflow: it reaches the workflows of " .. info.client
        .. ", whose PIDs read {" .. info.client .. "@worker|workflow id}")
end

--- others.is_self(namespace, id) -> boolean: is it the workflow that runs?
function others.is_self(namespace, id) return namespace == run.info.namespace and id == run.info.workflow_id end

--- others.ended(dest) -> err (NOT_FOUND) for a workflow that does not run
function others.ended(dest)
    return refused("NOT_FOUND", "no running workflow " .. dest .. ": it has ended or was never started")
end

local function failure(job, dest)
    if job.cause == FAILED.too_many then
        return refused("RATE_LIMITED",
            "workflow " .. dest .. " takes no more signals: its run has had as many as the server allows")
    end
    if job.cause == FAILED.not_found or job.cause == FAILED.namespace_not_found then return others.ended(dest) end
    return load("failures").from(job.failure)
end

-- Blocks until the server has answered the command. called_off: the command that takes it back, if there is one;
-- that works while it is a command of this very task.
local function ask(variant, body, dest, what, called_off)
    local task, commands, settled = core.current(), run.commands, false
    body.seq = host.next_sequence()
    waiting[body.seq] = function(job)
        settled = true
        if job.failure then core.wake(task, nil, failure(job, dest)) else core.wake(task, true, nil) end
    end
    host.emit(variant, body)
    local done, err = core.park(2, what)
    if not settled then
        waiting[body.seq] = nil
        if called_off and run.commands == commands then host.emit(called_off, { seq = body.seq }) end
    end
    return done, err
end

--- others.resolve(job): a resolve_signal_external_workflow or resolve_request_cancel_external_workflow job
function others.resolve(job)
    local settle = waiting[job.seq]
    waiting[job.seq] = nil
    if settle then settle(job) end
end

--- others.signal(dest, namespace, id, name, arguments) -> true, nil | nil, err (NOT_FOUND, RATE_LIMITED, CANCELED)
-- Blocks until the server has taken it. dest: PID, for texts. arguments: list of encoded payloads with n.
function others.signal(dest, namespace, id, name, arguments)
    return ask("signal_external_workflow_execution", {
        workflow_execution = { namespace = namespace, workflow_id = id },
        signal_name = name,
        args = arguments,
        headers = { [signals.FROM_HEADER] = core.payload(signals.address()) },
    }, dest, "process.send", "cancel_signal_workflow")
end

--- others.cancel(dest, namespace, id, reason) -> true, nil | nil, err (NOT_FOUND, CANCELED)
-- Blocks until the server has taken the request. reason: text.
function others.cancel(dest, namespace, id, reason)
    return ask("request_cancel_external_workflow_execution", {
        workflow_execution = { namespace = namespace, workflow_id = id }, reason = reason,
    }, dest, "process.cancel")
end

return others
