--! Activities: the command, its retries in this worker, its answer (workflows.ja.md, spec/activities.md; decision 33).
local core, base, host, load = ...
local lib = core.lib
local tostring = lib.tostring
local _, internal = load("errors")
local run = host.run

local activities = {}

local DEFAULT_START_TO_CLOSE = 600 * 1000000000
local RECORDED_TIMEOUT = 10 * 1000000000

local function activity_command(op)
    local o = op.options
    local body = {
        seq = op.seq,
        activity_id = op.activity_id,
        activity_type = op.id,
        arguments = op.arguments,
        headers = op.headers,
        schedule_to_close_timeout = o.schedule_to_close_timeout,
        schedule_to_start_timeout = o.schedule_to_start_timeout,
        start_to_close_timeout = o.start_to_close_timeout or (not o.schedule_to_close_timeout and DEFAULT_START_TO_CLOSE or nil),
        retry_policy = o.retry_policy,
        cancellation_type = o.wait_for_cancellation and 1 or 0,
    }
    local metadata = o.summary and { summary = core.payload(o.summary) } or nil
    if op.is_local then
        body.attempt = op.attempt
        body.original_schedule_time = op.original_schedule_time
        body.include_arguments_in_marker = true
        body.local_retry_threshold = 60 * 1000000000
        host.issue({ schedule_local_activity = body, user_metadata = metadata })
    else
        body.task_queue = o.task_queue or run.info.task_queue
        body.heartbeat_timeout = o.heartbeat_timeout
        body.do_not_eagerly_execute = o.disable_eager_execution
        body.versioning_intent = o.versioning_intent
        body.priority = o.priority
        host.issue({ schedule_activity = body, user_metadata = metadata })
    end
end

--- activities.start(id, arguments, options, context, done) -> op
-- arguments: list of encoded payloads with n; options: resolved by call_options.lua; context: table or nil;
-- done(value, err) is called when the activity has ended.
function activities.start(id, arguments, options, context, done)
    local entry = run.entries[id]
    if entry == nil then
        entry = core.host("activity", id) or false
        run.entries[id] = entry
    end
    local merged, wrong_option = {}, nil
    if options ~= nil or (entry and lib.next(entry.options) ~= nil) then
        merged, wrong_option = load("call_options").resolve(id, entry and entry.options, options)
    end
    if not merged then return nil, wrong_option end
    local op = {
        id = id, arguments = arguments, options = merged, done = done, seq = host.next_sequence(),
        is_local = (entry and entry["local"] and not merged.task_queue) or false, attempt = 1,
    }
    -- Later attempts of a local activity have new sequence numbers, but are the same activity.
    op.activity_id = merged.id or tostring(op.seq)
    if entry and not merged.task_queue then merged.task_queue = entry.task_queue end
    local values = context
    if values == nil then values = run.context end
    if lib.next(values) ~= nil then
        local encoded, wrong = core.payload(values)
        if not encoded then return nil, internal.make("INVALID", "the context cannot be sent: " .. wrong, false) end
        op.headers = { [host.CONTEXT_HEADER] = encoded }
    end
    activity_command(op)
    run.activities[op.seq] = op
    return op
end

--- activities.record(type, arguments, done) -> op: an activity of the runtime itself, run in this worker
-- What it returns is recorded in history. arguments: list of encoded payloads with n; done(value, err) as in start.
function activities.record(type, arguments, done)
    local seq = host.next_sequence()
    local op = {
        id = type, arguments = arguments, options = { start_to_close_timeout = RECORDED_TIMEOUT }, done = done,
        seq = seq, activity_id = tostring(seq), is_local = true, attempt = 1,
    }
    activity_command(op)
    run.activities[seq] = op
    return op
end

--- activities.post(type, task_queue, arguments, options, done) -> op: an activity of the runtime, run elsewhere
-- arguments: list of encoded payloads with n; options: as call_options.lua resolves them; done(value, err) as in start.
function activities.post(type, task_queue, arguments, options, done)
    local o = { task_queue = task_queue }
    for name, value in lib.pairs(options) do o[name] = value end
    local seq = host.next_sequence()
    local op = { id = type, arguments = arguments, options = o, done = done, seq = seq, activity_id = tostring(seq) }
    activity_command(op)
    run.activities[seq] = op
    return op
end

--- activities.cancel(op): ask for the cancellation of an activity that nobody waits for any more
function activities.cancel(op)
    if run.activities[op.seq] ~= op then return end
    if op.backoff then
        host.cancel_timer(op.backoff)
        run.activities[op.seq] = nil
        return op.done(nil, internal.canceled("operation canceled"))
    end
    host.emit(op.is_local and "request_cancel_local_activity" or "request_cancel_activity", { seq = op.seq })
end

--- activities.forget(op): its result is wanted no more
function activities.forget(op) op.done = function() end end

local function retry_local(op, backoff)
    op.attempt = backoff.attempt or op.attempt
    op.original_schedule_time = backoff.original_schedule_time
    op.backoff = host.timer(backoff.backoff_duration or 0, function()
        op.backoff = nil
        run.activities[op.seq] = nil
        op.seq = host.next_sequence()
        run.activities[op.seq] = op
        activity_command(op)
    end)
end

--- activities.resolve(job): a resolve_activity job
function activities.resolve(job)
    local op = run.activities[job.seq]
    if not op then return end
    local result = job.result
    if result.backoff then return retry_local(op, result.backoff) end
    run.activities[job.seq] = nil
    if result.completed then
        local value = result.completed.result
        local wrong, encoding = core.undecodable(value)
        if wrong then
            return op.done(nil, internal.make("INVALID", "the result of " .. op.id .. " cannot be read: " .. wrong
                .. " (encoding " .. encoding .. ")", false))
        end
        return op.done(value, nil)
    end
    op.done(nil, load("failures").from((result.failed or result.cancelled or {}).failure))
end

return activities
