-- The loader: privileged modules on demand.
--
-- A privileged module is a chunk called with (core, base, host, load) that returns its public table and, if it has one,
-- its internal table for other privileged modules. One whose file begins with "--!" is passing code: it has no data, and
-- scripts see none of its functions, so it is forgotten when the run has waited for a while, and loaded again.
local core, base, host = ...
local lib = core.lib
local next, rawset = lib.next, lib.rawset

local loader = {}
local loaded, internals, lent = {}, {}, {}
local code = {}

-- Creation serials of the modules that every state had from its start before they were loaded on demand: what scripts see
-- of them comes before everything that a script makes, in the order of keys (decision 6).
local EARLY = { errors = 64, errors_new = 256, error_methods = 384, os = 512, print = 640, process = 768 }

--- loader.module(name[, serial]) -> public table, internal table | nil if there is no such module
-- serial: the first creation serial of its objects, of those that core.serials() has set aside.
local function module(name, serial)
    local public = code[name]
    if public ~= nil then return public, internals[name] end
    public = loaded[name]
    if public == nil then
        local chunk, passing = core.module(name)
        if not chunk then return nil end
        loaded[name] = false -- a module that needs itself is a bug; better nil than endless
        serial = serial or EARLY[name]
        local following = serial and core.serials(serial)
        local before = core.passing(passing)
        public, internals[name] = chunk(core, base, host, module)
        core.passing(before)
        if following then core.serials(following) end
        if passing then
            code[name], loaded[name] = public, nil
        else
            loaded[name] = public
        end
    end
    return public, internals[name]
end
loader.module = module

-- Errors that begin in the core, or come from Python.
core.set_error_maker(function(...)
    local _, internal = module("errors")
    return internal.made(...)
end)

--- loader.globals(names): globals of scripts that are modules of the same name, loaded when a script first names them
function loader.globals(names)
    local metatable = lib.getmetatable(base)
    local index = metatable.__index
    function metatable.__index(_, name)
        local value = index(base, name)
        if value == nil and names[name] then
            value = module(name)
            rawset(base, name, value)
        end
        return value
    end
end

--- loader.lend(t, name): what t does not have is in the module `name`, which is code
function loader.lend(t, name)
    lent[t] = name
    lib.setmetatable(t, { __index = function(_, key)
        local value = module(name)[key]
        rawset(t, key, value)
        return value
    end })
end

--- loader.rest(): forget the code, for the run will wait
function loader.rest()
    for t, name in next, lent do
        for key in next, code[name] or {} do rawset(t, key, nil) end
    end
    for name in next, code do internals[name] = nil end
    code = {}
end

return loader
