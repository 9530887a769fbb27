-- Starting processes and workflows outside workflows (lua_api.md 2, workflows.md 3): a process.lua entry on a process.host
-- is a process of this node, everything else a workflow.
local core, base, host, load = ...
local lib = core.lib
local _, internal = load("errors")

local starts = {}

local function invalid(text) return nil, internal.make("INVALID", text, false) end

-- What Python gets of a start: everything encoded, nothing that a table of the script could change later.
local function encode(id, values, spec)
    local arguments = {}
    for i = 1, values.n do
        local bytes, wrong = core.payload(values[i])
        if not bytes then return invalid("argument " .. i .. " of " .. id .. " cannot be sent: " .. wrong) end
        arguments[i] = bytes
    end
    local context
    if spec.context then
        local wrong
        context, wrong = core.payload(spec.context)
        if not context then return invalid("the context cannot be sent: " .. wrong) end
    end
    local messages = {}
    for i, message in lib.ipairs(spec.messages or {}) do
        messages[i] = { topic = message.topic, payloads = lib.t_move(message.payloads, 1, message.payloads.n, 1, {}) }
    end
    local batch
    if spec.messages then
        batch = load("message_batch").encode(spec.messages, core.host("process_pid"))
        batch.n = nil
    end
    return { arguments = arguments, context = context, name = spec.name, messages = messages, batch = batch }
end

local function check_options(id, options)
    local name = options and lib.next(options)
    if name == nil then return end
    return internal.make("INVALID", "the option " .. lib.tostring(name) .. " has no meaning for the process " .. id
        .. ": options of workflows need the id of a workflow and of a temporal.worker", false)
end

-- verb: "spawn" or "exec"; what follows are its switches. -> what Python answered | nil, err
local function start(verb, id, place, values, spec, ...)
    local kind, options, wrong = "process", nil, nil
    if core.host("process_runs_here", id, place) then
        wrong = check_options(id, spec.options)
    else
        kind = "workflow"
        options, wrong = load("workflow_starts").resolve(id, place, spec.options)
    end
    if wrong then return nil, wrong end
    local encoded, err = encode(id, values, spec)
    if not encoded then return nil, err end
    encoded.options = options
    return host.request(kind .. "_" .. verb, id, place, encoded, ...)
end

local function spawn(monitor, link)
    return function(id, place, values, spec) return start("spawn", id, place, values, spec, monitor, link) end
end

local function exec(id, place, values, spec)
    local payload, err = start("exec", id, place, values, spec)
    if err then return nil, err end
    local value = core.from_payload(payload)
    local wrong, encoding = core.undecodable(value)
    if wrong then return invalid("the result of " .. id .. " cannot be read: " .. wrong .. " (encoding " .. encoding .. ")") end
    return value, nil
end

--- starts.starters: the functions of process that start something, by name; the switches are monitor and link
starts.starters = {
    spawn = spawn(false, false),
    spawn_monitored = spawn(true, false),
    spawn_linked = spawn(false, true),
    spawn_linked_monitored = spawn(true, true),
    exec = exec,
}

return starts
