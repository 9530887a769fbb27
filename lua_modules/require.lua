-- require, which the environment of each file has for itself (registry.md 2). What it is made of stays as long as the run:
-- in environment.lua, which is passing code, it would keep memory of that.
local core, base, host, load = ...
local lib = core.lib

local ALWAYS = " channel errors payload os coroutine string table math utf8 process "

--- require(known, id) -> the function of an entry or library
-- known: the modules and imports that it may have, by name. id: of the entry.
return function(known, id)
    return function(name)
        if lib.type(name) ~= "string" then
            lib.error("bad argument #1 to 'require' (string expected, got " .. lib.type(name) .. ")", 2)
        end
        local value = known[name]
        if value == nil and lib.s_find(ALWAYS, " " .. name .. " ", 1, true) then value = base[name] end
        if value ~= nil then return value end
        if core.host("knows_module", name) then
            return core.refuse("module '" .. name .. "' not found: add it to the entry's `modules:` (" .. id .. ")", 2)
        end
        return core.refuse("module '" .. name .. "' not found", 2)
    end
end
