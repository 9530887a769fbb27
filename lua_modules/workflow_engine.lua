--! The engine of a workflow run: activation jobs in, commands out (decisions 4 to 17).
--
-- apply() takes an activation (proto.pyx made it a table), wakes whoever waited for its jobs, and the scheduler then
-- runs the script; flush() returns the completion.
local core, base, host, load = ...
local lib = core.lib
local pairs, error = lib.pairs, lib.error
local run = host.run

-- Jobs that one module takes, and which of its functions. Two tables of strings are smaller than one of pairs.
local TAKERS = {
    resolve_activity = "activities",
    resolve_signal_external_workflow = "other_workflows",
    resolve_request_cancel_external_workflow = "other_workflows",
    resolve_child_workflow_execution_start = "children",
    resolve_child_workflow_execution = "children",
    signal_workflow = "signals",
    query_workflow = "queries",
    do_update = "updates",
}
local TAKE = {
    resolve_activity = "resolve",
    resolve_signal_external_workflow = "resolve",
    resolve_request_cancel_external_workflow = "resolve",
    resolve_child_workflow_execution_start = "resolve_start",
    resolve_child_workflow_execution = "resolve",
    signal_workflow = "receive",
    query_workflow = "answer",
    do_update = "receive",
}

local jobs = {}

function jobs.initialize_workflow(job) load("workflow_start")(job) end

function jobs.fire_timer(job)
    local fired = run.timers[job.seq]
    run.timers[job.seq] = nil
    if fired then fired() end
end

function jobs.notify_has_patch(job)
    local id, number = lib.s_match(job.patch_id, "^(.*)%-(%d+)$")
    run.patches = run.patches or {}
    if id then run.patches[id] = lib.tonumber(number) end
end

function jobs.update_random_seed(job) core.seed(job.randomness_seed or 0) end

function jobs.cancel_workflow(job)
    load("cancellation").request(load("cancel_reason").decode(job.reason))
end

local engine = {}

function engine.apply(activation)
    run.run_id = activation.run_id
    run.commands = { n = 0 }
    run.now = activation.timestamp or run.now
    run.replaying = activation.is_replaying or false
    run.history_length = activation.history_length or 0
    run.history_size = activation.history_size_bytes or 0
    run.continue_as_new_suggested = activation.continue_as_new_suggested or false
    local list = activation.jobs or { n = 0 }
    for i = 1, list.n do
        for variant, job in pairs(list[i]) do
            local handler, taker = jobs[variant], TAKERS[variant]
            if handler then
                handler(job)
            elseif taker then
                load(taker)[TAKE[variant]](job)
            else
                error("the activation has a job that this engine does not know: " .. lib.tostring(variant))
            end
        end
    end
end

function engine.failed(...) load("workflow_end").failed(...) end

function engine.flush()
    local commands = run.commands
    run.commands = nil
    if run.fatal then
        local message = lib.s_match(run.fatal, "^[^\n]*")
        return {
            run_id = run.run_id,
            failed = { failure = { message = message, stack_trace = run.fatal, source = "lua-fleet",
                application_failure_info = { type = "TASK_FAILED", non_retryable = false } } },
        }
    end
    return { run_id = run.run_id, successful = { commands = commands } }
end

return engine
