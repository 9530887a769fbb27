-- The functions of process inside a workflow (lua_api.md 2, workflows.md 6).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local messages = load("messages")
local run = host.run

local process = {
    send = load("process_send"), listen = messages.listen, unlisten = messages.unlisten, inbox = messages.inbox,
}

local events = load("events")
process.events, process.event = events.channel, events.kinds

for name, value in lib.pairs(load("process_control")) do process[name] = value end
for name, value in lib.pairs(load("spawner")) do process[name] = value end

--- process.id() -> string: the entry id of this workflow
function process.id() return run.info.entry end

--- process.pid() -> string: {client@worker|workflow id}, the same in every run of the workflow id
process.pid = load("signals").address

--- process.upgrade(id, ...): as workflow.continue_as_new(...); id: entry id of the workflow that goes on, nil for this one
function process.upgrade(id, ...)
    if id ~= nil and type(id) ~= "string" then
        error("bad argument #1 to 'upgrade' (string or nil expected, got " .. type(id) .. ")", 2)
    end
    if id and not lib.u_len(id) then error("bad argument #1 to 'upgrade' (not UTF-8)", 2) end
    load("continue_as_new").start(id ~= "" and id or nil, lib.t_pack(...))
end

return process
