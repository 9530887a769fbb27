-- process.send, as workflows and processes have it: what it takes and refuses (lua_api.md 2, decision 25).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local messages = load("messages")

local function invalid(text) return internal.make("INVALID", text, false) end

--- sender(deliver) -> process.send; deliver(dest, topic, encoded, values) -> true, nil | nil, err
-- encoded: list of payloads with n; values: what they were made of, with n.
return function(deliver)
    --- process.send(dest, topic, ...) -> true, nil | nil, err
    -- dest: a PID. topic: string. Values: what JSON can hold, encoded at the call; none are one nil. Returns when the
    -- message has been taken. Errors: INVALID (dest nil, topic, values), NOT_FOUND (no PID, nobody there any more),
    -- RATE_LIMITED, CANCELED.
    return function(...)
        local dest, topic = ...
        if lib.select("#", ...) < 2 then return nil, invalid("send requires at least destination and topic") end
        if dest == nil then
            return nil, invalid("the destination is nil: a message from a client that is no process has no sender to answer")
        end
        if type(dest) ~= "string" or type(topic) ~= "string" then
            local n, given = 2, topic
            if type(dest) ~= "string" then n, given = 1, dest end
            error("bad argument #" .. n .. " to 'send' (string expected, got " .. type(given) .. ")", 2)
        end
        local wrong = messages.check_topic(topic, "send")
        if wrong then return nil, wrong end
        local values = lib.t_pack(lib.select(3, ...))
        local encoded, err = messages.encode(topic, values)
        if not encoded then return nil, err end
        return deliver(dest, topic, encoded, values)
    end
end
