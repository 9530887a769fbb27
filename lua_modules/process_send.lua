-- process.send inside a workflow: a signal to another workflow, a message in memory to itself, an activity to a process
-- outside Temporal, the answer to an update (workflows.md 5 and 6, decisions 25, 26 and 30).
local core, base, host, load = ...
local lib = core.lib
local _, internal = load("errors")
local pids, messages, signals = load("pid"), load("messages"), load("signals")
local printable, nodes = load("printable"), load("node_send")
local run = host.run

local FAILED = { not_found = 1, namespace_not_found = 2, too_many = 3 }     -- Temporal's causes

local function refused(kind, text) return internal.make(kind, text, false) end

local function send_to_self(topic, encoded)
    local values = { n = encoded.n }
    for i = 1, encoded.n do values[i] = core.from_payload(encoded[i]) end
    messages.deliver(topic, signals.address(), values)
    return true, nil
end

local function failure(job, pid)
    if job.cause == FAILED.too_many then
        return refused("RATE_LIMITED",
            "workflow " .. pid .. " takes no more signals: its run has had as many as the server allows")
    end
    if job.cause == FAILED.not_found or job.cause == FAILED.namespace_not_found then
        return refused("NOT_FOUND", "no running workflow " .. pid .. ": it has ended or was never started")
    end
    return load("failures").from(job.failure)
end

-- Blocks until the server has taken it. While a signal is a command of this very task it can still be called off.
local function signal(pid, target, topic, encoded)
    local seq, task, commands = host.next_sequence(), core.current(), run.commands
    local ended = false
    run.signals[seq] = function(job)
        ended = true
        if job.failure then core.wake(task, nil, failure(job, pid)) else core.wake(task, true, nil) end
    end
    host.emit("signal_external_workflow_execution", {
        seq = seq,
        workflow_execution = { namespace = run.info.namespace, workflow_id = target.id },
        signal_name = topic,
        args = encoded,
        headers = { [signals.FROM_HEADER] = core.payload(signals.address()) },
    })
    local sent, err = core.park(2, "process.send")
    if not ended then
        run.signals[seq] = nil
        if run.commands == commands then host.emit("cancel_signal_workflow", { seq = seq }) end
    end
    return sent, err
end

local function unresolved(dest)
    return refused("NOT_FOUND", "could not resolve " .. printable(dest)
        .. " as PID or registered name: the PID of a workflow reads {client@worker|workflow id}")
end

-- A signal is sent when the server has taken it; a message to the own PID is delivered at once.
return load("sender")(function(dest, topic, encoded, values)
    local target = pids.parse(dest)
    if not target then return nil, unresolved(dest) end
    if target.node == "" and target.host == "update" then
        return load("updates").answer(target.id, topic, encoded, values)
    end
    local info = run.info
    if nodes.is_process(target) then return nodes.send(dest, target, topic, encoded, signals.address()) end
    if target.node ~= info.client and not (target.node == "" and target.host == info.worker) then
        return nil, refused("NOT_FOUND", "process " .. printable(dest)
            .. " cannot be reached from this workflow: it reaches the workflows of " .. info.client
            .. ", whose PIDs read {" .. info.client .. "@worker|workflow id}")
    end
    if target.id == info.workflow_id then return send_to_self(topic, encoded) end
    return signal(dest, target, topic, encoded)
end)
