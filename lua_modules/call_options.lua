-- Options of activity calls: names, types, durations (activities.md 3, decision 32).
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
            wrong = not policy[key] and "an integer number" or nil
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
            return nil, "a known key (initial_interval, backoff_coefficient, maximum_interval, maximum_attempts, "
                .. "non_retryable_error_types)", tostring(key)
        end
        if wrong then return nil, wrong, key end
    end
    return policy
end
options.retry_policy = retry_policy

local function priority(value)
    if type(value) ~= "table" then return nil, "a table" end
    return {
        priority_key = lib.m_tointeger(value.priority_key), fairness_key = value.fairness_key,
        fairness_weight = value.fairness_weight,
    }
end

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
    versioning_intent = enumeration({ unspecified = 0, compatible = 1, default = 2 }),
    summary = text,
    priority = priority,
}

local function nearest(name)
    local best, best_score
    for known in pairs(READERS) do
        local score = 0
        for part in lib.s_gmatch(name, "[^_]+") do
            if lib.s_find(known, part, 1, true) then score = score + #part end
        end
        if score > 0 and (not best_score or score > best_score) then best, best_score = known, score end
    end
    return best
end

local function invalid(key, expected, value)
    return internal.make("INVALID", "invalid option " .. key .. ": expected " .. expected .. ", got "
        .. (type(value) == "string" and '"' .. value .. '"' or type(value) == "table" and "a table" or tostring(value)), false)
end

-- Long spellings (temporal.activity.X) win over short ones (activity.X). Other families are not ours to judge.
local function read(given, into)
    if not given then return nil end
    for _, prefix in lib.ipairs({ "activity.", "temporal.activity." }) do
        for key, value in pairs(given) do
            if type(key) == "string" and lib.s_sub(key, 1, #prefix) == prefix then
                local name = lib.s_sub(key, #prefix + 1)
                local reader = READERS[name]
                if not reader then
                    local hint = nearest(name)
                    return internal.make("INVALID", "unknown option " .. key
                        .. (hint and ": did you mean " .. prefix .. hint .. "?" or ""), false)
                end
                local result, expected, part = reader(value)
                if result == nil then
                    return invalid(part and key .. "." .. part or key, expected, part and value[part] or value)
                end
                into[name] = result
            end
        end
    end
end

--- options.resolve(entry's meta.options, the call's options) -> resolved options; `err` is set if one is wrong
function options.resolve(entry_options, call_options)
    local resolved = {}
    resolved.err = read(entry_options, resolved) or read(call_options, resolved)
    return resolved
end

return options
