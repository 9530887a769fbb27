-- What a workflow run always has: its data. The code that works on it is in workflow_*.lua, comes when it is first needed
-- and goes when the run has waited for a while: there are many more runs that wait than runs that work.
local core, base = ...
local lib = core.lib

local run = {
    now = 0, replaying = false, commands = nil, info = nil, sequence = 0,
    timers = {}, activities = {}, children = {}, entries = {}, context = {},
}
local host = { workflow = true, run = run, CONTEXT_HEADER = "lua-fleet-context" }
local loader = core.module("loader")(core, base, host)
local engine = {}

local function finish(...) loader.module("workflow_end").complete(...) end

--- host.main(main, arguments) -> what the run's first coroutine runs
-- Tracebacks know `main` by the name of this upvalue.
function host.main(main, arguments)
    return function() finish(main(lib.t_unpack(arguments, 1, arguments.n))) end
end

loader.globals({ errors = true, os = true, print = true, process = true })
loader.lend(host, "workflow_host")
loader.lend(engine, "workflow_engine")

engine.rest = loader.rest

return engine
