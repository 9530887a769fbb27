-- The reason of a cancel request, which carries the deadline of process.cancel as a marked part (decision 16).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local durations = load("durations")

local MARK = "lua-fleet-deadline="
local MILLISECOND = 1000000
-- What Temporal puts before the reason of a request that comes from a workflow.
local FROM_WORKFLOW = "^Cancel requested by workflow with run id %S+ with reason: "

local reason = {}

local function invalid(text) return nil, internal.make("INVALID", text, false) end

local function deadline(ns, given)
    if not ns or ns <= 0 then
        return invalid("the deadline of a cancel must be more than 0, got " .. lib.tostring(given))
    end
    return MARK .. (ns - 1) // MILLISECOND + 1 .. "ms"
end

--- reason.encode(argument) -> text | nil, err (INVALID)
-- argument: the second one of process.cancel, whose caller is told of wrong types: nil; a duration (milliseconds, a
-- string such as "5s", a Duration) is a deadline, any other string a reason.
function reason.encode(argument)
    if argument == nil then return "" end
    if type(argument) == "number" then return deadline(durations.milliseconds(argument), argument) end
    if type(argument) == "string" then
        if not lib.u_len(argument) then return invalid("the reason of a cancel must be UTF-8") end
        local ns = durations.parse(argument)
        if ns then return deadline(ns, argument) end
        return argument
    end
    local ns = durations.unbox(argument)
    if ns then return deadline(ns, argument) end
    error("bad argument #2 to 'cancel' (duration or string expected, got " .. type(argument) .. ")", 3)
end

--- reason.decode(text) -> {deadline = nanoseconds or nil, reason = string or nil}
function reason.decode(text)
    local given = lib.s_gsub(text or "", FROM_WORKFLOW, "")
    local ms = lib.s_match(given, "^lua%-fleet%-deadline=(%d+)ms$")
    -- Longer numbers would wrap around when counted in nanoseconds.
    if ms and #ms <= 12 then return { deadline = lib.tonumber(ms) * MILLISECOND } end
    return { reason = given ~= "" and given or nil }
end

return reason
