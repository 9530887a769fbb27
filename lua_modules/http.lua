-- http: the HTTP request that a function answers, and its response (lua_api.md 15, decision 39).
local core, base, host, load = ...

local function names(text)
    local result = {}
    for name in core.lib.s_gmatch(text, "%S+") do result[name] = name end
    return result
end

return {
    --- http.request([{timeout = ms, max_body = bytes}]) -> request, nil | nil, err (INTERNAL: not in a handler; INVALID)
    -- timeout: for reading the body, the service's timeouts.read when absent; max_body: 120 MB.
    request = load("http_request").new,

    --- http.response() -> response, nil | nil, err (INTERNAL: not in a handler)
    response = load("http_response").new,

    METHOD = names("GET POST PUT DELETE PATCH HEAD OPTIONS TRACE CONNECT"),
    STATUS = {
        OK = 200, CREATED = 201, ACCEPTED = 202, NO_CONTENT = 204, PARTIAL_CONTENT = 206,
        MOVED_PERMANENTLY = 301, FOUND = 302, SEE_OTHER = 303, NOT_MODIFIED = 304, TEMPORARY_REDIRECT = 307,
        PERMANENT_REDIRECT = 308,
        BAD_REQUEST = 400, UNAUTHORIZED = 401, PAYMENT_REQUIRED = 402, FORBIDDEN = 403, NOT_FOUND = 404,
        METHOD_NOT_ALLOWED = 405, NOT_ACCEPTABLE = 406, CONFLICT = 409, GONE = 410, UNPROCESSABLE = 422,
        TOO_MANY_REQUESTS = 429,
        INTERNAL_ERROR = 500, NOT_IMPLEMENTED = 501, BAD_GATEWAY = 502, SERVICE_UNAVAILABLE = 503,
        GATEWAY_TIMEOUT = 504, VERSION_NOT_SUPPORTED = 505,
    },
    CONTENT = {
        JSON = "application/json", FORM = "application/x-www-form-urlencoded", MULTIPART = "multipart/form-data",
        TEXT = "text/plain", STREAM = "application/octet-stream",
    },
    TRANSFER = { CHUNKED = "chunked", SSE = "sse" },

    --- What `code` in the details of an error of this module may be.
    ERROR = names("PARSE_FAILED INVALID_STATE WRITE_FAILED STREAM_ERROR"),
}
