-- activity: what a function may do because it runs as a Temporal activity (decision 34).
local core, base, host, load = ...
local lib = core.lib
local _, internal = load("errors")

local activity = {}

local function outside()
    return internal.make("INVALID", "no activity is being executed: this function was called directly", false)
end

--- activity.info() -> table | nil, err (INVALID outside an activity). Times are milliseconds since 1970, timeouts are
-- milliseconds: id, type, attempt, workflow_id, run_id, workflow_type, task_queue, namespace, is_local,
-- heartbeat_timeout, start_to_close_timeout, schedule_to_close_timeout, scheduled_time, current_attempt_scheduled_time,
-- started_time. What does not apply is nil.
function activity.info()
    local info = core.host("activity_info")
    if not info then return nil, outside() end
    return info, nil
end

--- activity.heartbeat(...) -> true, nil | nil, err (INVALID: a value that cannot be sent, or outside an activity).
-- The values are what last_heartbeat() returns after a retry. Without heartbeat_timeout the server keeps them all the same.
function activity.heartbeat(...)
    local details = {}
    local values = lib.t_pack(...)
    for i = 1, values.n do
        local encoded, wrong = core.payload(values[i])
        if not encoded then return nil, internal.make("INVALID", "detail " .. i .. " cannot be sent: " .. wrong, false) end
        details[i] = encoded
    end
    if not core.host("activity_heartbeat", details) then return nil, outside() end
    return true, nil
end

--- activity.last_heartbeat() -> the values of the last heartbeat, of an earlier attempt as well; nothing if there is none
function activity.last_heartbeat()
    local details = core.host("activity_details")
    if not details then return nil, outside() end
    local values = {}
    for i, payload in lib.ipairs(details) do
        local value = core.from_payload(payload)
        if not core.undecodable(value) then values[i] = value end
    end
    return lib.t_unpack(values, 1, #details)
end

return activity
