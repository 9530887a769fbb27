-- workflow: what only a workflow can do (workflows.ja.md, ワークフローモジュール; decision 15).
local core, base, host, load = ...
local lib = core.lib
local run = host.run

local workflow = {}

--- workflow.info() -> table, nil | nil, nil outside a workflow
function workflow.info()
    if not run then return nil, nil end
    local info = run.info
    return {
        workflow_id = info.workflow_id,
        run_id = info.run_id,
        workflow_type = info.workflow_type,
        task_queue = info.task_queue,
        namespace = info.namespace,
        attempt = info.attempt,
        history_length = run.history_length,
        history_size = run.history_size,
        continue_as_new_suggested = run.continue_as_new_suggested,
    }, nil
end

--- workflow.history_length() -> number of events up to the current workflow task, nil; 0 outside a workflow
function workflow.history_length() return run and run.history_length or 0, nil end

--- workflow.history_size() -> bytes, nil; 0 outside a workflow
function workflow.history_size() return run and run.history_size or 0, nil end

--- workflow.exec(id, ...) -> value, nil | nil, err. Runs a child on the worker that its entry names; waits for its end.
function workflow.exec(...) return load("workflow_calls").exec(...) end

--- workflow.set_query(name, value) -> true, nil | nil, err (INVALID): the answer to this query from now on
function workflow.set_query(...) return load("queries").set(...) end

--- workflow.attrs{search = table, memo = table} -> true, nil | nil, err (INVALID): merges into those of the run
function workflow.attrs(...) return load("attributes").upsert(...) end

--- workflow.continue_as_new(...): ends this run and starts the workflow anew with these arguments; never returns
-- Unread messages, the context and a pending cancel go on to the new run. Raises INVALID outside a workflow and when
-- an argument cannot be sent.
function workflow.continue_as_new(...)
    if not run then
        local _, internal = load("errors")
        lib.error(internal.make("INVALID", "workflow.continue_as_new works inside workflows only", false), 0)
    end
    load("continue_as_new").start(nil, lib.t_pack(...))
end

--- workflow.version(change_id, min_supported, max_supported) -> number, nil | nil, err
function workflow.version(...) return load("workflow_calls").version(...) end

return workflow
