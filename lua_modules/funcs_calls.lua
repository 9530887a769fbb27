--! How a call of a function begins, whether somebody waits for it or not (activities.md 3).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local make = internal.make

local calls = {}

-- With a task queue of its own the id is the name of a Temporal activity type in any language (decision 21).
local function is_foreign(options)
    return options ~= nil and (options["activity.task_queue"] or options["temporal.activity.task_queue"]) ~= nil
end

local function check_id(id, name, options)
    if type(id) ~= "string" then
        error("bad argument #1 to '" .. name .. "' (string expected, got " .. type(id) .. ")", 4)
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

--- calls.start(name, executor, id, done, ...) -> op | nil, err
-- name: of the function that the script called. done(value, err) is called when the function has ended.
function calls.start(name, executor, id, done, ...)
    local wrong = check_id(id, name, executor.options)
    if wrong then return nil, wrong end
    local arguments, err = encode(id, ...)
    if not arguments then return nil, err end
    return host.start_call(id, arguments, executor.options, executor.context, done)
end

return calls
