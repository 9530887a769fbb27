--! The environments of an entry and its libraries (registry.md 2).
--
-- A script's file runs with an environment of its own: its modules and imports are globals there, everything else comes
-- from `base`.
local core, base, host, load = ...
local lib = core.lib
local type, pairs, ipairs, setmetatable = lib.type, lib.pairs, lib.ipairs, lib.setmetatable

local manifest
local environments = {}

local environment

local function library(id)
    local spec = manifest.libraries[id]
    local env = environments[id]
    if not env then
        env = environment(spec)
        environments[id] = env
        env.value = core.run_body(core.chunk(id, env.globals))
    end
    return env.value
end

function environment(spec)
    local globals = {}
    local known = {}
    local env = { globals = globals }
    for _, name in ipairs(spec.modules) do
        if base[name] ~= nil then known[name] = base[name] else known[name] = load(name) end
    end
    for alias, id in pairs(spec.imports) do known[alias] = library(id) end
    for name, value in pairs(known) do globals[name] = value end
    globals._G = globals
    globals.require = load("require")(known, spec.id)
    return setmetatable(env, nil), setmetatable(globals, { __index = base, __metatable = false })
end

--- environment() -> the entry's function, ready to be called; raises what is wrong with the entry
return function()
    manifest = core.manifest()
    local spec = manifest.entry
    local env = environment(spec)
    local value = core.run_body(core.chunk("main", env.globals), env.globals)
    if type(value) == "function" then return value end
    if type(value) ~= "table" then
        lib.error("the file of " .. spec.id .. " returns a " .. type(value)
            .. ": expected a function, or a table like `return { " .. spec.method .. " = " .. spec.method .. " }`", 0)
    end
    local method = value[spec.method]
    if type(method) ~= "function" then
        lib.error('method "' .. spec.method .. '" not found in module (' .. spec.id .. ")", 0)
    end
    return method
end
