-- print: a line in the log (lua_api.md 1). Present without being listed, in workflows as well.
local core, base, host = ...
local lib = core.lib

--- print(...): the arguments as text, joined by a space, at level info
return function(...)
    local values = lib.t_pack(...)
    for i = 1, values.n do values[i] = lib.tostring(values[i]) end
    host.log("info", lib.t_concat(values, " ", 1, values.n))
end
