-- Queries of a workflow run: what the script published, and what the runtime tells of it (decision 31). An answer is
-- there before the question, so that no query can change the run.
local core, base, host, load = ...
local lib = core.lib
local type, error, pairs = lib.type, lib.error, lib.pairs
local _, internal = load("errors")
local printable = load("printable")
local run = host.run

local queries = {}
local published = {}    -- name -> payload

local METADATA = "__temporal_workflow_metadata"

local function invalid(text) return internal.make("INVALID", text, false) end

--- queries.set(name, value) -> true, nil | nil, err (INVALID). The value is encoded now: set it anew when it changes.
function queries.set(name, value)
    if type(name) ~= "string" then
        error("bad argument #1 to 'set_query' (string expected, got " .. type(name) .. ")", 2)
    end
    if name == "" then return nil, invalid("query name required") end
    if not lib.u_len(name) then return nil, invalid("the query name is not UTF-8") end
    if lib.s_sub(name, 1, 2) == "__" then
        return nil, invalid("query name " .. printable(name) .. " is reserved: names beginning with __ are Temporal's")
    end
    if not run then return nil, invalid("workflow.set_query works inside workflows only") end
    local encoded, wrong = core.payload(value)
    if not encoded then
        return nil, invalid("the value of query " .. printable(name) .. " cannot be sent: " .. wrong)
    end
    published[name] = encoded
    return true, nil
end

-- ---- what every run answers

local builtin = {}

function builtin.__stack_trace() return core.payload(load("stack_trace")()) end

local DESCRIPTIONS = {
    __stack_trace = "Where each coroutine waits.",
    [METADATA] = "Signals, queries and updates of this run.",
}

local function query_definitions()
    local list = {}
    for name, description in pairs(DESCRIPTIONS) do list[#list + 1] = { name = name, description = description } end
    for name in pairs(published) do list[#list + 1] = { name = name } end
    lib.t_sort(list, function(a, b) return a.name < b.name end)
    return list
end

-- Any message may be sent as a signal or as an update: the runtime makes no difference between their topics.
local function message_definitions(mailbox)
    local list = {}
    if mailbox.inbox then list[1] = { description = "Every topic that nobody listens to (process.inbox)." } end
    for _, topic in lib.ipairs(mailbox.topics) do list[#list + 1] = { name = topic } end
    return list
end

local function current_details(mailbox)
    local lines = {}
    for topic, count in pairs(mailbox.waiting) do
        lines[#lines + 1] = "- " .. count .. " unread, and nobody listens to the topic: " .. printable(topic)
    end
    for topic, count in pairs(run.unreadable_topics or {}) do
        lines[#lines + 1] = "- " .. count .. " kept out, because a payload could not be read: signal " .. printable(topic)
    end
    return lib.t_concat(lines, "\n")
end

builtin[METADATA] = function()
    local mailbox = load("messages").overview()
    local messages = message_definitions(mailbox)
    local encoded = core.payload({
        definition = {
            type = run.info.workflow_type, queryDefinitions = query_definitions(),
            signalDefinitions = messages, updateDefinitions = messages,
        },
        currentDetails = current_details(mailbox),
    })
    local with_metadata = load("payload_metadata")
    return with_metadata(with_metadata(encoded, "encoding", "json/protobuf"),
        "messageType", "temporal.api.sdk.v1.WorkflowMetadata")
end

local function unknown(name)
    local known = {}
    for _, query in lib.ipairs(query_definitions()) do known[#known + 1] = query.name end
    return "unknown query " .. printable(name) .. ": this run answers " .. lib.t_concat(known, ", ")
        .. "; a script publishes others with workflow.set_query(name, value)"
end

--- queries.answer(job): a query_workflow job. Arguments of the query are not looked at.
function queries.answer(job)
    local name = job.query_type or ""
    local answer = builtin[name]
    local response = published[name] or answer and answer()
    local body = { query_id = job.query_id }
    if response then
        body.succeeded = { response = response }
    else
        body.failed = {
            message = unknown(name), source = "lua-fleet",
            application_failure_info = { type = "NOT_FOUND", non_retryable = true },
        }
    end
    host.emit("respond_to_query", body)
end

return queries
