-- payload: values with a format, as futures and messages deliver them (lua_api.md 13).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")

local payload = {
    JSON = "json/plain", YAML = "yaml/plain", STRING = "text/plain", BYTES = "application/octet-stream",
    MSGPACK = "application/msgpack", LUA = "lua/any", GOLANG = "golang/any", ERROR = "golang/error",
}

local methods = {}
local metatable = { __name = "payload", __index = methods }
local new, fields = core.class(metatable)

local function open(self, method)
    local f = fields(self)
    if not f then error("bad argument to '" .. method .. "' (payload expected; call it with ':')", 3) end
    return f
end

local function make(value, format) return new({ value = value, format = format }) end

--- payload.new(value) -> Payload
function payload.new(value)
    return make(value, internal.fields(value) and payload.ERROR or payload.LUA)
end

--- p:get_format() -> string, one of the formats
function methods.get_format(self) return open(self, "get_format").format end

--- p:data() -> the value | nil, err if its text cannot be read
function methods.data(self)
    local f = open(self, "data")
    if f.format == payload.JSON then
        local value, wrong = core.json_decode(f.value)
        if wrong then return nil, internal.make("INTERNAL", wrong, false) end
        return value
    end
    return f.value
end
methods.unmarshal = methods.data

--- p:transcode(format) -> Payload, nil | nil, err. Formats: payload.JSON, payload.STRING, payload.BYTES, payload.LUA.
function methods.transcode(self, format)
    local f = open(self, "transcode")
    if format == f.format then return self, nil end
    local value, err = methods.data(self)
    if err then return nil, err end
    if format == payload.LUA then return make(value, format), nil end
    if format == payload.JSON then
        local text, wrong = core.json_encode(value)
        if not text then return nil, internal.make("INTERNAL", wrong, false) end
        return make(text, format), nil
    end
    if format == payload.STRING or format == payload.BYTES then
        if type(value) == "string" then return make(value, format), nil end
        if type(value) == "number" or type(value) == "boolean" then return make(lib.tostring(value), format), nil end
    end
    return nil, internal.make("INTERNAL", "cannot transcode " .. f.format .. " to " .. lib.tostring(format), false)
end

function metatable.__tostring(self) return "payload{format=" .. fields(self).format .. "}" end

return payload
