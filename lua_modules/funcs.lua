-- funcs: calls of functions; from a workflow they are activities (lua_api.md 5, activities.md 3 and 5).
local core, base, host, load = ...
local lib = core.lib
local type, error, pairs = lib.type, lib.error, lib.pairs
local _, internal = load("errors")
local make = internal.make
local payloads = load("payload")

local funcs = {}

-- With a task queue of its own the id is the name of a Temporal activity type in any language (decision 21).
local function is_foreign(options)
    return options ~= nil and (options["activity.task_queue"] or options["temporal.activity.task_queue"]) ~= nil
end

local function check_id(id, name, options)
    if type(id) ~= "string" then
        error("bad argument #1 to '" .. name .. "' (string expected, got " .. type(id) .. ")", 3)
    end
    if id == "" then return make("INVALID", "function ID required", false) end
    if not lib.u_len(id) then return make("INVALID", "the function ID is not UTF-8", false) end
    if not is_foreign(options) and not lib.s_find(id, "^[^:]+:.+$") then
        return make("INVALID", "invalid function ID '" .. id .. "' (namespace:name required)", false)
    end
end

--- Encode arguments now, so that what the callee gets does not depend on what happens to the tables later.
local function encode(id, ...)
    local n = lib.select("#", ...)
    local values = { ... }
    local encoded = { n = n }
    for i = 1, n do
        local bytes, wrong = core.payload(values[i])
        if not bytes then
            return nil, make("INVALID", "argument " .. i .. " of " .. id .. " cannot be sent: " .. wrong, false)
        end
        encoded[i] = bytes
    end
    return encoded
end

local function call(executor, id, ...)
    local wrong = check_id(id, "call", executor.options)
    if wrong then return nil, wrong end
    local arguments, err = encode(id, ...)
    if not arguments then return nil, err end
    local task = core.current()
    local ended = false
    local op
    op, err = host.start_call(id, arguments, executor.options, executor.context, function(value, failure)
        ended = true
        core.wake(task, value, failure)
    end)
    if not op then return nil, err end
    local value, failure = core.park(2, "funcs.call")
    if not ended then
        -- Cancelled while waiting: the activity is told, and its outcome no longer matters.
        host.cancel_call(op)
        host.forget_call(op)
    end
    return value, failure
end

-- ---- Future

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

local function async(executor, id, ...)
    local wrong = check_id(id, "async", executor.options)
    if wrong then return nil, wrong end
    local arguments, err = encode(id, ...)
    if not arguments then return nil, err end
    local f = { channel = base.channel.new(1), complete = false, canceled = false }
    f.op, err = host.start_call(id, arguments, executor.options, executor.context, function(value, failure)
        if f.canceled then return end
        f.complete = true
        f.failure = failure
        if not failure then f.value = payloads.new(value) end
        core.offer(f.channel, failure or f.value)
        f.channel:close()
    end)
    if not f.op then return nil, err end
    return new_future(f), nil
end

-- ---- Executor

local executor_methods = {}
local new_executor, executor_fields = core.class({ __name = "executor", __index = executor_methods })

local function open_executor(self, method)
    local f = executor_fields(self)
    if not f then error("bad argument to '" .. method .. "' (executor expected; call it with ':')", 3) end
    return f
end

--- executor:call(id, ...) -> value, nil | nil, err
function executor_methods.call(self, id, ...) return call(open_executor(self, "call"), id, ...) end

--- executor:async(id, ...) -> future, nil | nil, err
function executor_methods.async(self, id, ...) return async(open_executor(self, "async"), id, ...) end

--- executor:with_options(options) -> a new executor with these options in place of the earlier ones
function executor_methods.with_options(self, options)
    local f = open_executor(self, "with_options")
    if type(options) ~= "table" then
        error("bad argument #1 to 'with_options' (table expected, got " .. type(options) .. ")", 2)
    end
    local copy = {}
    for k, v in pairs(options) do copy[k] = v end
    return new_executor({ options = copy, context = f.context })
end

--- executor:with_context(values) -> a new executor whose calls see these values over the inherited ones
function executor_methods.with_context(self, values)
    local f = open_executor(self, "with_context")
    if type(values) ~= "table" then
        error("bad argument #1 to 'with_context' (table expected, got " .. type(values) .. ")", 2)
    end
    local merged = {}
    for k, v in pairs(f.context or host.context()) do merged[k] = v end
    for k, v in pairs(values) do
        if type(k) ~= "string" then error("bad argument #1 to 'with_context' (string keys expected, got a " .. type(k) .. ")", 2) end
        merged[k] = v
    end
    return new_executor({ options = f.options, context = merged })
end

local DEFAULT = {}

--- funcs.new() -> executor
function funcs.new() return new_executor({}) end

--- funcs.call(id, ...) -> value, nil | nil, err. Blocks this coroutine only.
function funcs.call(id, ...) return call(DEFAULT, id, ...) end

--- funcs.async(id, ...) -> future, nil | nil, err
function funcs.async(id, ...) return async(DEFAULT, id, ...) end

return funcs
