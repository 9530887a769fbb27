--! How a run begins: the job that every history begins with.
local core, base, host, load = ...
local lib = core.lib
local type = lib.type
local run = host.run

local function header_context(headers)
    local value = headers and headers[host.CONTEXT_HEADER]
    if type(value) ~= "table" or core.undecodable(value) then return {} end
    return value
end

local BY_THE_RUN_BEFORE = 1     -- continued_initiator: the code did it, not a retry or a cron schedule

-- Messages and a cancel come with a start once: retries and cron runs have the same headers, and were not meant.
local function take_headers(job)
    if (job.attempt or 1) > 1 then return end
    if (job.continued_from_execution_run_id or "") == "" then
        if job.headers["lua-fleet-messages"] ~= nil then
            load("signals").receive_headers("lua-fleet-messages", job.headers)
        end
    elseif job.continued_initiator == BY_THE_RUN_BEFORE then
        load("continue_as_new").resume(job.headers)
    end
end

return function(job)
    core.seed(job.randomness_seed or 0)
    local manifest_info = core.host("run_info")
    run.explained = manifest_info.explained
    run.info = {
        started = run.now,
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
    local main = load("environment")()
    run.info.main = core.start(host.main(main, arguments))
end
