-- Time: a point in time with a location (lua_api.md 8). Seconds since 1970 and nanoseconds of the second, both exact
-- integers, so that year 1 (Go's zero time) and far dates fit; the range is 285 thousand million years each way.
--
-- Here is what a script that measures time needs; what has to do with the calendar is in time_calendar.lua.
local core, base, host, load = ...
local lib = core.lib
local error, type = lib.error, lib.type
local _, shared = load("time")

local SECOND = 1000000000
-- Beyond this many seconds from 1970, sums could leave 64 bits.
local LIMIT = 9000000000000000000

local moment, internal = {}, {}
local methods = {}
internal.methods, internal.LIMIT = methods, LIMIT

-- The other methods come with the first one that is missed.
lib.setmetatable(methods, {
    __index = function(_, name)
        lib.setmetatable(methods, nil)
        load("time_calendar")
        return methods[name]
    end,
})

-- Fields: s = seconds since 1970, n = nanoseconds 0 to 999999999, zone = fields of a Location; nil for UTC.
local construct, fields
construct, fields = core.class({
    __name = "time",
    __index = methods,
    __tostring = function(self) return load("time_layout").text(fields(self)) end,
})
internal.construct, internal.fields = construct, fields

local function open(self, method)
    local f = fields(self)
    if not f then error("bad argument to '" .. method .. "' (time expected, got " .. type(self) .. "; call it with ':')", 3) end
    return f
end
internal.open = open

local function zones()
    local _, internals = load("time_zone")
    return internals
end

--- internal.new(seconds, nanoseconds, zone) -> Time | nil, err (INVALID)
-- nanoseconds: any integer. zone: fields of a Location, nil for UTC.
local function new(seconds, nanos, zone)
    seconds = seconds + nanos // SECOND
    if seconds > LIMIT or seconds < -LIMIT then
        return shared.invalid("time out of range: more than " .. LIMIT .. " seconds from 1970")
    end
    return construct({ s = seconds, n = nanos % SECOND, zone = zone })
end
internal.new = new

-- Where local times are: in workflows always UTC (decision 4), outside the zone of the process, if it has one.
local in_utc = host.workflow or not core.host("local_zone")
local function here()
    if in_utc then return nil end
    return zones().here()
end
internal.here = here

--- internal.offset(fields) -> seconds east of UTC, abbreviation
function internal.offset(f)
    if not f.zone then return 0, "UTC" end
    return zones().offset(f.zone, f.s)
end

--- time.now() -> Time, local; in a workflow the time of the current workflow task
function moment.now() return new(0, host.now(), here()) end

local function other(value, name)
    return fields(value) or error("bad argument #1 to '" .. name .. "' (time expected, got "
        .. (value == nil and "no value" or type(value)) .. ")", 3)
end

local function compare(f, g)
    if f.s ~= g.s then return f.s < g.s and -1 or 1 end
    return f.n < g.n and -1 or f.n > g.n and 1 or 0
end

--- t:add(duration) -> Time | nil, err (INVALID). duration: nanoseconds, a duration string or a Duration.
function methods.add(self, duration)
    local f = open(self, "add")
    local ns, err = shared.nanoseconds(duration)
    if not ns then
        if type(duration) ~= "string" and type(duration) ~= "number" then
            error("bad argument #1 to 'add' (duration expected, got "
                .. (duration == nil and "no value" or type(duration)) .. ")", 2)
        end
        return nil, err
    end
    return new(f.s + ns // SECOND, f.n + ns % SECOND, f.zone)
end

--- t:sub(other Time) -> Duration; the longest Duration (292 years) if they are further apart
function methods.sub(self, value)
    local f, g = open(self, "sub"), other(value, "sub")
    local seconds, nanos = f.s - g.s, f.n - g.n
    -- Both are within LIMIT, but their difference may wrap.
    if (f.s >= g.s) ~= (seconds >= 0) then seconds = f.s >= g.s and LIMIT or -LIMIT end
    local _, durations = load("time_duration")
    return durations.between(seconds, nanos)
end

--- t:after(other Time) -> boolean
function methods.after(self, value) return compare(open(self, "after"), other(value, "after")) > 0 end

--- t:before(other Time) -> boolean
function methods.before(self, value) return compare(open(self, "before"), other(value, "before")) < 0 end

--- t:equal(other Time) -> boolean; the same instant, whatever the locations
function methods.equal(self, value) return compare(open(self, "equal"), other(value, "equal")) == 0 end

--- t:unix() -> seconds since 1970
function methods.unix(self) return open(self, "unix").s end

--- t:unix_nano() -> nanoseconds since 1970 | nil, err (INVALID) before 1678 and after 2262, where they do not fit
function methods.unix_nano(self)
    local f = open(self, "unix_nano")
    local ns = f.s * SECOND + f.n
    if ns // SECOND ~= f.s then
        return shared.invalid("the time is more than 292 years from 1970: its nanoseconds do not fit in 64 bits; use unix()")
    end
    return ns
end

--- t:format(layout) -> string; layout: Go's reference time, such as time.RFC3339 or "2006-01-02"
function methods.format(self, layout)
    local f = open(self, "format")
    if type(layout) ~= "string" then
        error("bad argument #1 to 'format' (string expected, got " .. (layout == nil and "no value" or type(layout)) .. ")", 2)
    end
    return load("time_layout").format(f, layout)
end

--- t:format_rfc3339() -> string
function methods.format_rfc3339(self)
    return load("time_layout").format(open(self, "format_rfc3339"), load("time_names").RFC3339)
end

return moment, internal
