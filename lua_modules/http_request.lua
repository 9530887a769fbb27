-- The request side of http (lua_api.md 15): what the client sent.
local core, base, host, load = ...
local lib = core.lib
local type, error, pairs, s_lower, s_sub = lib.type, lib.error, lib.pairs, lib.s_lower, lib.s_sub
local _, internal = load("errors")

local function exchange(...)
    local value = core.host("exchange", ...)
    if internal.fields(value) then return nil, value end
    return value, nil
end

local function check(value, wanted, name)
    if type(value) ~= wanted then
        error("bad argument #1 to '" .. name .. "' (" .. wanted .. " expected, got " .. type(value) .. ")", 3)
    end
end

-- A positive whole number | nil, err.
local function positive(value, what)
    local number = lib.m_tointeger(value)
    if number and number > 0 then return number end
    return nil, internal.make("INVALID", what .. " must be a positive integer", false)
end

local function class(name, methods)
    local new, fields = core.class({ __name = name, __index = methods })
    return new, function(self, method)
        local f = fields(self)
        if not f then error("bad argument to '" .. method .. "' (" .. name .. " expected; call it with ':')", 3) end
        return f
    end
end

-- ---- streams: of the body, and of the files of a form

local stream_methods = {}
local new_stream, open_stream = class("stream", stream_methods)

--- stream:read([n = 65536]) -> the next bytes, at most n, nil | nil, nil at the end | nil, err (INVALID, INTERNAL)
function stream_methods.read(self, size)
    local f = open_stream(self, "read")
    if size == nil then size = 65536 end
    check(size, "number", "read")
    local wrong
    size, wrong = positive(size, "the number of bytes")
    if not size then return nil, wrong end
    if f.ended then return nil, nil end
    local data, err
    if f.file then
        data, err = host.request("exchange", "file", f.file, f.start, size)
        f.start = f.start + #(data or "")
    else
        data, err = host.request("exchange", "read", size, f.seconds)
    end
    if data == nil and err == nil then f.ended = true end
    return data, err
end

--- stream:close() -> true, nil. What is left is not read.
function stream_methods.close(self)
    open_stream(self, "close").ended = true
    return true, nil
end

-- ---- files of a form

local file_methods = {}
local new_file, open_file = class("file", file_methods)

--- file:name() -> string: as the client called it; never trust it as a path
function file_methods.name(self) return open_file(self, "name").name end

--- file:size() -> bytes
function file_methods.size(self) return open_file(self, "size").size end

--- file:content_type() -> string: as the client said
function file_methods.content_type(self) return open_file(self, "content_type").type end

--- file:header(name) -> string | nil: of its part of the form
function file_methods.header(self, name)
    local f = open_file(self, "header")
    check(name, "string", "header")
    return f.headers[s_lower(name)]
end

--- file:content() -> all bytes, nil | nil, err (INVALID: too large for the memory of a script)
function file_methods.content(self)
    return host.request("exchange", "file", open_file(self, "content").number, 0, nil)
end

--- file:stream() -> stream, nil
function file_methods.stream(self)
    return new_stream({ file = open_file(self, "stream").number, start = 0 }), nil
end

-- ---- the request

local methods = {}
local new, open = class("request", methods)

for _, name in lib.ipairs({ "method", "path", "host" }) do
    --- request:method(), :path(), :host() -> string, nil. The path is decoded.
    methods[name] = function(self) return open(self, name)[name], nil end
end

--- request:remote_addr() -> "host:port", nil: of the client, or of the last proxy without the real_ip middleware
function methods.remote_addr(self) return open(self, "remote_addr").remote, nil end

local function copy(values)
    local result = {}
    for k, v in pairs(values) do result[k] = v end
    return result
end

--- request:query(name) -> string | nil, nil. Several values are joined with ","; an empty one is nil.
function methods.query(self, name)
    local f = open(self, "query")
    check(name, "string", "query")
    local value = f.query[name]
    if value == "" then value = nil end
    return value, nil
end

--- request:query_params() -> table, nil
function methods.query_params(self) return copy(open(self, "query_params").query), nil end

--- request:header(name) -> string | nil, nil. Case does not matter; several values are joined with ", ".
function methods.header(self, name)
    local f = open(self, "header")
    check(name, "string", "header")
    return f.headers[s_lower(name)], nil
end

--- request:content_type() -> string | nil, nil
function methods.content_type(self) return open(self, "content_type").headers["content-type"], nil end

--- request:content_length() -> bytes, nil: 0 without a body, -1 when the client did not say
function methods.content_length(self) return open(self, "content_length").length, nil end

--- request:has_body() -> boolean, nil
function methods.has_body(self) return open(self, "has_body").has_body, nil end

local function starts_with(text, prefix) return s_sub(text, 1, #prefix) == prefix end

--- request:is_content_type(type) -> boolean, nil: does the content type begin with it?
function methods.is_content_type(self, wanted)
    local f = open(self, "is_content_type")
    check(wanted, "string", "is_content_type")
    local given = f.headers["content-type"]
    return given ~= nil and starts_with(s_lower(given), s_lower(wanted)), nil
end

--- request:accepts(type) -> boolean, nil: without an Accept header everything is accepted
function methods.accepts(self, wanted)
    local f = open(self, "accepts")
    check(wanted, "string", "accepts")
    local accept = f.headers.accept
    if accept == nil or accept == "" then return true, nil end
    wanted = s_lower(wanted)
    for range, parameters in lib.s_gmatch(s_lower(accept), "([^,;%s]+)([^,]*)") do
        local stem = lib.s_match(range, "^(.*)%*$")
        if stem == "*/" then stem = "" end
        local refused = lib.s_match(parameters, ";%s*q=0%.?0*%s*$")
        if not refused and starts_with(stem and wanted or range, stem or wanted) then return true, nil end
    end
    return false, nil
end

--- request:param(name) -> string | nil, nil: of the route, {rest...} included
function methods.param(self, name)
    local f = open(self, "param")
    check(name, "string", "param")
    return f.params[name], nil
end

--- request:params() -> table, nil
function methods.params(self) return copy(open(self, "params").params), nil end

--- request:body() -> all bytes, nil | nil, err. It can be read once.
-- err: INVALID for no body, a second reading or more than max_body; INTERNAL when it does not arrive.
function methods.body(self)
    local f = open(self, "body")
    return host.request("exchange", "body", f.max_body, f.seconds)
end

--- request:body_json() -> value, nil | nil, err: as body, and INVALID for what is not JSON
function methods.body_json(self)
    local f = open(self, "body_json")
    local text, err = host.request("exchange", "body", f.max_body, f.seconds)
    if err then return nil, err end
    local value, wrong = core.json_decode(text)
    if wrong then
        wrong = "the body is not valid JSON: " .. wrong
        core.host("exchange", "fault", 400, wrong)
        return nil, internal.make("INVALID", wrong, false, { code = "PARSE_FAILED" })
    end
    return value, nil
end

--- request:stream() -> stream, nil | nil, err (INVALID: the body has been read). max_body is its limit too.
function methods.stream(self)
    local f = open(self, "stream")
    local _, err = exchange("open", f.max_body)
    if err then return nil, err end
    return new_stream({ seconds = f.seconds }), nil
end

--- request:parse_multipart([max_bytes]) -> {values = {field = string | {string, ...}}, files = {field = {file, ...}}},
-- nil | nil, err (INVALID: no form, malformed or too large). Reads URL-encoded forms as well: these have no files.
function methods.parse_multipart(self, limit)
    local f = open(self, "parse_multipart")
    if limit ~= nil then
        check(limit, "number", "parse_multipart")
        local wrong
        limit, wrong = positive(limit, "the limit")
        if not limit then return nil, wrong end
    end
    local form, err = host.request("exchange", "form", limit or f.max_body, f.seconds)
    if err then return nil, err end
    for _, files in pairs(form.files) do
        for i, file in lib.ipairs(files) do files[i] = new_file(file) end
    end
    return form, nil
end

local internal_request = {}

-- See http.lua.
function internal_request.new(options)
    local max_body, seconds
    if options ~= nil then
        check(options, "table", "request")
        local wrong
        if options.max_body ~= nil then
            max_body, wrong = positive(options.max_body, "max_body")
            if not max_body then return nil, wrong end
        end
        if options.timeout ~= nil then
            if type(options.timeout) ~= "number" or not (options.timeout > 0 and options.timeout < 1e12) then
                return nil, internal.make("INVALID", "timeout must be a positive number of milliseconds", false)
            end
            seconds = options.timeout / 1000
        end
    end
    local facts, err = exchange("request")
    if not facts then return nil, err end
    facts.max_body, facts.seconds = max_body, seconds
    return new(facts), nil
end

return internal_request
