-- The response side of http (lua_api.md 15, decision 39). Two styles over one response: set_status, set_header, write…
-- return nil or an error; status, header, json, text, body return the response and raise the error.
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")

local methods = {}
local new, fields = core.class({ __name = "response", __index = methods })

local function open(self, method)
    if not fields(self) then error("bad argument to '" .. method .. "' (response expected; call it with ':')", 3) end
end

local function check(value, wanted, position, name)
    if type(value) ~= wanted then
        error("bad argument #" .. position .. " to '" .. name .. "' (" .. wanted .. " expected, got " .. type(value) .. ")", 3)
    end
end

-- nil | err
local function exchange(...)
    local value = core.host("exchange", ...)
    if internal.fields(value) then return value end
    return nil, value
end

local function send()
    local _, err = host.request("exchange", "send")
    return err
end

local function write(data, content_type)
    local err, full = exchange("write", data, content_type)
    if err then return err end
    if full then return send() end
    return nil
end

local function write_json(value)
    local text, wrong = core.json_encode(value)
    if text == nil then return internal.make("INVALID", "the value cannot be JSON: " .. wrong, false) end
    return write(text, "application/json")
end

local function set_status(status)
    local code = lib.m_tointeger(status)
    if not code then return internal.make("INVALID", "the status must be an integer", false) end
    return (exchange("status", code))
end

--- response:set_status(code) -> nil | err (INVALID: no status of a response, or the head has been sent)
function methods.set_status(self, status)
    open(self, "set_status")
    check(status, "number", 1, "set_status")
    return set_status(status)
end

--- response:set_header(name, value) -> nil | err (INVALID). Replaces; Set-Cookie adds a cookie.
function methods.set_header(self, name, value)
    open(self, "set_header")
    check(name, "string", 1, "set_header")
    check(value, "string", 2, "set_header")
    return (exchange("header", name, value))
end

--- response:set_content_type(type) -> nil | err (INVALID)
function methods.set_content_type(self, value)
    open(self, "set_content_type")
    check(value, "string", 1, "set_content_type")
    return (exchange("header", "Content-Type", value))
end

--- response:write(text) -> nil | err (UNAVAILABLE: the client has gone; TIMEOUT). Fixes status (200) and headers.
function methods.write(self, data)
    open(self, "write")
    check(data, "string", 1, "write")
    return write(data)
end

--- response:write_json(value) -> nil | err (INVALID, and those of write)
function methods.write_json(self, value)
    open(self, "write_json")
    return write_json(value)
end

--- response:write_event{name = string, data = string | value} -> nil | err (INVALID, and those of write)
-- A server-sent event, sent at once. Data that is no string is sent as JSON.
function methods.write_event(self, event)
    open(self, "write_event")
    check(event, "table", 1, "write_event")
    if type(event.name) ~= "string" or event.name == "" then
        return internal.make("INVALID", "an event needs a name (a string)", false)
    end
    if event.data == nil then return internal.make("INVALID", "an event needs data", false) end
    local data = event.data
    if type(data) ~= "string" then
        local wrong
        data, wrong = core.json_encode(data)
        if data == nil then return internal.make("INVALID", "the data cannot be JSON: " .. wrong, false) end
    end
    local err = exchange("event", event.name, data)
    if err then return err end
    return send()
end

--- response:set_transfer(http.TRANSFER.CHUNKED | http.TRANSFER.SSE) -> nil | err (INVALID)
-- CHUNKED is how every response travels that is flushed before its end.
function methods.set_transfer(self, mode)
    open(self, "set_transfer")
    check(mode, "string", 1, "set_transfer")
    return (exchange("transfer", mode))
end

--- response:flush() -> nil | err (UNAVAILABLE, TIMEOUT): sends what has been written, the head at least
function methods.flush(self)
    open(self, "flush")
    return send()
end

-- ---- chained

local function chained(self, err)
    if err then error(err, 0) end
    return self
end

--- response:status(code) -> response; raises the errors of set_status
function methods.status(self, status)
    open(self, "status")
    check(status, "number", 1, "status")
    return chained(self, set_status(status))
end

--- response:header(name, value) -> response; raises the errors of set_header
function methods.header(self, name, value)
    open(self, "header")
    check(name, "string", 1, "header")
    check(value, "string", 2, "header")
    return chained(self, (exchange("header", name, value)))
end

--- response:json(value) -> response; raises the errors of write_json
function methods.json(self, value)
    open(self, "json")
    return chained(self, write_json(value))
end

--- response:text(text) -> response; raises the errors of write
function methods.text(self, data)
    open(self, "text")
    check(data, "string", 1, "text")
    return chained(self, write(data, "text/plain; charset=utf-8"))
end

--- response:body(bytes) -> response; raises the errors of write. The content type is what header() says.
function methods.body(self, data)
    open(self, "body")
    check(data, "string", 1, "body")
    return chained(self, write(data))
end

local response = new({})
local internal_response = {}

-- See http.lua.
function internal_response.new()
    local err = exchange("response")
    if err then return nil, err end
    return response, nil
end

return internal_response
