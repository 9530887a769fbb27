-- logger: structured log lines (lua_api.md 14). The module's value is the root logger; methods are called with ':'.
local core, base, host = ...
local lib = core.lib
local type, pairs, tostring, error = lib.type, lib.pairs, lib.tostring, lib.error

local DEPTH, ENTRIES = 4, 500   -- how much of a field that is a table is written

-- A copy that can be written: other values as their text, what lies too deep or comes too late as well. It never fails:
-- a log line is no reason for a run to end. `left`: {how many entries more}.
local function plain(value, depth, left)
    local kind = type(value)
    if kind == "string" or kind == "number" or kind == "boolean" then return value end
    if kind ~= "table" or depth == 0 then return tostring(value) end
    local copy = {}
    for k, v in pairs(value) do
        if left[1] == 0 then break end
        left[1] = left[1] - 1
        copy[type(k) == "table" and tostring(k) or k] = plain(v, depth - 1, left)
    end
    return copy
end

local function merge(target, fields)
    for k, v in pairs(fields) do
        if type(k) == "string" then target[k] = plain(v, DEPTH, { ENTRIES }) end
    end
    return target
end

local methods = {}
local new, fields_of = core.class({ __name = "logger", __index = methods })

local function open(self, method)
    local f = fields_of(self)
    if not f then error("bad argument to '" .. method .. "' (logger expected; call it with ':', as in logger:" .. method .. "(...))", 3) end
    return f
end

local function check_fields(fields, position, method)
    if type(fields) ~= "table" then
        error("bad argument #" .. position .. " to '" .. method .. "' (table expected, got " .. type(fields) .. ")", 3)
    end
end

-- Where the script called the logger: the first line of the traceback that is no privileged module's.
local function place()
    for line in lib.s_gmatch(lib.traceback("", 3), "\n\t([^\n]*)") do
        local at = lib.s_match(line, "^([^%[][^\n]-:%d+):")
        if at then return at end
    end
end

local function level(name)
    methods[name] = function(self, message, fields)
        local f = open(self, name)
        if type(message) ~= "string" then
            error("bad argument #1 to '" .. name .. "' (string expected, got " .. type(message) .. ")", 2)
        end
        if fields ~= nil then check_fields(fields, 2, name) end
        local line = { logger = f.name, location = place() }
        merge(line, f.fields)
        if fields ~= nil then merge(line, fields) end
        host.log(name, message, line)
    end
end

--- logger:debug(message, fields), logger:info, logger:warn, logger:error: write a line. fields: table or nil; keys that
-- are no strings are left out.
level("debug")
level("info")
level("warn")
level("error")

--- logger:with(fields) -> a logger that adds these fields to each line
function methods.with(self, fields)
    local f = open(self, "with")
    check_fields(fields, 1, "with")
    return new({ name = f.name, fields = merge(merge({}, f.fields), fields) })
end

--- logger:named(name) -> a logger whose name is this one's and `name`, joined by a dot. An empty name raises.
function methods.named(self, name)
    local f = open(self, "named")
    if type(name) ~= "string" then error("bad argument #1 to 'named' (string expected, got " .. type(name) .. ")", 2) end
    if name == "" then error("bad argument #1 to 'named' (name cannot be empty)", 2) end
    return new({ name = f.name and f.name .. "." .. name or name, fields = f.fields })
end

return new({ fields = {} })
