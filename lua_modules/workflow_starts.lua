-- Options of workflows that are started from outside: names, types, durations (workflows.md 3, decisions 24 and 32).
-- The starts themselves are made in Python, which reads this form (fleet/process/workflow_options.py).
local core, base, host, load = ...
local lib = core.lib
local type, pairs = lib.type, lib.pairs
local _, internal = load("errors")
local shared = load("call_options")
local of_children = load("workflow_options").readers

local starts = {}

-- Times become text: what a value is good for says the type of the attribute, which Python knows.
local function attributes(value)
    if type(value) ~= "table" then return nil, "a table" end
    local _, times = load("time_moment")
    local result = {}
    for name, v in pairs(value) do
        if type(name) ~= "string" or not lib.u_len(name) then return nil, "a table with string keys" end
        if times.fields(v) then v = v:format_rfc3339() end
        if type(v) == "function" or type(v) == "userdata" or type(v) == "thread" then
            return nil, "a string, a boolean, a number, a time or a list of strings", name
        end
        result[name] = v
    end
    return result
end

local function as_given(value) return value end

local READERS = {
    id_conflict_policy = shared.enumeration({ fail = 1, use_existing = 2, terminate_existing = 3 }),
    execution_error_when_already_started = shared.flag,
    start_delay = shared.duration,
    enable_eager_start = shared.flag,
    namespace = shared.text,
    search_attributes = attributes,
    typed_search_attributes = attributes,
    versioning_override = as_given,
}
for name, reader in pairs(of_children) do READERS[name] = READERS[name] or reader end

--- starts.resolve(id, place, given) -> resolved options | nil, err (INVALID)
-- id: of a workflow.lua entry, whose meta.options come first, or a type name; place: a temporal.worker or a raw task
-- queue; given: the options of a spawner, nil for none.
function starts.resolve(id, place, given)
    local resolved = {}
    local wrong = shared.read("workflow", READERS, core.host("workflow_entry_options", id, place), resolved)
        or shared.read("workflow", READERS, given, resolved)
    if wrong then
        return nil, internal.make("INVALID", "invalid temporal workflow options for " .. id .. ": " .. wrong, false)
    end
    return resolved
end

return starts
