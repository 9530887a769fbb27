-- Search attributes and memo of workflow runs: Lua values to typed payloads (workflows.md 1, decision 35).
--
-- An attribute has the type that the temporal.client declares: an undeclared one fails the workflow task, because a
-- server that does not know it refuses the whole task, again and again, with a text that helps nobody.
local core, base, host, load = ...
local lib = core.lib
local type, error, pairs = lib.type, lib.error, lib.pairs
local _, internal = load("errors")
local printable = load("printable")
local with_metadata = load("payload_metadata")
local run = host.run

local attributes = {}

local function invalid(text) return internal.make("INVALID", text, false) end

local function as_text(value) if type(value) == "string" and lib.u_len(value) then return value end end

local function as_number(value)
    if type(value) == "number" and value == value and value ~= lib.m_huge and value ~= -lib.m_huge then return value end
end

local function as_list(value)
    if type(value) ~= "table" then return nil end
    local count = 0
    for _ in pairs(value) do count = count + 1 end
    for i = 1, count do
        if not as_text(value[i]) then return nil, "a string at index " .. i - 1 end
    end
    return lib.t_move(value, 1, count, 1, {})
end

local function as_datetime(value)
    local _, moments = load("time_moment")
    local names = load("time_names")
    if as_text(value) then
        value = load("time_parse").parse(names.RFC3339NANO, value)
    end
    local f = moments.fields(value)
    return f and load("time_layout").format({ s = f.s, n = f.n }, names.RFC3339NANO)
end

-- By type: the value as JSON carries it, nil for one that does not fit; what would fit.
local CONVERT = {
    Text = { as_text, "a string in UTF-8" },
    Keyword = { as_text, "a string in UTF-8" },
    Int = { function(value) return type(value) == "number" and lib.m_tointeger(value) or nil end, "an integer" },
    Double = { as_number, "a finite number" },
    Bool = { function(value) if type(value) == "boolean" then return value end end, "a boolean" },
    Datetime = { as_datetime, "a time, or a string such as 2006-01-02T15:04:05Z" },
    KeywordList = { as_list, "a list of strings" },
}

-- The type that a value would have if somebody declared it.
local function natural_type(value)
    if type(value) == "boolean" then return "Bool" end
    if type(value) == "number" then return lib.m_tointeger(value) and "Int" or "Double" end
    if type(value) == "table" then return "KeywordList" end
    local _, moments = load("time_moment")
    return moments.fields(value) and "Datetime" or "Keyword"
end

local declared      -- name -> type, as the temporal.client of this workflow says

local function undeclared(name, value)
    local guess = natural_type(value)
    local known = {}
    for other in pairs(declared) do known[#known + 1] = other end
    host.fail_task("search attribute " .. printable(name) .. " is not declared on " .. run.info.client .. ": add `"
        .. name .. ": " .. guess .. "` to its search_attributes:, and where `fleet dev` does not do it, run"
        .. " `temporal operator search-attribute create --namespace " .. run.info.namespace .. " --name " .. name
        .. " --type " .. guess .. "` (declared are: " .. (known[1] and lib.t_concat(known, ", ") or "none") .. ")")
end

local function encode(kind, value)
    if value == core.json_null then return with_metadata(core.payload(nil), "type", kind) end
    local convert = CONVERT[kind]
    local converted, expected = convert[1](value)
    if converted == nil then return nil, (expected or convert[2]) .. " (" .. kind .. ")" end
    local encoded, wrong = core.payload(converted)
    if not encoded then return nil, wrong end
    return with_metadata(encoded, "type", kind)
end

--- attributes.search(values) -> name -> payload | nil, what was expected, the name. Fails the task when one is undeclared.
-- values: table; keys that are no strings are left out. json.null takes an attribute away.
function attributes.search(values)
    declared = declared or core.host("search_attributes")
    local encoded = {}
    for name, value in pairs(values) do
        if type(name) == "string" then
            if not declared[name] then undeclared(name, value) end
            local payload, expected = encode(declared[name], value)
            if not payload then return nil, expected, name end
            encoded[name] = payload
        end
    end
    return encoded
end

--- attributes.memo(values) -> name -> payload | nil, what is wrong. json.null takes an entry away.
function attributes.memo(values)
    local encoded = {}
    for name, value in pairs(values) do
        if type(name) == "string" then
            if not lib.u_len(name) then return nil, "the key " .. printable(name) .. " is not UTF-8" end
            if value == core.json_null then value = nil end
            local payload, wrong = core.payload(value)
            if not payload then return nil, "memo " .. printable(name) .. ": " .. wrong end
            encoded[name] = payload
        end
    end
    return encoded
end

-- What this run has changed, by name: a payload, or false for what was taken away.
local function note_changes(given, encoded)
    run.memo_changes = run.memo_changes or {}
    for name, payload in pairs(encoded) do
        run.memo_changes[name] = given[name] ~= core.json_null and payload
    end
end

--- attributes.memo_of_next_run() -> name -> payload. Once a run has changed its memo, nobody else carries it over.
function attributes.memo_of_next_run()
    local memo = {}
    for name, value in pairs(run.memo or {}) do
        local wrong, encoding = core.undecodable(value)
        if wrong then
            host.log("warn", "memo " .. printable(name) .. " is not carried over: " .. wrong .. " (encoding " .. encoding .. ")")
        else
            memo[name] = core.payload(value)
        end
    end
    for name, payload in pairs(run.memo_changes) do memo[name] = payload or nil end
    if lib.next(memo) == nil then
        -- None at all would be taken for "the same as this run began with".
        for name in pairs(run.memo_changes) do memo[name] = core.payload(nil) end
    end
    return memo
end

local function wrong_part(given)
    if given.search == nil and given.memo == nil then return "at least one of search or memo required" end
    for _, part in lib.ipairs({ "search", "memo" }) do
        local value = given[part]
        if value ~= nil and type(value) ~= "table" then return part .. " must be a table, got " .. type(value) end
    end
end

--- workflow.attrs{search = table, memo = table} -> true, nil | nil, err (INVALID)
-- Merges into what the run has. Types of search attributes are those that the temporal.client declares.
function attributes.upsert(given)
    if type(given) ~= "table" then
        error("bad argument #1 to 'attrs' (table expected, got " .. type(given) .. ")", 2)
    end
    if not run then return nil, invalid("workflow.attrs works inside workflows only") end
    local wrong = wrong_part(given)
    if wrong then return nil, invalid(wrong) end
    local search, expected, name = attributes.search(given.search or {})
    if not search then
        return nil, invalid("search attribute " .. printable(name) .. ": expected " .. expected .. ", got "
            .. type(given.search[name]))
    end
    local memo
    memo, wrong = attributes.memo(given.memo or {})
    if not memo then return nil, invalid(wrong) end
    if lib.next(search) ~= nil then
        host.emit("upsert_workflow_search_attributes", { search_attributes = { indexed_fields = search } })
    end
    if lib.next(memo) ~= nil then
        note_changes(given.memo, memo)
        host.emit("modify_workflow_properties", { upserted_memo = { fields = memo } })
    end
    return true, nil
end

return attributes
