--! Options of child workflows: names, types, durations (workflows.md 3, decisions 24 and 32).
local core, base, host, load = ...
local lib = core.lib
local type, pairs = lib.type, lib.pairs
local _, internal = load("errors")
local shared = load("call_options")
local text, flag, duration, enumeration = shared.text, shared.flag, shared.duration, shared.enumeration

local PINNED = 1     -- PinnedOverrideBehavior

local options = {}

local function memo(value)
    if type(value) ~= "table" then return nil, "a table" end
    local encoded = {}
    for key, v in pairs(value) do
        if type(key) ~= "string" or not lib.u_len(key) then return nil, "a table with string keys" end
        local bytes = core.payload(v)
        if not bytes then return nil, "a table of values that JSON can hold" end
        encoded[key] = bytes
    end
    return encoded
end

-- As the server wants it: {mode = "pinned", version = {deployment_name=, build_id=}}, or "auto_upgrade".
local function versioning_override(value)
    local expected = '"auto_upgrade" or {mode = "pinned", version = {deployment_name = ..., build_id = ...}}'
    local mode = value
    if type(value) == "table" then mode = value.mode end
    if mode == "auto_upgrade" then return { auto_upgrade = true } end
    local version = type(value) == "table" and value.version
    if mode ~= "pinned" or type(version) ~= "table" or not text(version.deployment_name) or not text(version.build_id) then
        return nil, expected
    end
    return { pinned = { behavior = PINNED, version = {
        deployment_name = version.deployment_name, build_id = version.build_id,
    } } }
end

local function search_attributes(value)
    if type(value) ~= "table" then return nil, "a table" end
    return load("attributes").search(value)
end

local READERS = {
    id = text,
    namespace = text,
    task_queue = text,
    execution_timeout = duration,
    run_timeout = duration,
    task_timeout = duration,
    id_reuse_policy = enumeration({
        allow_duplicate = 1, allow_duplicate_failed_only = 2, reject_duplicate = 3, terminate_if_running = 4,
    }),
    retry_policy = shared.retry_policy,
    cron_schedule = text,
    memo = memo,
    search_attributes = search_attributes,
    typed_search_attributes = search_attributes,
    parent_close_policy = enumeration({ terminate = 1, abandon = 2, request_cancel = 3 }),
    wait_for_cancellation = flag,
    versioning_intent = shared.versioning_intent,
    versioning_override = versioning_override,
    priority = shared.priority,
    summary = text,
    static_summary = text,
    details = text,
    static_details = text,
}

--- options.readers: what reads each option, by bare name; starts from outside have these too (workflow_starts.lua)
options.readers = READERS

-- Options of starts from outside, which Temporal's command for children does not have.
local OUTSIDE = {
    id_conflict_policy = true, start_delay = true, enable_eager_start = true,
    execution_error_when_already_started = true,
}

local function bare_name(key)
    if type(key) ~= "string" then return false end
    return lib.s_match(key, "^temporal%.workflow%.(.*)$") or lib.s_match(key, "^workflow%.(.*)$")
end

local function refused(given)
    for key in pairs(given or {}) do
        local name = bare_name(key)
        if OUTSIDE[name] then return key .. ": a child workflow has no such option, only a start from outside" end
    end
end

-- The entry's own options serve starts from outside as well: those that a child does not have are not for us.
local function of_child(given)
    local result = {}
    for key, value in pairs(given or {}) do
        if not OUTSIDE[bare_name(key)] then result[key] = value end
    end
    return result
end

--- options.resolve(id, the entry's meta.options, the spawner's options) -> resolved options | nil, err (INVALID)
function options.resolve(id, entry_options, given)
    local resolved, own = {}, of_child(entry_options)
    local wrong = refused(own) or refused(given) or shared.read("workflow", READERS, own, resolved)
        or shared.read("workflow", READERS, given, resolved)
    if wrong then
        return nil, internal.make("INVALID", "invalid temporal workflow options for " .. id .. ": " .. wrong, false)
    end
    return resolved
end

return options
