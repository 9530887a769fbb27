--! How a run ends.
local core, base, host, load = ...
local _, internal = load("errors")
local run = host.run

local ending = {}

--- ending.fail(err): the run ends with an error
function ending.fail(err)
    if run.cancel_requested and internal.fields(err).kind == "CANCELED" then
        host.emit("cancel_workflow_execution", {})
    else
        host.emit("fail_workflow_execution", { failure = load("failures").to(err) })
    end
    core.stop()
end

--- ending.complete(...): the main function returned this
function ending.complete(...)
    local value, err = load("outcomes").of(...)
    if err then return ending.fail(err) end
    local encoded, wrong = core.payload(value)
    if not encoded then
        return ending.fail(internal.make("INVALID", "the result cannot be sent: " .. wrong, false))
    end
    host.emit("complete_workflow_execution", { result = encoded })
    core.stop()
end

--- ending.failed(thrown, traceback, task): a coroutine ended with an error that nobody caught
function ending.failed(thrown, traceback, task)
    local err = load("outcomes").thrown(thrown, traceback)
    -- A coroutine beside the main function that lets its cancellation pass has ended, and no more (decision 17).
    if task ~= run.info.main and run.cancel_requested and internal.fields(err).kind == "CANCELED" then return end
    ending.fail(err)
end

return ending
