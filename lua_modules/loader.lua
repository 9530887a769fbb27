-- The loader: privileged modules on demand, and the environments of an entry and its libraries (registry.md 2).
--
-- A privileged module is a chunk called with (core, base, host, load) that returns its public table and, if it has one,
-- its internal table for other privileged modules. A script's file runs with an environment of its own: its modules
-- and imports are globals there, everything else comes from `base`.
local core, base, host = ...
local lib = core.lib
local type, pairs, ipairs, setmetatable = lib.type, lib.pairs, lib.ipairs, lib.setmetatable

local loader = {}
local loaded, internals = {}, {}

--- loader.module(name) -> public table, internal table | nil if there is no such module
local function module(name)
    local public = loaded[name]
    if public == nil then
        local chunk = core.module(name)
        if not chunk then return nil end
        loaded[name] = false -- a module that needs itself is a bug; better nil than endless
        public, internals[name] = chunk(core, base, host, module)
        loaded[name] = public
    end
    return public, internals[name]
end
loader.module = module

local ALWAYS = {
    channel = true, errors = true, payload = true, os = true, coroutine = true, string = true, table = true,
    math = true, utf8 = true, process = true,
}

local manifest
local environments = {}

local function library(id)
    local spec = manifest.libraries[id]
    local env = environments[id]
    if not env then
        env = loader.environment(spec)
        environments[id] = env
        env.value = core.run_body(core.chunk(id, env.globals))
    end
    return env.value
end

function loader.environment(spec)
    local globals = {}
    local known = {}
    local env = { globals = globals }
    for _, name in ipairs(spec.modules) do
        if base[name] ~= nil then known[name] = base[name] else known[name] = module(name) end
    end
    for alias, id in pairs(spec.imports) do known[alias] = library(id) end
    for name, value in pairs(known) do globals[name] = value end
    globals._G = globals
    globals.require = function(name)
        if type(name) ~= "string" then
            lib.error("bad argument #1 to 'require' (string expected, got " .. type(name) .. ")", 2)
        end
        local value = known[name]
        if value == nil and ALWAYS[name] then value = base[name] end
        if value ~= nil then return value end
        if core.host("knows_module", name) then
            return core.refuse("module '" .. name .. "' not found: add it to the entry's `modules:` (" .. spec.id .. ")", 2)
        end
        return core.refuse("module '" .. name .. "' not found", 2)
    end
    return setmetatable(env, nil), setmetatable(globals, { __index = base, __metatable = false })
end

--- loader.entry() -> the entry's function, ready to be called; raises what is wrong with the entry
function loader.entry()
    manifest = core.manifest()
    local spec = manifest.entry
    local env = loader.environment(spec)
    core.set_globals(env.globals)
    local value = core.run_body(core.chunk("main", env.globals))
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

return loader
