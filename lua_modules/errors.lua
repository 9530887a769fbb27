-- errors: structured errors with kind, message, retryable and details (lua_api.md 7, decisions 1 and 2).
local core, base = ...
local lib = core.lib
local type, tostring, error, pairs = lib.type, lib.tostring, lib.error, lib.pairs
local s_gsub, s_upper = lib.s_gsub, lib.s_upper
local traceback = lib.traceback

local KINDS = {
    "NOT_FOUND", "ALREADY_EXISTS", "INVALID", "PERMISSION_DENIED", "UNAVAILABLE", "INTERNAL",
    "CANCELED", "CONFLICT", "TIMEOUT", "RATE_LIMITED", "UNKNOWN",
}

local errors = {}
local folded = {}
for _, kind in lib.ipairs(KINDS) do
    errors[kind] = kind
    folded[s_gsub(kind, "_", "")] = kind
end

-- "NotFound", "not_found" and "NOT_FOUND" are one kind; a kind we do not know stays as it is.
local function canonical(kind)
    if kind == nil or kind == "" then return "UNKNOWN" end
    return folded[s_upper((s_gsub(kind, "_", "")))] or kind
end

local methods = {}
local metatable = { __name = "error", __index = methods }
local new, fields = core.class(metatable)

local function open(self, method)
    local f = fields(self)
    if not f then error("bad argument to '" .. method .. "' (error expected, got " .. type(self) .. "; call it with ':')", 3) end
    return f
end

--- err:kind() -> string, one of the constants or the kind that was given
function methods.kind(self) return open(self, "kind").kind end

--- err:message() -> string
function methods.message(self) return open(self, "message").message end

--- err:retryable() -> true | false | nil when nobody said
function methods.retryable(self) return open(self, "retryable").retryable end

--- err:details() -> table | nil
function methods.details(self) return open(self, "details").details end

--- err:stack() -> string, where the error was made and the contexts that wrap() added
function methods.stack(self) return open(self, "stack").stack or "" end

function metatable.__tostring(self) return fields(self).message end

function metatable.__concat(a, b)
    return tostring(a) .. tostring(b)
end

local function make(kind, message, retryable, details, stack)
    return new({ kind = canonical(kind), message = message, retryable = retryable, details = details, stack = stack })
end

--- errors.new(message) | errors.new{message=, kind=, retryable=, details=} -> error
function errors.new(spec)
    if type(spec) == "string" then
        return make(nil, spec, nil, nil, traceback("", 2))
    end
    if type(spec) ~= "table" then
        error("bad argument #1 to 'new' (string or table expected, got " .. type(spec) .. ")", 2)
    end
    if type(spec.message) ~= "string" then
        error("bad argument #1 to 'new' (field 'message' must be a string, got " .. type(spec.message) .. ")", 2)
    end
    if spec.kind ~= nil and type(spec.kind) ~= "string" then
        error("bad argument #1 to 'new' (field 'kind' must be a string, got " .. type(spec.kind) .. ")", 2)
    end
    if spec.retryable ~= nil and type(spec.retryable) ~= "boolean" then
        error("bad argument #1 to 'new' (field 'retryable' must be a boolean, got " .. type(spec.retryable) .. ")", 2)
    end
    if spec.details ~= nil then
        if type(spec.details) ~= "table" then
            error("bad argument #1 to 'new' (field 'details' must be a table, got " .. type(spec.details) .. ")", 2)
        end
        for key in pairs(spec.details) do
            if type(key) ~= "string" then
                error("bad argument #1 to 'new' (field 'details' must have string keys, got a " .. type(key) .. ")", 2)
            end
        end
    end
    local details = spec.details
    if details ~= nil and lib.next(details) == nil then details = nil end
    return make(spec.kind, spec.message, spec.retryable, details, traceback("", 2))
end

--- errors.wrap(err, context) -> error with the same message, kind, retryable and details; the context is in the stack
function errors.wrap(err, context)
    local f = fields(err)
    if not f then
        if type(err) ~= "string" then
            error("bad argument #1 to 'wrap' (error or string expected, got " .. type(err) .. ")", 2)
        end
        f = { kind = "UNKNOWN", message = err, stack = traceback("", 2) }
    end
    return make(f.kind, f.message, f.retryable, f.details, tostring(context) .. ": " .. f.message .. "\n" .. (f.stack or ""))
end

--- errors.is(err, kind) -> boolean
function errors.is(err, kind)
    local f = fields(err)
    return f ~= nil and type(kind) == "string" and f.kind == canonical(kind)
end

--- errors.call_stack(err) -> {thread=, frames={{source=, line=, name=}, ...}} | nil
function errors.call_stack(err)
    local f = fields(err)
    if not f or not f.stack then return nil end
    local frames = {}
    for source, line, name in lib.s_gmatch(f.stack, "([^\n\t]+):(%d+): in ([^\n]*)") do
        frames[#frames + 1] = { level = #frames + 1, source = source, line = lib.tonumber(line), name = name, type = "lua" }
    end
    return { thread = "main", frames = frames }
end

core.set_error_class(metatable)
core.set_error_maker(function(kind, message)
    if type(kind) == "table" then
        kind.kind = canonical(kind.kind)
        return new(kind)
    end
    return make(kind, message, false)
end)

-- For the other privileged modules.
local internal = {
    fields = fields,
    canonical = canonical,
    make = make,
}

--- The error that `value`, thrown by a script and caught nowhere, stands for (decision 2).
function internal.from_thrown(value, stack)
    local f = fields(value)
    if f then
        if not f.stack then f.stack = stack end
        return value
    end
    local thrown = make("INTERNAL", type(value) == "table" and "error object is a table" or tostring(value), false, nil, stack)
    fields(thrown).thrown = true
    return thrown
end

--- What a callable's results mean (registry.md 2): result, nil | nil, error
function internal.outcome(value, second)
    if type(second) == "string" then
        return nil, make("INTERNAL", second, false)
    end
    if fields(second) then return nil, second end
    return value, nil
end

internal.canceled = function(message) return make("CANCELED", message or "canceled", false) end

return errors, internal
