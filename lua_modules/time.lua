-- time: waiting, the present, and everything about dates (lua_api.md 8; in workflows: workflows.md 2).
--
-- Only waiting is here. The rest lives in the time_*.lua files and is loaded when a script first uses it, so that a
-- run that only sleeps stays small.
local core, base, host, load = ...
local lib = core.lib

local time = {
    NANOSECOND = 1,
    MICROSECOND = 1000,
    MILLISECOND = 1000000,
    SECOND = 1000000000,
    MINUTE = 60 * 1000000000,
    HOUR = 3600 * 1000000000,
}

-- For the other time_*.lua files.
local internal = {}

--- internal.invalid(message) -> nil, err (INVALID, not retryable)
function internal.invalid(message)
    local _, errors_internal = load("errors")
    return nil, errors_internal.make("INVALID", message, false)
end
local invalid = internal.invalid

--- internal.nanoseconds(value) -> integer | nil, err (INVALID)
-- value: a number of nanoseconds, a Go duration string or a Duration.
function internal.nanoseconds(value) return load("durations").given(value) end
local nanoseconds = internal.nanoseconds

--- time.sleep(duration): block this coroutine; in a workflow a durable timer. Returns nothing | nil, err (INVALID)
-- duration: nanoseconds, a duration string or a Duration. 0 returns at once; a negative one returns at once outside
-- workflows and is INVALID in a workflow. Raises CANCELED when the run or call is cancelled meanwhile.
function time.sleep(duration)
    local ns, err = nanoseconds(duration)
    if not ns then return nil, err end
    if ns > 0 then
        host.sleep(ns)
    elseif ns < 0 and host.workflow then
        return invalid("invalid duration " .. lib.tostring(duration) .. ": a workflow cannot sleep for less than nothing")
    end
end

lib.setmetatable(time, {
    __index = function(_, name)
        local value = load(load("time_homes")[name] or "time_names")[name]
        lib.rawset(time, name, value)
        return value
    end,
    __metatable = false,
})

return time, internal
