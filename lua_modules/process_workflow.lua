-- The functions of process inside a workflow (lua_api.md 2, workflows.md 6).
local core, base, host, load = ...
local messages = load("messages")
local run = host.run

local process = {
    send = load("process_send"), listen = messages.listen, unlisten = messages.unlisten, inbox = messages.inbox,
}

local events = load("events")
process.events, process.event = events.channel, events.kinds

for name, value in core.lib.pairs(load("spawner")) do process[name] = value end

--- process.id() -> string: the entry id of this workflow
function process.id() return run.info.entry end

--- process.pid() -> string: {client@worker|workflow id}, the same in every run of the workflow id
process.pid = load("signals").address

return process
