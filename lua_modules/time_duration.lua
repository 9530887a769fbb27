-- Duration: a signed number of nanoseconds as an object (lua_api.md 8).
local core, base, host, load = ...
local lib = core.lib
local error, type = lib.error, lib.type
local _, shared = load("time")

local SECOND = 1000000000
local LONGEST, SHORTEST = lib.m_maxinteger, lib.m_mininteger

local duration, internal = {}, {}
local methods = {}

local function digits(fraction, width)
    local text = lib.s_format("%0" .. width .. "d", fraction)
    text = lib.s_gsub(text, "0+$", "")
    return text == "" and "" or "." .. text
end

-- As Go writes them: 1h30m45s, 1.5s, 250ms, 0s. Counted below zero, where the shortest duration has its size too.
local function text(ns)
    if ns == 0 then return "0s" end
    if ns == SHORTEST then return "-2562047h47m16.854775808s" end
    if ns < 0 then return "-" .. text(-ns) end
    if ns < 1000 then return ns .. "ns" end
    if ns < 1000000 then return ns // 1000 .. digits(ns % 1000, 3) .. "\xC2\xB5s" end
    if ns < SECOND then return ns // 1000000 .. digits(ns % 1000000, 6) .. "ms" end
    local result = ns // SECOND % 60 .. digits(ns % SECOND, 9) .. "s"
    local minutes = ns // (60 * SECOND)
    if minutes > 0 then result = minutes % 60 .. "m" .. result end
    if minutes >= 60 then result = minutes // 60 .. "h" .. result end
    return result
end

local construct, fields
construct, fields = core.class({
    __name = "duration",
    __index = methods,
    __tostring = function(self) return text(fields(self).ns) end,
})
internal.fields = fields

-- Wherever a duration is taken, an object will do.
host.unbox_duration = function(value)
    local f = fields(value)
    return f and f.ns
end

local function open(self, method)
    local f = fields(self)
    if not f then
        error("bad argument to '" .. method .. "' (duration expected, got " .. type(self) .. "; call it with ':')", 3)
    end
    return f.ns
end

--- internal.between(seconds, nanoseconds) -> Duration of their sum, or the longest or shortest there is
function internal.between(seconds, nanos)
    seconds, nanos = seconds + nanos // SECOND, nanos % SECOND
    local ns
    if seconds > 9223372036 or (seconds == 9223372036 and nanos > 854775807) then
        ns = LONGEST
    elseif seconds < -9223372037 or (seconds == -9223372037 and nanos < 145224192) then
        ns = SHORTEST
    else
        ns = seconds * SECOND + nanos
    end
    return construct({ ns = ns })
end

--- time.parse_duration(value) -> Duration | nil, err (INVALID)
-- value: a Go duration string ("1h30m"), a number of nanoseconds or a Duration.
function duration.parse_duration(value)
    local ns, err = shared.nanoseconds(value)
    if not ns then return nil, err end
    return construct({ ns = ns })
end

--- d:nanoseconds() -> integer
function methods.nanoseconds(self) return open(self, "nanoseconds") end

-- Towards zero, as Go divides.
local function whole(ns, unit)
    if ns < 0 then return -(-ns // unit) end
    return ns // unit
end

--- d:microseconds() -> integer, the fraction cut off
function methods.microseconds(self) return whole(open(self, "microseconds"), 1000) end

--- d:milliseconds() -> integer, the fraction cut off
function methods.milliseconds(self) return whole(open(self, "milliseconds"), 1000000) end

-- Whole units and fraction apart: a quotient of the whole number would lose digits.
local function float(ns, unit)
    local units = whole(ns, unit)
    return units + (ns - units * unit) / unit
end

--- d:seconds() -> float
function methods.seconds(self) return float(open(self, "seconds"), SECOND) end

--- d:minutes() -> float
function methods.minutes(self) return float(open(self, "minutes"), 60 * SECOND) end

--- d:hours() -> float
function methods.hours(self) return float(open(self, "hours"), 3600 * SECOND) end

return duration, internal
