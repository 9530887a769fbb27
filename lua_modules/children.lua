-- Child workflows: the command, its two answers, and who waits for them (workflows.md 6, decisions 9, 18, 21, 28).
local core, base, host, load = ...
local lib = core.lib
local _, internal = load("errors")
local pids, failures, batch = load("pid"), load("failures"), load("message_batch")
local run = host.run

local WAIT_CANCELLATION_COMPLETED, WAIT_CANCELLATION_REQUESTED = 2, 3
local ALREADY_EXISTS, ALLOW_DUPLICATE = 1, 1

local children = {}
local by_id = {}        -- namespace and workflow id, with a NUL between -> child

local function invalid(text) return internal.make("INVALID", text, false) end

--- children.encode(id, values) -> list of encoded payloads with n | nil, err (INVALID): the arguments of a start
function children.encode(id, values)
    local encoded = { n = values.n }
    for i = 1, values.n do
        local bytes, wrong = core.payload(values[i])
        if not bytes then return nil, invalid("argument " .. i .. " of " .. id .. " cannot be sent: " .. wrong) end
        encoded[i] = bytes
    end
    return encoded
end

--- children.destination(id, worker) -> entry {type=, options=}, task queue, host part of its PID, place
-- | nil, err (INVALID). place: {client=, namespace=} when the worker has another client than this run, else nil.
-- worker: as in start. With a raw task queue the id is a type name of any language.
function children.destination(id, worker)
    if worker == nil then
        local entry = core.host("workflow", id)
        if not entry or not entry.worker then return entry or { type = id }, run.info.task_queue, run.info.worker end
        worker = entry.worker
    end
    local place = core.host("worker", worker)
    if not place then return { type = id }, worker, worker end
    local entry = core.host("workflow", id) or { type = id }
    if entry.worker and entry.worker ~= worker then
        return nil, invalid(id .. " runs on " .. entry.worker .. ", not on " .. worker)
    end
    if place.client == run.info.client or run.info.client == "" then return entry, place.task_queue, worker end
    local namespace = core.host("neighbour", place.client)
    if not namespace then
        return nil, invalid(id .. " runs on " .. worker .. ", whose client " .. place.client
            .. " is one of another Temporal server than this workflow's")
    end
    return entry, place.task_queue, worker, { client = place.client, namespace = namespace }
end

local function metadata(o)
    local summary, details = o.static_summary or o.summary, o.static_details or o.details
    if not summary and not details then return nil end
    return { summary = summary and core.payload(summary), details = details and core.payload(details) }
end

local function headers(spec)
    local sent, values = {}, spec.context or host.context()
    if lib.next(values) ~= nil then
        local encoded, wrong = core.payload(values)
        if not encoded then return nil, invalid("the context cannot be sent: " .. wrong) end
        sent[host.CONTEXT_HEADER] = encoded
    end
    if spec.messages then batch.headers(batch.STARTUP, spec.messages, load("signals").address(), sent) end
    return lib.next(sent) and sent or nil
end

-- The one spelling of the option and the other are one set of attributes.
local function indexed(o)
    local fields = o.search_attributes or {}
    for name, payload in lib.pairs(o.typed_search_attributes or {}) do fields[name] = payload end
    return lib.next(fields) ~= nil and { indexed_fields = fields } or nil
end

--- children.start(id, worker, values, spec, started, ended) -> child {seq=, pid=} | nil, err (INVALID)
-- worker: id of a temporal.worker or a raw task queue; nil for the worker that the entry names. values: list with n.
-- spec: {options=, context=, name=, messages=}. started(err): the server has it, or not. ended(value, err): only after a start.
function children.start(id, worker, values, spec, started, ended)
    local entry, queue, host_part, place = children.destination(id, worker)
    if not entry then return nil, queue end
    local o, err = load("workflow_options").resolve(id, entry.options, spec.options)
    if not o then return nil, err end
    local encoded
    encoded, err = children.encode(id, values)
    if not encoded then return nil, err end
    local sent
    sent, err = headers(spec)
    if err then return nil, err end
    local seq = host.next_sequence()
    local workflow_id = o.id or spec.name or run.info.original_run_id .. "_" .. seq
    place = place or { client = run.info.client, namespace = run.info.namespace }
    local namespace, node = o.namespace or place.namespace, place.client
    if namespace ~= place.namespace then node = node .. "/" .. namespace end
    local child = {
        seq = seq, id = id, workflow_id = workflow_id, namespace = namespace, started = started, ended = ended,
        pid = pids.format(node, host_part, workflow_id),
        shared = (o.id or spec.name) and (o.id_reuse_policy or ALLOW_DUPLICATE) == ALLOW_DUPLICATE,
    }
    run.children[seq] = child
    host.issue({
        start_child_workflow_execution = {
            seq = seq, namespace = namespace, workflow_id = workflow_id, workflow_type = entry.type,
            task_queue = o.task_queue or queue, input = encoded, headers = sent,
            workflow_execution_timeout = o.execution_timeout, workflow_run_timeout = o.run_timeout,
            workflow_task_timeout = o.task_timeout, parent_close_policy = o.parent_close_policy,
            workflow_id_reuse_policy = o.id_reuse_policy, retry_policy = o.retry_policy,
            cron_schedule = o.cron_schedule, memo = o.memo, search_attributes = indexed(o),
            versioning_intent = o.versioning_intent, priority = o.priority, versioning_override = o.versioning_override,
            cancellation_type = o.wait_for_cancellation and WAIT_CANCELLATION_COMPLETED or WAIT_CANCELLATION_REQUESTED,
        },
        user_metadata = metadata(o),
    })
    return child
end

local function request_cancel(child)
    local reason = "the parent was cancelled"
    host.emit("cancel_child_workflow_execution", { child_workflow_seq = child.seq, reason = reason })
end

-- The wait for a child was interrupted. It goes on until the child has been told: a parent that closes in the task of
-- the request takes the request with it.
local function cancel_and_wait(child)
    child.canceling = true
    if child.running then request_cancel(child) end
    return core.park(0, "the cancellation of a child")
end

--- children.resolve_start(job): a resolve_child_workflow_execution_start job
function children.resolve_start(job)
    local child = run.children[job.seq]
    if not child then return end
    if job.succeeded then
        child.running = true
        by_id[child.namespace .. "\0" .. child.workflow_id] = child
        if child.canceling then return request_cancel(child) end
        return child.started(nil)
    end
    run.children[job.seq] = nil
    if job.cancelled then return child.started(failures.from(job.cancelled.failure)) end
    if job.failed.cause == ALREADY_EXISTS then
        child.taken = true
        return child.started(internal.make("ALREADY_EXISTS",
            "cannot start " .. child.id .. ": a workflow with the id of " .. child.pid .. " exists already", false))
    end
    child.started(invalid("the server refused to start " .. child.id .. " as " .. child.pid))
end

--- children.resolve(job): a resolve_child_workflow_execution job
function children.resolve(job)
    local child = run.children[job.seq]
    if not child then return end
    run.children[job.seq] = nil
    local result = job.result
    if not result.completed then
        return child.ended(nil, failures.from((result.failed or result.cancelled or {}).failure))
    end
    local value = result.completed.result
    local wrong, encoding = core.undecodable(value)
    if wrong then
        return child.ended(nil, invalid("the result of " .. child.id .. " cannot be read: " .. wrong .. " (encoding "
            .. encoding .. ")"))
    end
    child.ended(value, nil)
end

-- A workflow of that name runs already: it gets the messages, all of them or none.
local function send_startup(child, list)
    if not list then return child.pid, nil end
    local name, arguments = list[1].topic, list[1].payloads
    if list[2] then name, arguments = batch.SIGNAL, batch.encode(list, load("signals").address()) end
    local sent, err = load("other_workflows").signal(child.pid, child.namespace, child.workflow_id, name, arguments)
    return sent and child.pid, err
end

--- children.spawn(id, worker, values, spec) -> pid, nil | nil, err. Blocks until the server has started it.
-- Its end is an EXIT event. With a name or an explicit id that a running workflow has: its PID, and it gets the
-- messages (decision 22); if it is no child of this run, there is no EXIT event of it.
function children.spawn(id, worker, values, spec)
    local task, settled = core.current(), false
    local child, err
    child, err = children.start(id, worker, values, spec, function(failure)
        settled = true
        core.wake(task, not failure and child.pid or nil, failure)
    end, function(value, failure)
        if child.canceling then return core.wake(task, nil, failure or internal.canceled("operation canceled")) end
        if child.unwatched then
            child.missed = { value = value, failure = failure }
            return
        end
        load("events").exit(child.pid, value, failure)
    end)
    if not child then return nil, err end
    local pid, failure = core.park(2, "process.spawn")
    if not settled then return cancel_and_wait(child) end
    if child.taken and child.shared and not child.canceling then return send_startup(child, spec.messages) end
    return pid, failure
end

--- children.watch(namespace, workflow id, on) -> true | false when it is no child that this run has started
-- on: whether its end is an EXIT event. Of one that ended unwatched, it comes now.
function children.watch(namespace, workflow_id, on)
    local child = by_id[namespace .. "\0" .. workflow_id]
    if not child then return false end
    child.unwatched = not on
    if on and child.missed then
        load("events").exit(child.pid, child.missed.value, child.missed.failure)
        child.missed = nil
    end
    return true
end

--- children.exec(id, worker, values, spec) -> value, nil | nil, err. Blocks until the child has ended; a cancel of the
-- run that interrupts it cancels the child, and it returns once the child was told (with the option
-- wait_for_cancellation: once it has ended).
function children.exec(id, worker, values, spec)
    local task, settled = core.current(), false
    local function ended(value, failure)
        settled = true
        core.wake(task, value, failure)
    end
    local child, err = children.start(id, worker, values, spec, function(failure)
        if failure then ended(nil, failure) end
    end, ended)
    if not child then return nil, err end
    local value, failure = core.park(2, "process.exec")
    if not settled then return cancel_and_wait(child) end
    return value, failure
end

local function no_links()
    return nil, invalid("links are not supported in workflow context: children are monitored")
end

--- children.starters: the functions of process that start something, by name (decision 28: children are always monitored)
children.starters = {
    spawn = children.spawn, spawn_monitored = children.spawn, exec = children.exec, spawn_linked = no_links,
    spawn_linked_monitored = no_links,
}

return children
