-- The functions of process in a function or process: real time, processes by PID (lua_api.md 2).
-- What a PID is the address of is decided in Python, where the processes of the node are.
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local request = host.request

-- The others are loaded when a script asks for them: most calls want their PID at most, or to start something.
local PARTS = {
    listen = function() return load("messages").listen end,
    unlisten = function() return load("messages").unlisten end,
    inbox = function() return load("messages").inbox end,
    events = function() return load("events").channel end,
    event = function() return load("events").kinds end,
    registry = function() return (load("process_names")) end,
    -- Most messages are taken at once; the others wait for room, or for a server.
    send = function()
        return (load("sender")(function(dest, topic, encoded)
            encoded.n = nil
            local sent = core.host("process_try_send", dest, topic, encoded)
            if sent == true then return true, nil end
            if sent then return nil, sent end
            return request("process_send", dest, topic, encoded)
        end))
    end,
}

local process = lib.setmetatable({}, {
    __index = function(self, name)
        local part = PARTS[name]
        local value
        if part then value = part() else value = load("spawner")[name] end
        self[name] = value
        return value
    end,
})

local function invalid(text) return internal.make("INVALID", text, false) end

--- process.id() -> string: the entry id of what runs
function process.id() return core.manifest().entry.id end

--- process.pid() -> string: {node@host|number}; the host is a process.host, or the entry of a call
function process.pid() return core.host("process_pid") end

--- process.upgrade(id, ...): other code goes on in place of this one; never returns
-- id: of a process.lua entry, nil for this one. PID, names, links and messages that nobody received stay; events that
-- nobody received do not. nil, err when it cannot: INVALID (not spawned, values), NOT_FOUND.
function process.upgrade(id, ...)
    if id ~= nil and type(id) ~= "string" then
        error("bad argument #1 to 'upgrade' (string or nil expected, got " .. type(id) .. ")", 2)
    end
    core.current()      -- raises where nothing may block: here the call could not end
    local entry = id ~= nil and id ~= "" and id or process.id()
    local can = core.host("process_can_upgrade", entry)
    if can ~= true then return nil, can end
    local arguments = {}
    for i = 1, lib.select("#", ...) do
        local bytes, wrong = core.payload((lib.select(i, ...)))
        if not bytes then return nil, invalid("argument " .. i .. " of " .. entry .. " cannot be sent: " .. wrong) end
        arguments[i] = bytes
    end
    local unread = load("messages").unread()
    for _, message in lib.ipairs(unread) do message.payloads.n = nil end
    host.upgrade({ entry = entry, arguments = arguments, messages = unread })
end

local function check(name, dest)
    if dest == nil then return invalid(name .. " requires a destination: a PID or a registered name") end
    if type(dest) ~= "string" then
        error("bad argument #1 to '" .. name .. "' (string expected, got " .. type(dest) .. ")", 3)
    end
end

-- terminate(dest): ends it at once. monitor(dest): EXIT when it ends, at once with an error if it has. link(dest):
-- LINK_DOWN when it ends abnormally, and the other way round. Each -> true, nil | nil, err (INVALID, NOT_FOUND).
for _, name in lib.ipairs({ "terminate", "monitor", "unmonitor", "link", "unlink" }) do
    process[name] = function(dest)
        local wrong = check(name, dest)
        if wrong then return nil, wrong end
        return request("process_" .. name, dest)
    end
end

--- process.cancel(dest[, argument]) -> true, nil | nil, err (INVALID, NOT_FOUND)
-- A CANCEL event for the process. argument: a duration (milliseconds, "5s") after which it is ended, or a reason.
function process.cancel(dest, argument)
    local wrong = check("cancel", dest)
    if wrong then return nil, wrong end
    local reason, err = load("cancel_reason").encode(argument)
    if err then return nil, err end
    return request("process_cancel", dest, reason, load("cancel_reason").decode(reason).deadline)
end

local options = load("process_options")
process.set_options, process.get_options = options.set, options.get

return process
