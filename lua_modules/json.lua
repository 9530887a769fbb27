-- json: text to values and back, and schemas (lua_api.md 12, decision 37).
local core, base, host, load = ...
local lib = core.lib
local type = lib.type
local _, internal = load("errors")

local json = {
    --- json.null: a null inside an array; a null member of an object is an absent key
    null = core.json_null,
}

local function invalid(message) return internal.make("INVALID", message, false) end

--- json.encode(value) -> string, nil | nil, err (INTERNAL: what cannot be JSON, with the path to it)
function json.encode(value)
    local text, wrong = core.json_encode(value)
    if text == nil then return nil, internal.make("INTERNAL", wrong, false) end
    return text, nil
end

--- json.decode(text) -> value, nil | nil, err (INVALID: no text; INTERNAL: malformed, with the place)
function json.decode(text)
    if type(text) ~= "string" then return nil, invalid("string expected, got " .. type(text)) end
    if text == "" then return nil, invalid("empty string") end
    local value, wrong = core.json_decode(text)
    if wrong then return nil, internal.make("INTERNAL", wrong, false) end
    return value, nil
end

--- json.object([table]) -> the table, which is {} and not [] in JSON while it is empty
json.object = core.json_object

local function as_text(value, name)
    if type(value) == "string" then return value end
    local text, wrong = core.json_encode(value)
    if text == nil then return nil, invalid(name .. ": " .. wrong) end
    return text
end

local function check(schema, data)
    local text, err = as_text(schema, "schema")
    if not text then return false, err end
    core.charge(#text + #data)
    local wrong = core.host("json_schema", text, data)
    if wrong then return false, invalid(wrong) end
    return true, nil
end

--- json.validate(schema, data) -> true, nil | false, err (INVALID). schema: a table or JSON text.
function json.validate(schema, data)
    if data == nil then return false, invalid("data is required") end
    local text, wrong = core.json_encode(data)
    if text == nil then return false, invalid("data: " .. wrong) end
    return check(schema, text)
end

--- json.validate_string(schema, text) -> true, nil | false, err (INVALID)
function json.validate_string(schema, text)
    if type(text) ~= "string" or text == "" then return false, invalid("data is required") end
    local _, wrong = core.json_decode(text)
    if wrong then return false, invalid("data: " .. wrong) end
    return check(schema, text)
end

return json
