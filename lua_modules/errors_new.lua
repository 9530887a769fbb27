--! The functions of the module errors (lua_api.md 7).
local core, base, host, load = ...
local lib = core.lib
local type, tostring, error, pairs = lib.type, lib.tostring, lib.error, lib.pairs
local traceback = lib.traceback
local _, internal = load("errors")
local fields, make, canonical = internal.fields, internal.make, internal.canonical

local errors = {}

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

return errors
