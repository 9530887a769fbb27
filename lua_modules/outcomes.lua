--! What became of a function of a script: what it returned, or threw (registry.md 2, decision 2).
local core, base, host, load = ...
local lib = core.lib
local type = lib.type
local _, internal = load("errors")
local fields, make = internal.fields, internal.make

local outcomes = {}

--- outcomes.thrown(value, stack) -> the error that `value`, thrown by a script and caught nowhere, stands for (decision 2).
function outcomes.thrown(value, stack)
    local f = fields(value)
    if f then
        if not f.stack then f.stack = stack end
        return value
    end
    local thrown = make("INTERNAL", type(value) == "table" and "error object is a table" or lib.tostring(value), false, nil, stack)
    fields(thrown).thrown = true
    return thrown
end

--- outcomes.of(...) -> what a callable's results mean: result, nil | nil, error
function outcomes.of(value, second)
    if type(second) == "string" then
        return nil, make("INTERNAL", second, false)
    end
    if fields(second) then return nil, second end
    return value, nil
end

return outcomes
