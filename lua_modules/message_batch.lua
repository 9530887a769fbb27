-- Batches: several messages as one list of payloads, so that they arrive all together (decision 22).
--
-- The first payload is a manifest, a JSON list of {topic=, n= how many payloads, from= PID of the sender, if any}; the
-- payloads of all messages follow in order. A batch travels as the arguments of a signal or in headers.
local core, base, host, load = ...
local lib = core.lib
local type, tostring, ipairs = lib.type, lib.tostring, lib.ipairs

local batch = {
    --- batch.SIGNAL: the signal whose arguments are a batch
    SIGNAL = "lua-fleet.messages",
    --- batch.STARTUP: the header with the startup messages of a workflow
    STARTUP = "lua-fleet-messages",
    --- batch.UNREAD: the header with what a continued run had not read
    UNREAD = "lua-fleet-unread",
    --- batch.EXITS: the header with the EXIT events that it had not read
    EXITS = "lua-fleet-exits",
}

--- batch.encode(messages, sender) -> list of encoded payloads with n
-- messages: list of {topic=, payloads= list of encoded payloads with n, from= PID or nil}; sender: PID of those that
-- name none, or nil. Topics are UTF-8.
function batch.encode(messages, sender)
    local manifest, list = {}, { n = 1 }
    for i, message in ipairs(messages) do
        manifest[i] = { topic = message.topic, n = message.payloads.n, from = message.from or sender }
        for j = 1, message.payloads.n do list[list.n + j] = message.payloads[j] end
        list.n = list.n + message.payloads.n
    end
    list[1] = core.payload(manifest)
    return list
end

--- batch.headers(name, messages, sender, into): the batch as the headers `name`, `name-1`, `name-2` ... of `into`
function batch.headers(name, messages, sender, into)
    local list = batch.encode(messages, sender)
    into[name] = list[1]
    for i = 2, list.n do into[name .. "-" .. (i - 1)] = list[i] end
end

local function fits(entry)
    return type(entry) == "table" and type(entry.topic) == "string" and lib.m_type(entry.n) == "integer" and entry.n >= 0
        and (entry.from == nil or type(entry.from) == "string")
end

--- batch.decode(values) -> list of {topic=, from= PID or nil, values= list with n} | nil, what is wrong with it
-- values: list with n, decoded payloads. A value that could not be read stays in the list of its message.
function batch.decode(values)
    local manifest = values[1]
    if type(manifest) ~= "table" or core.undecodable(manifest) then return nil, "its manifest cannot be read" end
    local messages, position = {}, 1
    for i, entry in ipairs(manifest) do
        if not fits(entry) then return nil, "entry " .. i .. " of its manifest is no {topic, n, from}" end
        if entry.n > values.n - position then
            return nil, "its manifest counts more payloads than the " .. (values.n - 1) .. " that came"
        end
        local own = { n = entry.n }
        for j = 1, entry.n do own[j] = values[position + j] end
        position = position + entry.n
        messages[i] = { topic = entry.topic, from = entry.from, values = own }
    end
    if position ~= values.n then
        return nil, "its manifest counts " .. (position - 1) .. " payloads, and " .. (values.n - 1) .. " came"
    end
    return messages
end

--- batch.from_headers(name, headers) -> as decode | {} when the headers hold no such batch
-- headers: name -> decoded payload; nil for none.
function batch.from_headers(name, headers)
    if not headers or headers[name] == nil then return {} end
    local values = { headers[name], n = 1 }
    -- A nil value leaves no trace in a table: how many payloads there are is what the manifest says.
    if type(values[1]) == "table" then
        for _, entry in ipairs(values[1]) do
            if fits(entry) and entry.n <= 65536 then values.n = values.n + entry.n end
        end
    end
    for i = 2, values.n do values[i] = headers[name .. "-" .. tostring(i - 1)] end
    return batch.decode(values)
end

return batch
