--! Error objects to Temporal failures and back (workflows.md 12, decisions 1 to 3).
local core, base, host, load = ...
local lib = core.lib
local type, pairs = lib.type, lib.pairs
local _, internal = load("errors")
local fields, make = internal.fields, internal.make

local failures = {}

-- How other SDKs and the server name kinds that we know.
local TYPES = {
    ActivityNotRegisteredError = "NOT_FOUND",
    ActivityNotRegistered = "NOT_FOUND",
    WorkflowNotRegisteredError = "NOT_FOUND",
    NamespaceNotFoundError = "NOT_FOUND",
    NotFoundError = "NOT_FOUND",
}

local TIMEOUTS = { "start_to_close", "schedule_to_start", "schedule_to_close", "heartbeat" }

local RETRY_STATES = {
    "in_progress", "non_retryable_failure", "timeout", "maximum_attempts_reached", "retry_policy_not_set",
    "internal_server_error", "cancel_requested",
}

-- What is not UTF-8 cannot be part of a failure: each stray byte becomes U+FFFD, so that the rest arrives.
local function readable(text)
    local length, bad = lib.u_len(text)
    if length then return text end
    local parts, from = {}, 1
    while not length do
        parts[#parts + 1] = lib.s_sub(text, from, bad - 1) .. "\xEF\xBF\xBD"
        from = bad + 1
        length, bad = lib.u_len(text, from)
    end
    return lib.t_concat(parts) .. lib.s_sub(text, from)
end
failures.readable = readable

--- failures.to(err) -> a Failure message. The failure's type is the kind; details[1] restores the rest on the other side.
function failures.to(err)
    local f = fields(err)
    local message, kind, stack = readable(f.message), readable(f.kind), readable(f.stack or "")
    local record = { msg = message, kind = kind, retry = f.retryable, details = f.details, stack = f.stack and stack }
    local encoded = core.payload({ errors = { record } })
    if not encoded then
        record.details = nil
        encoded = core.payload({ errors = { record } })
    end
    return {
        message = message,
        source = "lua-fleet",
        stack_trace = stack,
        application_failure_info = {
            type = kind,
            non_retryable = f.retryable == false and not f.thrown,
            details = { payloads = { encoded, n = 1 } },
        },
    }
end

local function with(details, extra)
    local merged = {}
    if type(details) == "table" then for k, v in pairs(details) do merged[k] = v end end
    for k, v in pairs(extra) do merged[k] = v end
    return merged
end

-- The values that can be read; the others become what says why they cannot.
local function listed(payloads)
    local list = {}
    for i = 1, payloads.n do
        local wrong, encoding = core.undecodable(payloads[i])
        list[i] = wrong and "(" .. wrong .. ", encoding " .. encoding .. ")" or payloads[i]
        if list[i] == nil then list[i] = core.json_null end
    end
    return list
end

local function restored(failure, info)
    local details = info.details and info.details.payloads
    local first = details and details[1]
    local record = type(first) == "table" and not core.undecodable(first) and type(first.errors) == "table" and first.errors[1]
    if type(record) == "table" and type(record.msg) == "string" then
        return make(record.kind, record.msg, record.retry, record.details, record.stack or failure.stack_trace)
    end
    local name = info.type or ""
    local kept
    if details and details.n > 0 then
        if type(first) == "table" and details.n == 1 and lib.rawlen(first) == 0 and not core.undecodable(first) then
            kept = first
        else
            kept = { details = listed(details) }
        end
    end
    local retryable = not info.non_retryable
    return make(TYPES[name] or name, failure.message or "", retryable, kept, failure.stack_trace)
end

--- failures.from(failure) -> error object
function failures.from(failure)
    if not failure then return make("INTERNAL", "unknown failure", false) end
    local activity, child = failure.activity_failure_info, failure.child_workflow_execution_failure_info
    if activity or child then
        local err = failures.from(failure.cause or { message = failure.message })
        local f = fields(err)
        local info = activity or child
        local extra = { _retry_state = RETRY_STATES[info.retry_state] }
        if activity then
            extra._wrapper, extra._activity_id = "activity", info.activity_id
        else
            local execution = info.workflow_execution or {}
            extra._wrapper, extra._workflow_id, extra._run_id = "child_workflow", execution.workflow_id, execution.run_id
            extra._workflow_type = info.workflow_type and info.workflow_type.name
        end
        return make(f.kind, f.message, f.retryable, with(f.details, extra), f.stack)
    end
    local stack = failure.stack_trace
    if failure.application_failure_info then return restored(failure, failure.application_failure_info) end
    if failure.canceled_failure_info then return make("CANCELED", "operation canceled", false, nil, stack) end
    if failure.terminated_failure_info then return make("CANCELED", "workflow terminated", false, nil, stack) end
    local timeout = failure.timeout_failure_info
    if timeout then
        local details = { timeout_type = TIMEOUTS[timeout.timeout_type] or "unknown" }
        if failure.cause then details.last_error = fields(failures.from(failure.cause)).message end
        return make("TIMEOUT", failure.message or "timed out", false, details, stack)
    end
    if failure.server_failure_info then
        return make("INTERNAL", failure.message or "", not failure.server_failure_info.non_retryable, nil, stack)
    end
    if failure.cause then return failures.from(failure.cause) end
    return make("INTERNAL", failure.message or "", nil, nil, stack)
end

return failures
