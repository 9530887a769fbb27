-- The methods of errors (lua_api.md 7).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local fields = internal.fields

local methods = {}

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

return methods
