-- errors: structured errors with kind, message, retryable and details (lua_api.md 7, decisions 1 and 2).
--
-- What makes an error is here. What a script does with one is in errors_new.lua and error_methods.lua and comes when it is
-- first needed.
local core, base, host, load = ...
local lib = core.lib
local type, tostring = lib.type, lib.tostring

local errors = {
    NOT_FOUND = "NOT_FOUND", ALREADY_EXISTS = "ALREADY_EXISTS", INVALID = "INVALID",
    PERMISSION_DENIED = "PERMISSION_DENIED", UNAVAILABLE = "UNAVAILABLE", INTERNAL = "INTERNAL", CANCELED = "CANCELED",
    CONFLICT = "CONFLICT", TIMEOUT = "TIMEOUT", RATE_LIMITED = "RATE_LIMITED", UNKNOWN = "UNKNOWN",
}

local metatable = { __name = "error" }
local new, fields = core.class(metatable)

function metatable.__index(_, name)
    metatable.__index = load("error_methods")
    return metatable.__index[name]
end

function metatable.__tostring(self) return fields(self).message end

function metatable.__concat(a, b) return tostring(a) .. tostring(b) end

local function canonical(kind)
    if kind == nil or kind == "" then return "UNKNOWN" end
    if errors[kind] == kind then return kind end
    return load("error_kinds")(kind)
end

local function make(kind, message, retryable, details, stack)
    return new({ kind = canonical(kind), message = message, retryable = retryable, details = details, stack = stack })
end

for _, name in lib.ipairs({ "new", "wrap", "is", "call_stack" }) do
    errors[name] = function(...) return load("errors_new")[name](...) end
end

core.set_error_class(metatable)
-- For the other privileged modules.
local internal = {
    fields = fields,
    canonical = canonical,
    make = make,
}

--- internal.made(kind, message) -> error; or internal.made(fields)
function internal.made(kind, message)
    if type(kind) == "table" then
        kind.kind = canonical(kind.kind)
        return new(kind)
    end
    return make(kind, message, false)
end

internal.canceled = function(message) return make("CANCELED", message or "canceled", false) end

return errors, internal
