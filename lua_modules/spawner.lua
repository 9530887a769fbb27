-- The starting functions of process, and spawners: process.with_options(...) and what is chained to it (lua_api.md 2).
-- Who starts what is in children.lua inside workflows, in starts.lua outside.
local core, base, host, load = ...
local lib = core.lib
local type, error, pairs = lib.type, lib.error, lib.pairs
local _, internal = load("errors")
local messages = load("messages")
local starters = load(host.workflow and "children" or "starts").starters

local function check(name, n, id, worker)
    if n < 2 then return internal.make("INVALID", name .. " requires at least id and host arguments", false) end
    if type(id) ~= "string" or type(worker) ~= "string" then
        local position, given = 2, worker
        if type(id) ~= "string" then position, given = 1, id end
        error("bad argument #" .. position .. " to '" .. name .. "' (string expected, got " .. type(given) .. ")", 3)
    end
    if id == "" then return internal.make("INVALID", name .. ": the ID cannot be empty", false) end
    if worker == "" then return internal.make("INVALID", name .. ": the host cannot be empty", false) end
    if not lib.u_len(id) or not lib.u_len(worker) then
        return internal.make("INVALID", name .. ": id and host must be UTF-8", false)
    end
end

local function check_table(name, given)
    if type(given) ~= "table" then
        error("bad argument #1 to '" .. name .. "' (table expected, got " .. type(given) .. ")", 3)
    end
end

local methods = {}
local new, fields = core.class({ __name = "spawner", __index = methods })
local DEFAULT = {}

local function open(self, method)
    local f = fields(self)
    if not f then error("bad argument to '" .. method .. "' (spawner expected; call it with ':')", 3) end
    return f
end

local function with(f, changes)
    local copy = {}
    for k, v in pairs(f) do copy[k] = v end
    for k, v in pairs(changes) do copy[k] = v end
    return new(copy)
end

local function merged(old, values)
    local result = {}
    for k, v in pairs(old or {}) do result[k] = v end
    for k, v in pairs(values) do result[k] = v end
    return result
end

local function with_context(f, values)
    for k in pairs(values) do
        if type(k) ~= "string" then
            error("bad argument #1 to 'with_context' (string keys expected, got a " .. type(k) .. ")", 3)
        end
    end
    local context = merged(f.context or host.context(), values)
    return with(f, { context = context })
end

local process = {}

-- Each of the starting functions, of the module and of spawners.
for name, start in pairs(starters) do
    process[name] = function(...)
        local id, worker = ...
        local wrong = check(name, lib.select("#", ...), id, worker)
        if wrong then return nil, wrong end
        return start(id, worker, lib.t_pack(lib.select(3, ...)), DEFAULT)
    end
    methods[name] = function(self, ...)
        local f = open(self, name)
        local id, worker = ...
        local wrong = check(name, lib.select("#", ...), id, worker)
        if wrong then return nil, wrong end
        return start(id, worker, lib.t_pack(lib.select(3, ...)), f)
    end
end

--- spawner:with_name(name) -> a new spawner; the name is the workflow id, unless an option gives one
function methods.with_name(self, name)
    local f = open(self, "with_name")
    if type(name) ~= "string" or name == "" or not lib.u_len(name) then
        error("bad argument #1 to 'with_name' (non-empty string in UTF-8 expected)", 2)
    end
    return with(f, { name = name })
end

--- spawner:with_options(options) -> a new spawner with these options over the earlier ones
function methods.with_options(self, options)
    local f = open(self, "with_options")
    check_table("with_options", options)
    local all = merged(f.options, options)
    return with(f, { options = all })
end

--- spawner:with_context(values) -> a new spawner whose processes see these values over the inherited ones
function methods.with_context(self, values)
    local f = open(self, "with_context")
    check_table("with_context", values)
    local spawner = with_context(f, values)
    return spawner
end

--- spawner:with_message(topic, ...) -> a new spawner whose processes get this message before all others
-- The values are encoded now. Without a topic there is no message. Raises on topics that are reserved.
function methods.with_message(self, topic, ...)
    local f = open(self, "with_message")
    if type(topic) ~= "string" then
        error("bad argument #1 to 'with_message' (string expected, got " .. type(topic) .. ")", 2)
    end
    if topic == "" then return self end
    local wrong, encoded = messages.check_topic(topic, "send"), nil
    if not wrong then encoded, wrong = messages.encode(topic, lib.t_pack(...)) end
    if wrong then error("bad argument to 'with_message' (" .. wrong .. ")", 2) end
    local list = lib.t_pack(lib.t_unpack(f.messages or {}))
    list[list.n + 1] = { topic = topic, payloads = encoded }
    list.n = nil
    return with(f, { messages = list })
end

--- process.with_options(options) -> spawner
function process.with_options(options)
    check_table("with_options", options)
    return with(DEFAULT, { options = merged(nil, options) })
end

--- process.with_context(values) -> spawner
function process.with_context(values)
    check_table("with_context", values)
    local spawner = with_context(DEFAULT, values)
    return spawner
end

return process
