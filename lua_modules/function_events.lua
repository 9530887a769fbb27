-- What happens to a function call, beside the answers to its requests: it is cancelled, or somebody watches it or writes to it
-- as a process (process.events, lua_api.md 2).
local core, base, host, load = ...
local lib = core.lib
local call = host.call

local events = {}

-- {"cancel", error}: whatever blocks returns or raises it (decision 34)
function events.cancel(event) core.interrupt(event[2]) end

local function readable(what, payload)
    local value = core.from_payload(payload)
    local wrong, encoding = core.undecodable(value)
    if not wrong then return true, value end
    return false, what .. " cannot be read: " .. wrong .. " (encoding " .. encoding .. ")"
end

-- {"message", topic, PID of the sender or nil, payloads}
function events.message(event)
    local payloads = event[4]
    local values = { n = #payloads }
    for i, payload in lib.ipairs(payloads) do
        local ok, value = readable("a message was dropped: its payload " .. i, payload)
        if not ok then return host.log("error", value, { topic = event[2] }) end
        values[i] = value
    end
    call.messages = load("messages")
    call.messages.deliver(event[2], event[3], values)
end

-- {"exit" or "link_down", PID, payload of the result or nil, error or nil}
local function ending(event)
    local _, pid, payload, err = lib.t_unpack(event, 1, 4)
    if err then return pid, nil, err end
    local ok, value = readable("the result of " .. pid, payload)
    if ok then return pid, value, nil end
    local _, internal = load("errors")
    return pid, nil, internal.make("INVALID", value, false)
end

function events.exit(event) load("events").exit(ending(event)) end

function events.link_down(event) load("events").link_down(ending(event)) end

-- {"cancel_request", reason of process.cancel, PID of who asks or nil}
function events.cancel_request(event)
    local asked = load("cancel_reason").decode(event[2])
    asked.at, asked.from = host.now(), event[3]
    load("events").cancel(asked)
end

return events
