-- env: the variables of the application (lua_api.md 14).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")

local env = {}

local function check(value, position, method)
    if type(value) ~= "string" then
        error("bad argument #" .. position .. " to '" .. method .. "' (string expected, got " .. type(value) .. ")", 3)
    end
end

local function answer(value)
    if internal.fields(value) then return nil, value end
    return value, nil
end

--- env.get(name) -> string, nil | nil, err (NOT_FOUND, INVALID)
-- name: public name, entry id, or the name of a variable in the entry's namespace.
function env.get(name)
    check(name, 1, "get")
    if name == "" then return nil, internal.make("INVALID", "variable name cannot be empty", false) end
    return answer(core.host("env_get", name))
end

--- env.set(name, value) -> true, nil | nil, err (NOT_FOUND, PERMISSION_DENIED, INVALID)
function env.set(name, value)
    check(name, 1, "set")
    check(value, 2, "set")
    if name == "" then return nil, internal.make("INVALID", "variable name cannot be empty", false) end
    return answer(core.host("env_set", name, value))
end

--- env.get_all() -> table of the variables that have a value, nil | nil, err
function env.get_all() return answer(core.host("env_get_all")) end

return env
