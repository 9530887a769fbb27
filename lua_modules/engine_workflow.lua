-- The engine of a workflow run: activation jobs in, commands out (decisions 4 to 17).
--
-- apply() takes an activation (proto.pyx made it a table), wakes whoever waited for its jobs, and the scheduler then
-- runs the script; flush() returns the completion. `host` is what the modules build on; engine_function.lua gives
-- functions the same interface over real time.
local core, base = ...
local lib = core.lib
local type, tostring, pairs, error = lib.type, lib.tostring, lib.pairs, lib.error

local host = { workflow = true }
local load_module = (function()
    local chunk = core.module("loader")
    return chunk(core, base, host)
end)()
local module = load_module.module

local errors, internal = module("errors")
base.errors = errors
base.os = module("os")
base.print = module("print")
base.process = module("process")
local failures -- loaded when the first failure is seen

local run = {
    now = 0, replaying = false, commands = nil, info = nil, sequence = 0,
    timers = {}, activities = {}, children = {}, entries = {}, patches = {}, versions = {}, context = {},
}
host.run = run

-- While a replay is being explained, Python is told where each command comes from.
local function issue(command)
    local commands = run.commands
    commands.n = commands.n + 1
    commands[commands.n] = command
    if run.explained then core.host("issued", commands.n, lib.traceback("", 2)) end
end

host.issue = issue

local function emit(variant, body) issue({ [variant] = body }) end
host.emit = emit

local function next_sequence()
    run.sequence = run.sequence + 1
    return run.sequence
end
host.next_sequence = next_sequence

--- Fail the workflow task, not the run, in a way that no pcall can catch. Never returns to the script.
function host.fail_task(message)
    run.fatal = message .. "\n" .. lib.traceback("", 2)
    core.stop()
    core.park(0)
end

--- host.now() -> nanoseconds since 1970 of the current workflow task
function host.now() return run.now end

--- host.started() -> host.now() of the run's first workflow task
function host.started() return run.started end

function host.random_bytes(n) return core.random_bytes(n) end

--- host.timer(ns, fired) -> handle; fired() is called when it fires
function host.timer(ns, fired)
    local seq = next_sequence()
    run.timers[seq] = fired
    emit("start_timer", { seq = seq, start_to_fire_timeout = ns })
    return seq
end

--- host.cancel_timer(handle) -> true if it had not fired
function host.cancel_timer(seq)
    if not run.timers[seq] then return false end
    run.timers[seq] = nil
    emit("cancel_timer", { seq = seq })
    return true
end

--- host.sleep(ns): blocks; raises when cancelled
function host.sleep(ns)
    local task = core.current()
    local timer = host.timer(ns, function() core.wake(task, true) end)
    local fired, err = core.park(2, "time.sleep")
    if not fired then
        host.cancel_timer(timer)
        error(err, 0)
    end
end

--- host.log(level, text, fields): nothing is written during replay
function host.log(level, text, fields)
    if run.replaying then return end
    core.host("log", level, text, fields)
end

--- host.context() -> the context values of this run
function host.context() return run.context end

--- host.reads_events(): from now on a cancel request is an event, nothing else
function host.reads_events() run.reads_events = true end

host.CONTEXT_HEADER = "lua-fleet-context"

function host.start_call(...) return module("activities").start(...) end

function host.cancel_call(op) module("activities").cancel(op) end

function host.forget_call(op) module("activities").forget(op) end

-- ---- the main function

local function header_context(headers)
    local value = headers and headers[host.CONTEXT_HEADER]
    if type(value) ~= "table" or core.undecodable(value) then return {} end
    return value
end

local function fail_run(err)
    failures = failures or module("failures")
    if run.cancel_requested and internal.fields(err).kind == "CANCELED" then
        emit("cancel_workflow_execution", {})
    else
        emit("fail_workflow_execution", { failure = failures.to(err) })
    end
    core.stop()
end

local function complete_run(...)
    local value, err = internal.outcome(...)
    if err then return fail_run(err) end
    local encoded, wrong = core.payload(value)
    if not encoded then
        return fail_run(internal.make("INVALID", "the result cannot be sent: " .. wrong, false))
    end
    emit("complete_workflow_execution", { result = encoded })
    core.stop()
end

local jobs = {}

local BY_THE_RUN_BEFORE = 1     -- continued_initiator: the code did it, not a retry or a cron schedule

-- Messages and a cancel come with a start once: retries and cron runs have the same headers, and were not meant.
local function take_headers(job)
    if (job.attempt or 1) > 1 then return end
    if (job.continued_from_execution_run_id or "") == "" then
        if job.headers["lua-fleet-messages"] ~= nil then
            module("signals").receive_headers("lua-fleet-messages", job.headers)
        end
    elseif job.continued_initiator == BY_THE_RUN_BEFORE then
        module("continue_as_new").resume(job.headers)
    end
end

function jobs.initialize_workflow(job)
    core.seed(job.randomness_seed or 0)
    local manifest_info = core.host("run_info")
    run.explained = manifest_info.explained
    run.info = {
        workflow_id = job.workflow_id,
        run_id = run.run_id,
        workflow_type = job.workflow_type,
        attempt = job.attempt or 1,
        task_queue = manifest_info.task_queue,
        namespace = manifest_info.namespace,
        entry = manifest_info.entry,
        client = manifest_info.client,
        worker = manifest_info.worker,
        original_run_id = job.original_execution_run_id or run.run_id,
    }
    run.context = header_context(job.headers)
    run.memo = job.memo and job.memo.fields
    local arguments = job.arguments or { n = 0 }
    for i = 1, arguments.n do
        local wrong, encoding = core.undecodable(arguments[i])
        if wrong then
            -- The task fails, so that nothing is lost: a deployment that can read it may come.
            run.fatal = "argument " .. i .. " of the workflow cannot be read: " .. wrong .. " (encoding " .. encoding .. ")"
            return core.stop()
        end
    end
    if job.headers then take_headers(job) end
    local main = load_module.entry()
    run.main = core.start(function() complete_run(main(lib.t_unpack(arguments, 1, arguments.n))) end)
end

function jobs.fire_timer(job)
    local fired = run.timers[job.seq]
    run.timers[job.seq] = nil
    if fired then fired() end
end

function jobs.resolve_activity(job) module("activities").resolve(job) end

function jobs.notify_has_patch(job)
    local id, number = lib.s_match(job.patch_id, "^(.*)%-(%d+)$")
    if id then run.patches[id] = lib.tonumber(number) end
end

function jobs.update_random_seed(job) core.seed(job.randomness_seed or 0) end

function jobs.resolve_signal_external_workflow(job) module("other_workflows").resolve(job) end

function jobs.resolve_request_cancel_external_workflow(job) module("other_workflows").resolve(job) end

function jobs.resolve_child_workflow_execution_start(job) module("children").resolve_start(job) end

function jobs.resolve_child_workflow_execution(job) module("children").resolve(job) end

function jobs.signal_workflow(job) module("signals").receive(job) end

function jobs.cancel_workflow(job)
    module("cancellation").request(module("cancel_reason").decode(job.reason))
end

function jobs.query_workflow(job) module("queries").answer(job) end

function jobs.do_update(job) module("updates").receive(job) end

-- ---- the engine's entry points

local engine = {}

function engine.apply(activation)
    run.run_id = activation.run_id
    run.commands = { n = 0 }
    run.now = activation.timestamp or run.now
    run.started = run.started or run.now
    run.replaying = activation.is_replaying or false
    run.history_length = activation.history_length or 0
    run.history_size = activation.history_size_bytes or 0
    run.continue_as_new_suggested = activation.continue_as_new_suggested or false
    local list = activation.jobs or { n = 0 }
    for i = 1, list.n do
        for variant, job in pairs(list[i]) do
            local handler = jobs[variant]
            if not handler then error("the activation has a job that this engine does not know: " .. tostring(variant)) end
            handler(job)
        end
    end
end

function engine.failed(thrown, traceback, task)
    local err = internal.from_thrown(thrown, traceback)
    -- A coroutine beside the main function that lets its cancellation pass has ended, and no more (decision 17).
    if task ~= run.main and run.cancel_requested and internal.fields(err).kind == "CANCELED" then return end
    fail_run(err)
end

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
