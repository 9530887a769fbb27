-- base64: standard base64 with padding (lua_api.md 14).
local core, base, host, load = ...
local type = core.lib.type
local _, internal = load("errors")

local base64 = {}

local function convert(name, data)
    if type(data) ~= "string" then
        return nil, internal.make("INVALID", "string expected, got " .. type(data), false)
    end
    core.charge(#data // 4)
    local result = core.host(name, data)
    if internal.fields(result) then return nil, result end
    return result, nil
end

--- base64.encode(s) -> string, nil | nil, err (INVALID)
function base64.encode(data) return convert("base64_encode", data) end

--- base64.decode(s) -> string, nil | nil, err (INVALID: not base64). Line breaks are skipped.
function base64.decode(data) return convert("base64_decode", data) end

return base64
