-- process.set_options and get_options, the same inside and outside workflows (lua_api.md 2).
local core, base, host, load = ...
local lib = core.lib
local type = lib.type
local _, internal = load("errors")

local options = {}

local trap_links = false

local function invalid(text) return internal.make("INVALID", text, false) end

--- process.set_options{trap_links = boolean} -> true, nil | false, err (INVALID)
-- trap_links: the end of a linked process is a LINK_DOWN event; without, it is the end of this one. In a workflow it has
-- no effect: nothing links a workflow.
function options.set(given)
    if type(given) ~= "table" then return false, invalid("set_options takes a table, got " .. type(given)) end
    for key, value in lib.pairs(given) do
        if key ~= "trap_links" then
            return false, invalid("unknown option " .. lib.tostring(key) .. ": processes have trap_links")
        end
        if type(value) ~= "boolean" then
            return false, invalid("trap_links must be a boolean, got " .. type(value))
        end
    end
    if given.trap_links ~= nil then
        trap_links = given.trap_links
        if not host.workflow then core.host("process_trap_links", trap_links) end
    end
    return true, nil
end

--- process.get_options() -> {trap_links = boolean}
function options.get() return { trap_links = trap_links } end

return options
