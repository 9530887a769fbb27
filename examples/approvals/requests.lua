-- The requests as the pages see them: workflows that are started, told and asked.
local requests = {}

local HOST = "approvals:worker"

-- The workflow of a request has a PID that anybody can write down.
local function pid_of(id)
    return "{approvals:temporal@" .. HOST .. "|approval-" .. id .. "}"
end

--- Start the workflow of a request. An id starts once, however often the form is sent.
function requests.start(request, requester)
    local spawner = process
        .with_context({requester = requester})
        :with_options({
            ["temporal.workflow.id"] = "approval-" .. request.id,
            ["temporal.workflow.id_conflict_policy"] = "fail",
            ["temporal.workflow.id_reuse_policy"] = "reject_duplicate",
        })
    return spawner:spawn("approvals:approval", HOST, request)
end

function requests.decide(id, approved, by)
    return process.send(pid_of(id), "decision", {approved = approved, by = by})
end

--- The state of a request: of a running workflow its answer, of one that has ended its result.
function requests.state(id)
    local pid = pid_of(id)
    local answers = process.listen("state")
    local events = process.events()
    local ok, err = process.monitor(pid)
    if not ok then return nil, err end
    process.send(pid, "status")

    local patience = time.after("5s")
    local got = channel.select{
        answers:case_receive(),
        events:case_receive(),
        patience:case_receive(),
    }
    process.unmonitor(pid)
    if got.channel == answers then return got.value end
    if got.channel == events then return got.value.result.value, got.value.result.error end
    return nil, errors.new{kind = errors.TIMEOUT, message = "the workflow does not answer: does its worker run?"}
end

return requests
