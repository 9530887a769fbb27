--! What the modules build on inside a workflow: `host`, with the commands of a run (decisions 4 to 17). engine_function.lua
-- gives functions the same interface over real time.
local core, base, whole, load = ...
local lib = core.lib
local error = lib.error
local run = whole.run

local host = {}

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
function host.started() return run.info.started end

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
    local timer = whole.timer(ns, function() core.wake(task, true) end)
    local fired, err = core.park(2, "time.sleep")
    if not fired then
        whole.cancel_timer(timer)
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

function host.start_call(...) return load("activities").start(...) end

function host.cancel_call(op) load("activities").cancel(op) end

function host.forget_call(op) load("activities").forget(op) end

return host
