-- os: the clock and the calendar, nothing of the machine (lua_api.md 8, decision 5). The functions are in os_clock.lua
-- and are loaded on first use; names that are absent raise an error that says what to use.
local core, base, host, load = ...
local lib = core.lib

return lib.setmetatable({ platform = "lua-fleet" }, {
    __index = function(os, name)
        local value = load("os_clock").find(os, name)
        return value
    end,
    __metatable = false,
})
