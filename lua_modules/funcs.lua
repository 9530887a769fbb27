-- funcs: calls of functions; from a workflow they are activities (lua_api.md 5, activities.md 3 and 5).
--
-- Only waiting is here: how a call begins, futures and executors are in funcs_*.lua and come when they are first needed.
local core, base, host, load = ...

local funcs = {}
local serial = core.serials()
core.serials(serial + 128) -- of the payloads, futures and executors that come later, in the order of keys

local function call(executor, id, ...)
    local task = core.current()
    local ended = false
    local op, err = load("funcs_calls").start("call", executor, id, function(value, failure)
        ended = true
        core.wake(task, value, failure)
    end, ...)
    if not op then return nil, err end
    local value, failure = core.park(2, "funcs.call")
    if not ended then
        -- Cancelled while waiting: the activity is told, and its outcome no longer matters.
        host.cancel_call(op)
        host.forget_call(op)
    end
    return value, failure
end

local function async(...)
    load("payload", serial)
    return load("funcs_futures", serial + 48)(...)
end

local DEFAULT = {}

--- funcs.new() -> executor
function funcs.new() return load("funcs_executors", serial + 96)({}) end

--- funcs.call(id, ...) -> value, nil | nil, err. Blocks this coroutine only.
function funcs.call(id, ...) return call(DEFAULT, id, ...) end

--- funcs.async(id, ...) -> future, nil | nil, err
function funcs.async(id, ...) return async(DEFAULT, id, ...) end

-- For funcs_executors.lua.
local internal = { call = call, async = async }

return funcs, internal
