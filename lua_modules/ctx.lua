-- ctx: the context values of this call or run, read-only (lua_api.md 6).
local core, base, host, load = ...
local lib = core.lib
local type, pairs = lib.type, lib.pairs
local _, internal = load("errors")

local ctx = {}

local function copy(value)
    if type(value) ~= "table" then return value end
    local result = {}
    for k, v in pairs(value) do result[k] = copy(v) end
    return result
end

--- ctx.get(key) -> value, nil | nil, err (NOT_FOUND, INVALID)
function ctx.get(key)
    if type(key) ~= "string" then
        lib.error("bad argument #1 to 'get' (string expected, got " .. type(key) .. ")", 2)
    end
    if key == "" then return nil, internal.make("INVALID", "key cannot be empty", false) end
    local value = host.context()[key]
    if value == nil then return nil, internal.make("NOT_FOUND", "key not found: " .. key, false) end
    return copy(value), nil
end

--- ctx.all() -> table, nil
function ctx.all() return copy(host.context()), nil end

return ctx
