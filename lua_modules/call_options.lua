--! Options of activity calls: names, types, durations (activities.md 3, decision 32).
local core, base, host, load = ...
local lib = core.lib
local type, pairs, tostring = lib.type, lib.pairs, lib.tostring
local _, internal = load("errors")
local durations = load("durations")

local options = {}

local function duration(value)
    local ns = durations.milliseconds(value)
    if not ns then return nil, "a duration string or milliseconds number" end
    return ns
end

local function text(value)
    if type(value) ~= "string" or value == "" then return nil, "a non-empty string" end
    if not lib.u_len(value) then return nil, "a string in UTF-8" end
    return value
end

local function flag(value)
    if type(value) ~= "boolean" then return nil, "a boolean" end
    return value
end

local function enumeration(names)
    local folded = {}
    for name, number in pairs(names) do folded[name] = number end
    return function(value)
        if type(value) == "string" then
            local number = folded[lib.s_lower((lib.s_gsub(value, "-", "_")))]
            if number then return number end
        end
        local known = {}
        for name in pairs(names) do known[#known + 1] = '"' .. name .. '"' end
        return nil, "one of " .. lib.t_concat(known, ", ")
    end
end

local function retry_policy(value)
    if type(value) ~= "table" then return nil, "a table" end
    local policy, wrong = { initial_interval = 1000000000, backoff_coefficient = 2.0 }, nil
    for key, v in pairs(value) do
        if key == "initial_interval" or key == "maximum_interval" then
            policy[key], wrong = duration(v)
        elseif key == "backoff_coefficient" then
            policy[key] = type(v) == "number" and v >= 1 and v or nil
            wrong = not policy[key] and "a number of at least 1" or nil
        elseif key == "maximum_attempts" then
            policy[key] = type(v) == "number" and v >= 0 and lib.m_tointeger(v) or nil
            wrong = not policy[key] and "an integer of at least 0" or nil
        elseif key == "non_retryable_error_types" then
            local kinds = type(v) == "string" and { v } or v
            if type(kinds) ~= "table" then return nil, "a string or a list of strings", key end
            local list = { n = 0 }
            for _, kind in lib.ipairs(kinds) do
                if type(kind) ~= "string" then return nil, "a string or a list of strings", key end
                list.n = list.n + 1
                list[list.n] = internal.canonical(kind)
            end
            policy[key] = list
        else
            return nil, nil, tostring(key), "initial_interval, backoff_coefficient, maximum_interval, maximum_attempts, "
                .. "non_retryable_error_types"
        end
        if wrong then return nil, wrong, key end
    end
    -- The server refuses the others, and a workflow's whole task with them.
    local longest = policy.maximum_interval
    if longest and longest > 0 and longest < policy.initial_interval and policy.maximum_attempts ~= 1 then
        return nil, "at least the initial_interval", "maximum_interval"
    end
    return policy
end
options.retry_policy = retry_policy

local function priority(value)
    if type(value) ~= "table" then return nil, "a table" end
    local result = {}
    for key, v in pairs(value) do
        local wrong
        if key == "priority_key" then
            result[key] = type(v) == "number" and v >= 1 and lib.m_tointeger(v) or nil
            wrong = not result[key] and "a positive integer"
        elseif key == "fairness_key" then
            result[key] = type(v) == "string" and lib.u_len(v) and v or nil
            wrong = not result[key] and "a string"
        elseif key == "fairness_weight" then
            result[key] = type(v) == "number" and v > 0 and v or nil
            wrong = not result[key] and "a positive number"
        else
            return nil, nil, tostring(key), "priority_key, fairness_key, fairness_weight"
        end
        if wrong then return nil, wrong, key end
    end
    return result
end

options.text, options.flag, options.duration, options.enumeration = text, flag, duration, enumeration
options.priority = priority
options.versioning_intent = enumeration({ unspecified = 0, compatible = 1, default = 2 })

local READERS = {
    start_to_close_timeout = duration,
    schedule_to_close_timeout = duration,
    schedule_to_start_timeout = duration,
    heartbeat_timeout = duration,
    id = text,
    task_queue = text,
    wait_for_cancellation = flag,
    disable_eager_execution = flag,
    retry_policy = retry_policy,
    versioning_intent = options.versioning_intent,
    summary = text,
    priority = priority,
}

local function common_prefix(a, b)
    local n = 0
    while n < #a and lib.s_byte(a, n + 1) == lib.s_byte(b, n + 1) do n = n + 1 end
    return n
end

-- By common beginnings of words, so that "retries" finds "retry_policy" and "start_to_close" the timeout.
local function nearest(name, readers)
    local best, best_score
    for known in pairs(readers) do
        local score = 0
        for part in lib.s_gmatch(name, "[^_]+") do
            local longest = 0
            for word in lib.s_gmatch(known, "[^_]+") do
                local n = common_prefix(part, word)
                if n > longest then longest = n end
            end
            if longest >= 3 or longest == #part then score = score + longest end
        end
        if score > 0 and (not best_score or score > best_score) then best, best_score = known, score end
    end
    return best
end

local function shown(value)
    if type(value) == "string" then return '"' .. value .. '"' end
    if type(value) == "table" then return "a table" end
    return tostring(value)
end

-- Long spellings (temporal.activity.X) win over short ones (activity.X). Other families are not ours to judge.
local function read(family, readers, given, into)
    if not given then return nil end
    for _, prefix in lib.ipairs({ family .. ".", "temporal." .. family .. "." }) do
        for key, value in pairs(given) do
            if type(key) == "string" and lib.s_sub(key, 1, #prefix) == prefix then
                local name = lib.s_sub(key, #prefix + 1)
                local reader = readers[name]
                if not reader then
                    local hint = nearest(name, readers)
                    return "unknown option " .. key .. (hint and ": did you mean " .. prefix .. hint .. "?" or "")
                end
                local result, expected, part, known = reader(value)
                if known then return key .. "." .. part .. ": unknown key; known are " .. known end
                if result == nil then
                    return key .. (part and "." .. part or "") .. ": expected " .. expected .. ", got "
                        .. shown(part and value[part] or value)
                end
                into[name] = result
            end
        end
    end
end

--- options.read(family, readers, given, into) -> nil | what is wrong. For workflow_options.lua.
options.read = read

--- options.resolve(id, the entry's meta.options, the call's options) -> resolved options | nil, err (INVALID)
function options.resolve(id, entry_options, call_options)
    local resolved = {}
    local wrong = read("activity", READERS, entry_options, resolved)
        or read("activity", READERS, call_options, resolved)
    if wrong then
        return nil, internal.make("INVALID", "invalid temporal activity options for " .. id .. ": " .. wrong, false)
    end
    return resolved
end

return options
