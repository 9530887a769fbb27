-- PIDs: {node@host|id} as text and in parts (workflows.md 4, decision 29). Pure: knows no run.
--
-- For a workflow the node is a temporal.client, the host a temporal.worker (or a raw task queue), the id Temporal's
-- workflow id. `|`, `}` and `%` in host and id are percent-escaped, so that a PID has one reading, and equal processes
-- have equal PIDs.
local core = ...
local lib = core.lib
local s_gsub, s_match, s_find = lib.s_gsub, lib.s_match, lib.s_find

local pid = {}

local function escape(text)
    return (s_gsub(text, "[%%|}]", function(c) return lib.s_format("%%%02X", lib.s_byte(c)) end))
end

local function unescape(text)
    if s_find(s_gsub(text, "%%%x%x", ""), "%%") then return nil end
    return (s_gsub(text, "%%(%x%x)", function(digits) return lib.s_char(lib.tonumber(digits, 16)) end))
end

--- pid.format(node, host, id) -> string. node: "" for none.
function pid.format(node, host, id)
    return "{" .. (node ~= "" and node .. "@" or "") .. escape(host) .. "|" .. escape(id) .. "}"
end

--- pid.parse(text) -> {node=, host=, id=} (node "" when it has none) | nil, what is wrong with it
function pid.parse(text)
    local inner = s_match(text, "^{(.*)}$")
    if not inner then return nil, "missing braces" end
    local address, id = s_match(inner, "^([^|]*)|(.*)$")
    if not address then return nil, "missing pipe" end
    id = s_match(id, "([^|]*)$")
    if s_find(inner, "}", 1, true) then return nil, "a brace inside must be written %7D" end
    local node, host = s_match(address, "^([^@]*)@(.*)$")
    node, host = node or "", unescape(host or address)
    id = unescape(id)
    if not host or not id then return nil, "a percent sign must be written %25" end
    if host == "" or id == "" then return nil, "an empty part" end
    if not lib.u_len(node) or not lib.u_len(host) or not lib.u_len(id) then return nil, "not UTF-8" end
    return { node = node, host = host, id = id }
end

return pid
