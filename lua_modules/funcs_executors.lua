-- Executors: calls with options and a context (lua_api.md 5, activities.md 3).
local core, base, host, load = ...
local lib = core.lib
local type, error, pairs = lib.type, lib.error, lib.pairs
local _, funcs = load("funcs")

local methods = {}
local new, fields = core.class({ __name = "executor", __index = methods })

local function open(self, method)
    local f = fields(self)
    if not f then error("bad argument to '" .. method .. "' (executor expected; call it with ':')", 3) end
    return f
end

--- executor:call(id, ...) -> value, nil | nil, err
function methods.call(self, id, ...) return funcs.call(open(self, "call"), id, ...) end

--- executor:async(id, ...) -> future, nil | nil, err
function methods.async(self, id, ...) return funcs.async(open(self, "async"), id, ...) end

--- executor:with_options(options) -> a new executor with these options in place of the earlier ones
function methods.with_options(self, options)
    local f = open(self, "with_options")
    if type(options) ~= "table" then
        error("bad argument #1 to 'with_options' (table expected, got " .. type(options) .. ")", 2)
    end
    local copy = {}
    for k, v in pairs(options) do copy[k] = v end
    return new({ options = copy, context = f.context })
end

--- executor:with_context(values) -> a new executor whose calls see these values over the inherited ones
function methods.with_context(self, values)
    local f = open(self, "with_context")
    if type(values) ~= "table" then
        error("bad argument #1 to 'with_context' (table expected, got " .. type(values) .. ")", 2)
    end
    local merged = {}
    for k, v in pairs(f.context or host.context()) do merged[k] = v end
    for k, v in pairs(values) do
        if type(k) ~= "string" then error("bad argument #1 to 'with_context' (string keys expected, got a " .. type(k) .. ")", 2) end
        merged[k] = v
    end
    return new({ options = f.options, context = merged })
end

return new
