-- Futures: calls that nobody waits for yet (lua_api.md 5).
local core, base, host, load = ...
local lib = core.lib
local error = lib.error
local _, internal = load("errors")
local make = internal.make
local payloads = load("payload")

local future_methods = {}
local new_future, future_fields = core.class({ __name = "future", __index = future_methods })

local function open(self, method)
    local f = future_fields(self)
    if not f then error("bad argument to '" .. method .. "' (future expected; call it with ':')", 3) end
    return f
end

--- future:response() -> channel: one Payload or one error, then closed. The same channel each time.
function future_methods.response(self) return open(self, "response").channel end
future_methods.channel = future_methods.response

--- future:is_complete() -> boolean
function future_methods.is_complete(self) return open(self, "is_complete").complete end

--- future:is_canceled() -> boolean
function future_methods.is_canceled(self) return open(self, "is_canceled").canceled end

--- future:result() -> nil, nil while pending | payload, nil | nil, err
function future_methods.result(self)
    local f = open(self, "result")
    return f.value, f.failure
end

--- future:error() -> err, true after a failure | nil, false. The error is of kind INTERNAL; result() keeps the kind.
function future_methods.error(self)
    local f = open(self, "error")
    if f.failure and not f.canceled then
        local e = internal.fields(f.failure)
        return make("INTERNAL", e.message, false, e.details, e.stack), true
    end
    return nil, false
end

--- future:cancel() -> true, nil. Closes the channel; a late result is ignored.
function future_methods.cancel(self)
    local f = open(self, "cancel")
    if f.complete or f.canceled then return true, nil end
    f.canceled = true
    f.failure = internal.canceled("canceled")
    host.forget_call(f.op)
    host.cancel_call(f.op)
    f.channel:close()
    return true, nil
end

--- async(executor, id, ...) -> future, nil | nil, err
return function(executor, id, ...)
    local f = { channel = base.channel.new(1), complete = false, canceled = false }
    local err
    f.op, err = load("funcs_calls").start("async", executor, id, function(value, failure)
        if f.canceled then return end
        f.complete = true
        f.failure = failure
        if not failure then f.value = payloads.new(value) end
        core.offer(f.channel, failure or f.value)
        f.channel:close()
    end, ...)
    if not f.op then return nil, err end
    return new_future(f), nil
end
