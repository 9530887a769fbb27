-- http_client: HTTP requests of functions and processes (lua_api.md 16).
local core, base, host, load = ...
local lib = core.lib
local type, error, pairs = lib.type, lib.error, lib.pairs
local _, internal = load("errors")
local make = internal.make
local durations = load("durations")

local http_client = {}

local function check(value, wanted, position, name)
    if type(value) ~= wanted then
        error("bad argument #" .. position .. " to '" .. name .. "' (" .. wanted .. " expected, got " .. type(value) .. ")", 3)
    end
end

-- ---- streams

local stream_methods = {}
local new_stream, stream_fields = core.class({ __name = "stream", __index = stream_methods })

local function open(self, method)
    local f = stream_fields(self)
    if not f then error("bad argument to '" .. method .. "' (stream expected; call it with ':')", 3) end
    return f
end

--- stream:read([n=65536]) -> the next bytes, at most n, nil | nil, nil at the end | nil, err
function stream_methods.read(self, size)
    local f = open(self, "read")
    if size == nil then size = 65536 end
    check(size, "number", 1, "read")
    size = lib.m_tointeger(size)
    if not size or size <= 0 then return nil, make("INVALID", "the number of bytes must be a positive integer", false) end
    if f.ended then return nil, nil end
    local data, err = host.request("http_read", f.number, size)
    if data == nil and err == nil then f.ended = true end
    return data, err
end

--- stream:close() -> true, nil. The end of the call closes it too.
function stream_methods.close(self)
    local f = open(self, "close")
    core.host("http_close", f.number)
    f.ended = true
    return true, nil
end

-- ---- requests

-- The options as Python reads them: the timeout in seconds.
local function prepared(options)
    if options == nil then return nil end
    local copy = {}
    for k, v in pairs(options) do copy[k] = v end
    if options.timeout ~= nil and type(options.timeout) ~= "number" then
        local ns = durations.nanoseconds(options.timeout)
        if not ns then
            return nil, make("INVALID", "option timeout: expected a number of seconds or a duration string", false)
        end
        copy.timeout = ns / 1e9
    end
    return copy
end

local function response(result)
    if result.stream then result.stream = new_stream({ number = result.stream }) end
    return result
end

local function request(method, url, options)
    local given, err = prepared(options)
    if err then return nil, err end
    local result
    result, err = host.request("http", method, url, given)
    if err then return nil, err end
    return response(result), nil
end

--- http_client.request(method, url[, options]) -> response, nil | nil, err
-- err: INVALID for the URL or the options, INTERNAL (retryable) when there is no response. Every status is a response.
-- response: {status_code, body (nil when empty), body_size, headers (canonical names, the first value), cookies, url,
-- stream}. options: headers, query, cookies, form (tables of strings), body (string), files (list of {name, filename,
-- content, content_type}), auth {user, pass}, timeout (seconds or a duration string; 30 s; with stream: until the head,
-- and for each read), stream (boolean), max_response_body (bytes; 120 MB), max_redirects (10), proxy (true for the
-- environment's, or a URL), tls {insecure_skip_verify, ca, ca_file, cert_file, key_file, server_name}, unix_socket (path).
function http_client.request(method, url, options)
    check(method, "string", 1, "request")
    check(url, "string", 2, "request")
    if options ~= nil then check(options, "table", 3, "request") end
    return request(method, url, options)
end

for _, method in lib.ipairs({ "get", "post", "put", "delete", "head", "patch" }) do
    local name = lib.s_upper(method)
    --- http_client.get(url[, options]) -> as request
    http_client[method] = function(url, options)
        check(url, "string", 1, method)
        if options ~= nil then check(options, "table", 2, method) end
        return request(name, url, options)
    end
end

--- http_client.request_batch({{method, url, options}, ...}) -> responses, errors | nil, err (INVALID)
-- All at the same time. responses[i] or errors[i] belongs to the request at i; errors is nil when all have a response.
function http_client.request_batch(requests)
    check(requests, "table", 1, "request_batch")
    local specs = {}
    for i, spec in lib.ipairs(requests) do
        if type(spec) ~= "table" or type(spec[1]) ~= "string" or type(spec[2]) ~= "string"
            or (spec[3] ~= nil and type(spec[3]) ~= "table") then
            return nil, make("INVALID", "request " .. i .. ": expected {method, url, options}", false)
        end
        local given, err = prepared(spec[3])
        if err then return nil, err end
        specs[i] = { spec[1], spec[2], given or false }
    end
    if #specs == 0 then return nil, make("INVALID", "no requests given", false) end
    local results, err = host.request("http_batch", specs)
    if err then return nil, err end
    local responses, failures
    responses = {}
    for i, result in lib.ipairs(results) do
        if internal.fields(result) then
            failures = failures or {}
            failures[i] = result
        else
            responses[i] = response(result)
        end
    end
    return responses, failures
end

--- http_client.encode_uri(s) -> string: for use in a query; a space becomes +
function http_client.encode_uri(text)
    check(text, "string", 1, "encode_uri")
    return core.host("uri_encode", text)
end

--- http_client.decode_uri(s) -> string, nil | nil, err (INVALID)
function http_client.decode_uri(text)
    check(text, "string", 1, "decode_uri")
    local result = core.host("uri_decode", text)
    if internal.fields(result) then return nil, result end
    return result, nil
end

return http_client
