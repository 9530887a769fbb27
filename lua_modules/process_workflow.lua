-- The functions of process inside a workflow (lua_api.md 2, workflows.md 6).
local core, base, host, load = ...
local pids, messages = load("pid"), load("messages")
local run = host.run

local own

local process = { listen = messages.listen, unlisten = messages.unlisten, inbox = messages.inbox }

--- process.id() -> string: the entry id of this workflow
function process.id() return run.info.entry end

--- process.pid() -> string: {client@worker|workflow id}, the same in every run of the workflow id
function process.pid()
    own = own or pids.format(run.info.client, run.info.worker, run.info.workflow_id)
    return own
end

return process
