"""What the Lua modules and host objects offer: the one table that the checks of names are made from.

Facts only (lua_api.md sections 1-16, decisions.md 1, 5, 7, 31, 34, 37, 39, 40, 41). A test compares the standard
libraries with a real Lua 5.5 and the module names with `fleet.registry.modules`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiType:
    """A module, a table inside one, or a kind of host object.

    `members` maps each name to the type of what a call of it returns, or of the member itself where that is a
    table of its own ("" if neither is known here). `is_object` says that members are called with a colon.
    """

    name: str
    members: dict[str, str]
    is_object: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _type(name: str, members: str, is_object: bool = False) -> ApiType:
    """Read `"a b->Type c"` into an ApiType."""
    table: dict[str, str] = {}
    for member in members.split():
        member_name, _, result = member.partition("->")
        table[member_name] = result
    return ApiType(name, table, is_object)


_KINDS = (
    "NOT_FOUND ALREADY_EXISTS INVALID PERMISSION_DENIED UNAVAILABLE INTERNAL CANCELED CONFLICT TIMEOUT RATE_LIMITED"
    " UNKNOWN"
)
_LAYOUTS = (
    "RFC3339 RFC3339NANO RFC822 RFC822Z RFC850 RFC1123 RFC1123Z KITCHEN STAMP STAMP_MILLI STAMP_MICRO STAMP_NANO"
    " DATE_TIME DATE_ONLY TIME_ONLY"
)
_CALENDAR = (
    "JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER"
    " SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY"
)
_STATUS = (
    "OK CREATED ACCEPTED NO_CONTENT PARTIAL_CONTENT MOVED_PERMANENTLY FOUND SEE_OTHER NOT_MODIFIED"
    " TEMPORARY_REDIRECT PERMANENT_REDIRECT BAD_REQUEST UNAUTHORIZED PAYMENT_REQUIRED FORBIDDEN NOT_FOUND"
    " METHOD_NOT_ALLOWED NOT_ACCEPTABLE CONFLICT GONE UNPROCESSABLE TOO_MANY_REQUESTS INTERNAL_ERROR"
    " NOT_IMPLEMENTED BAD_GATEWAY SERVICE_UNAVAILABLE GATEWAY_TIMEOUT VERSION_NOT_SUPPORTED"
)
_SPAWN = "spawn spawn_monitored spawn_linked spawn_linked_monitored exec"

MODULES: dict[str, ApiType] = {
    module.name: module
    for module in (
        _type("activity", "heartbeat last_heartbeat info"),
        _type("base64", "encode decode"),
        _type("channel", "new->Channel select"),
        _type("coroutine", "spawn close create isyieldable resume running status wrap yield"),
        _type(
            "crypto",
            "random->crypto.random random_bytes hmac->crypto.hmac encrypt->crypto.encrypt decrypt->crypto.decrypt"
            " jwt->crypto.jwt pbkdf2 constant_time_compare",
        ),
        _type("ctx", "get all"),
        _type("env", "get set get_all"),
        _type("errors", f"new->Error wrap->Error is call_stack {_KINDS}"),
        _type("funcs", "call async->Future new->Executor"),
        _type("hash", "md5 sha1 sha256 sha512 fnv32 fnv64 hmac_sha256 hmac_sha512 hmac_sha1 hmac_md5"),
        _type(
            "http",
            "request->Request response->Response METHOD->http.METHOD STATUS->http.STATUS CONTENT->http.CONTENT"
            " TRANSFER->http.TRANSFER ERROR->http.ERROR",
        ),
        _type("http_client", "get post put delete head patch request request_batch encode_uri decode_uri"),
        _type("json", "encode decode validate validate_string object null"),
        _type("logger", "debug info warn error with->logger named->logger", is_object=True),
        _type(
            "math",
            "abs acos asin atan ceil cos deg exp floor fmod frexp huge ldexp log max maxinteger min mininteger modf pi"
            " rad random randomseed sin sqrt tan tointeger type ult",
        ),
        _type("os", "time date clock difftime platform"),
        _type(
            "payload",
            "new->Payload format->payload.format JSON YAML STRING BYTES MSGPACK LUA GOLANG ERROR",
        ),
        _type(
            "process",
            "id pid send inbox->Channel events->Channel listen->Channel unlisten with_context->Spawner"
            f" with_options->Spawner upgrade terminate cancel monitor unmonitor link unlink set_options get_options"
            f" event->process.event registry->process.registry {_SPAWN}",
        ),
        _type(
            "string",
            "byte char find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper",
        ),
        _type("table", "concat create insert move pack remove sort unpack"),
        _type(
            "time",
            "sleep now->Time date->Time unix->Time parse->Time parse_duration->Duration load_location->Location"
            " fixed_zone->Location after->Channel timer->Timer ticker->Ticker utc->Location localtz->Location"
            f" NANOSECOND MICROSECOND MILLISECOND SECOND MINUTE HOUR {_LAYOUTS} {_CALENDAR}",
        ),
        _type("utf8", "char charpattern codepoint codes len offset"),
        _type("uuid", "v1 v3 v4 v5 v7 validate version variant parse format"),
        _type("workflow", "info exec version attrs history_length history_size set_query continue_as_new"),
        _type("debug", "traceback"),
    )
}
"""Modules and the tables of the standard library, by name."""

TYPES: dict[str, ApiType] = MODULES | {
    found.name: found
    for found in (
        _type("crypto.random", "bytes string uuid"),
        _type("crypto.hmac", "sha256 sha512"),
        _type("crypto.encrypt", "aes chacha20"),
        _type("crypto.decrypt", "aes chacha20"),
        _type("crypto.jwt", "encode verify"),
        _type("http.METHOD", "GET POST PUT DELETE PATCH HEAD OPTIONS TRACE CONNECT"),
        _type("http.STATUS", _STATUS),
        _type("http.CONTENT", "JSON FORM MULTIPART TEXT STREAM"),
        _type("http.TRANSFER", "CHUNKED SSE"),
        _type("http.ERROR", "PARSE_FAILED INVALID_STATE WRITE_FAILED STREAM_ERROR"),
        _type("payload.format", "JSON YAML STRING BYTES MSGPACK LUA GOLANG ERROR"),
        _type("process.event", "EXIT LINK_DOWN CANCEL OUTDATED"),
        _type("process.registry", "register lookup unregister LOCAL EVENTUAL CONSISTENT STRONG"),
        _type("Channel", "send receive close case_send case_receive", is_object=True),
        _type("Duration", "nanoseconds microseconds milliseconds seconds minutes hours", is_object=True),
        _type("Error", "kind retryable message details stack", is_object=True),
        _type(
            "Executor",
            "call async->Future with_context->Executor with_options->Executor with_actor->Executor"
            " with_scope->Executor",
            is_object=True,
        ),
        _type(
            "Future", "response->Channel channel->Channel is_complete is_canceled result error cancel", is_object=True
        ),
        _type("Location", "string", is_object=True),
        _type("Payload", "get_format data unmarshal transcode->Payload", is_object=True),
        _type(
            "Request",
            "method path host remote_addr query query_params header content_type content_length body body_json"
            " has_body accepts is_content_type param params stream->Stream parse_multipart",
            is_object=True,
        ),
        _type(
            "Response",
            "status->Response header->Response json->Response text->Response body->Response set_status set_header"
            " set_content_type write write_json write_event set_transfer flush",
            is_object=True,
        ),
        _type(
            "Spawner",
            "with_context->Spawner with_options->Spawner with_name->Spawner with_message->Spawner"
            f" with_actor->Spawner with_scope->Spawner {_SPAWN}",
            is_object=True,
        ),
        _type("Stream", "read close", is_object=True),
        _type("Ticker", "response->Channel channel->Channel stop", is_object=True),
        _type(
            "Time",
            "add->Time sub->Duration add_date->Time after before equal format format_rfc3339 unix unix_nano date clock"
            " year month day hour minute second nanosecond weekday year_day is_zero in_location->Time"
            " location->Location utc->Time in_local->Time round->Time truncate->Time",
            is_object=True,
        ),
        _type("Timer", "response->Channel channel->Channel stop reset", is_object=True),
    )
}
"""All types of values that the checks can follow, modules included."""

BASE_GLOBALS = _words(
    "_G _VERSION assert collectgarbage error getmetatable ipairs load next pairs pcall print rawequal rawget rawlen"
    " rawset require select setmetatable tonumber tostring type unpack warn xpcall"
    " process channel errors payload os coroutine string table math utf8 debug package subscribe unsubscribe"
)
"""Globals of every entry, whatever its `modules` (lua_api.md section 1; decision 41 for `unpack`)."""

ALWAYS_MODULES = _words("process channel errors payload os coroutine string table math utf8 debug package")
"""What `require` finds although the entry's `modules` does not list it."""

BLOCKING = frozenset(
    {("time", "sleep"), ("funcs", "call"), ("Executor", "call"), ("workflow", "exec"), ("channel", "select")}
    | {("Channel", "receive"), ("Channel", "send"), ("process", "send")}
    | {(owner, name) for owner in ("process", "Spawner") for name in _SPAWN.split()}
)
"""(type, member) of the calls that may wait, and so cannot stand in the body of a chunk."""

SPAWN_CALLS = frozenset(_SPAWN.split())
"""Members of `process` and of a Spawner that take an entry id and a host."""

_FILES = "there are no files here: do it in a Python activity or behind http_client in a function.lua entry"
_DEBUG = "only debug.traceback is available; errors carry their stack in err:stack()"

ABSENT: dict[str, str] = {
    "io": _FILES,
    "dofile": "put the code into a library.lua entry and name it under 'imports:'",
    "loadfile": "put the code into a library.lua entry and name it under 'imports:'",
    "os.execute": "other programs cannot be run; do it in a Python activity and call that with funcs.call",
    "os.exit": "end with return, or with error(errors.new{…}) to fail",
    "os.getenv": "use env.get(…) in a function.lua entry (modules: [env]) and pass the value on",
    "os.remove": _FILES,
    "os.rename": _FILES,
    "os.tmpname": _FILES,
    "os.setlocale": "the locale is always C",
    "package.loadlib": "native libraries cannot be loaded; a library.lua entry under 'imports:' can hold Lua code",
    "string.dump": "bytecode is not available; pass the source text to load()",
} | {
    f"debug.{name}": _DEBUG
    for name in _words(
        "debug gethook getinfo getlocal getmetatable getregistry getupvalue getuservalue sethook setlocal setmetatable"
        " setupvalue setuservalue upvalueid upvaluejoin setcstacklimit"
    )
}
"""Standard names that the sandbox leaves out (decision 5), each with what to do instead."""

FORMER: dict[str, str] = {
    "loadstring": "Lua 5.5 has load(text)",
    "getfenv": "Lua 5.5 has the variable _ENV",
    "setfenv": "Lua 5.5 has the variable _ENV, and load(text, name, 't', env)",
    "module": "return a table at the end of the chunk instead",
    "bit32": "Lua 5.5 has the operators & | ~ << >>",
    "bit": "Lua 5.5 has the operators & | ~ << >>",
    "jit": "this is stock Lua 5.5, not LuaJIT",
    "table.getn": "write #t",
    "table.maxn": "write #t",
    "table.foreach": "write for k, v in pairs(t) do … end",
    "table.foreachi": "write for i, v in ipairs(t) do … end",
    "math.pow": "write x ^ y",
    "math.mod": "write math.fmod(x, y) or x % y",
    "math.log10": "write math.log(x, 10)",
    "math.atan2": "write math.atan(y, x)",
    "math.cosh": "not part of Lua 5.5; (math.exp(x) + math.exp(-x)) / 2",
    "math.sinh": "not part of Lua 5.5; (math.exp(x) - math.exp(-x)) / 2",
    "math.tanh": "not part of Lua 5.5; it follows from math.exp",
    "string.gfind": "Lua 5.5 has string.gmatch",
    "console": "write print(…) or logger:info(…)",
    "null": "Lua has nil; inside JSON arrays json.null",
    "None": "Lua has nil",
    "undefined": "Lua has nil",
    "True": "Lua writes true",
    "False": "Lua writes false",
    "this": "Lua has self, in functions defined with a colon",
    "len": "write #value",
    "printf": "write print(string.format(…))",
    "sleep": "write time.sleep(…)",
}
"""Names of other Luas and languages, each with what this one has."""
