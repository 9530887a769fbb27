-- process.send inside a workflow: a signal to another workflow, a message in memory to itself, an activity to a process
-- outside Temporal, the answer to an update (workflows.md 5 and 6, decisions 25, 26 and 30).
local core, base, host, load = ...
local pids, messages, signals, others = load("pid"), load("messages"), load("signals"), load("other_workflows")
local nodes = load("node_send")

local function send_to_self(topic, encoded)
    local values = { n = encoded.n }
    for i = 1, encoded.n do values[i] = core.from_payload(encoded[i]) end
    messages.deliver(topic, signals.address(), values)
    return true, nil
end

-- A signal is sent when the server has taken it; a message to the own PID is delivered at once.
return load("sender")(function(dest, topic, encoded, values)
    local target = pids.parse(dest)
    if not target then return nil, others.unresolved(dest) end
    if target.node == "" and target.host == "update" then
        return load("updates").answer(target.id, topic, encoded, values)
    end
    if nodes.is_process(target) then return nodes.send(dest, target, topic, encoded, signals.address()) end
    local namespace, err = others.namespace(dest, target)
    if not namespace then return nil, err end
    if others.is_self(namespace, target.id) then return send_to_self(topic, encoded) end
    return others.signal(dest, namespace, target.id, topic, encoded)
end)
