-- Time: a point in time with a location (lua_api.md 8). Seconds since 1970 and nanoseconds of the second, both exact
-- integers, so that year 1 (Go's zero time) and far dates fit; the range is 285 thousand million years each way.
local core, base, host, load = ...
local lib = core.lib
local error, type = lib.error, lib.type
local _, shared = load("time")
local civil = load("time_civil")
local integer, LIMIT = civil.integer, civil.LIMIT

local SECOND = 1000000000
local DAY = 86400
local ZERO = -62135596800 -- 0001-01-01T00:00:00Z

local moment, internal = {}, {}
local methods = {}
-- Fields: s = seconds since 1970, n = nanoseconds 0 to 999999999, zone = fields of a Location; nil for UTC.
local construct, fields
construct, fields = core.class({
    __name = "time",
    __index = methods,
    __tostring = function(self) return load("time_layout").text(fields(self)) end,
})
internal.fields = fields

local function open(self, method)
    local f = fields(self)
    if not f then error("bad argument to '" .. method .. "' (time expected, got " .. type(self) .. "; call it with ':')", 3) end
    return f
end

local function zones()
    local _, internals = load("time_zone")
    return internals
end

local function bad(position, name, expected, value)
    error("bad argument #" .. position .. " to '" .. name .. "' (" .. expected .. " expected, got "
        .. (value == nil and "no value" or type(value)) .. ")", 3)
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

--- internal.offset(fields) -> seconds east of UTC, abbreviation
local function offset(f)
    if not f.zone then return 0, "UTC" end
    return zones().offset(f.zone, f.s)
end
internal.offset = offset

--- internal.from_civil(year, month, day, hour, minute, second, nanosecond, zone) -> Time | nil, err (INVALID)
local function from_civil(year, month, day, hour, minute, second, nanos, zone)
    local seconds = civil.seconds(year, month, day, hour, minute, second)
    if not seconds then return shared.invalid("time out of range: year " .. year .. ", month " .. month .. ", day " .. day) end
    if zone then seconds = zones().to_utc(zone, seconds + nanos // SECOND) - nanos // SECOND end
    return new(seconds, nanos, zone)
end
internal.from_civil = from_civil

-- Where local times are: in workflows always UTC (decision 4), outside the zone of the process.
local function here()
    if host.workflow then return nil end
    return zones().here()
end

--- time.now() -> Time, local; in a workflow the time of the current workflow task
function moment.now() return new(0, host.now(), here()) end

--- time.unix(seconds, nanoseconds) -> Time, local | nil, err (INVALID). Fractions are cut off.
function moment.unix(seconds, nanos)
    local s = integer(seconds) or bad(1, "unix", "integer", seconds)
    local n = integer(nanos) or bad(2, "unix", "integer", nanos)
    if s > LIMIT or s < -LIMIT then return shared.invalid("time out of range: " .. s .. " seconds from 1970") end
    return new(s, n, here())
end

--- time.date(year, month, day, hour, minute, second, nanosecond[, location]) -> Time | nil, err (INVALID)
-- Seven integers, each of any size: month 13 is January of the next year. location: a Location; local by default.
function moment.date(...)
    local given = { ... }
    for i = 1, 7 do given[i] = integer(given[i]) or bad(i, "date", "integer", given[i]) end
    local zone
    if given[8] == nil then
        zone = here()
    else
        zone = zones().zone(zones().fields(given[8]) or bad(8, "date", "location", given[8]))
    end
    return from_civil(given[1], given[2], given[3], given[4], given[5], given[6], given[7], zone)
end

local function other(value, name)
    return fields(value) or error("bad argument #1 to '" .. name .. "' (time expected, got "
        .. (value == nil and "no value" or type(value)) .. ")", 3)
end

local function compare(f, g)
    if f.s ~= g.s then return f.s < g.s and -1 or 1 end
    return f.n < g.n and -1 or f.n > g.n and 1 or 0
end

-- Days since 1970 and second of the day, as the clock on the wall shows them.
local function wall(f)
    local seconds = f.s + offset(f)
    return seconds // DAY, seconds % DAY
end
internal.wall = wall

--- t:add(duration) -> Time | nil, err (INVALID). duration: nanoseconds, a duration string or a Duration.
function methods.add(self, duration)
    local f = open(self, "add")
    local ns, err = shared.nanoseconds(duration)
    if not ns then
        if type(duration) ~= "string" and type(duration) ~= "number" then bad(1, "add", "duration", duration) end
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

--- t:add_date(years, months, days) -> Time | nil, err (INVALID). January 31 and one month is March 2 or 3.
function methods.add_date(self, years, months, days)
    local f = open(self, "add_date")
    local y = integer(years) or bad(1, "add_date", "integer", years)
    local m = integer(months) or bad(2, "add_date", "integer", months)
    local d = integer(days) or bad(3, "add_date", "integer", days)
    local day_count, second = wall(f)
    local year, month, day = civil.date(day_count)
    return from_civil(year + y, month + m, day + d, 0, 0, second, f.n, f.zone)
end

--- t:after(other Time) -> boolean
function methods.after(self, value) return compare(open(self, "after"), other(value, "after")) > 0 end

--- t:before(other Time) -> boolean
function methods.before(self, value) return compare(open(self, "before"), other(value, "before")) < 0 end

--- t:equal(other Time) -> boolean; the same instant, whatever the locations
function methods.equal(self, value) return compare(open(self, "equal"), other(value, "equal")) == 0 end

--- t:is_zero() -> boolean: is it 0001-01-01 00:00:00 UTC?
function methods.is_zero(self)
    local f = open(self, "is_zero")
    return f.s == ZERO and f.n == 0
end

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

--- t:date() -> year, month, day
function methods.date(self) return civil.date((wall(open(self, "date")))) end

--- t:clock() -> hour, minute, second
function methods.clock(self)
    local _, second = wall(open(self, "clock"))
    return second // 3600, second // 60 % 60, second % 60
end

--- t:year() -> integer
function methods.year(self) return (civil.date((wall(open(self, "year"))))) end

--- t:month() -> 1 to 12
function methods.month(self)
    local _, month = civil.date((wall(open(self, "month"))))
    return month
end

--- t:day() -> 1 to 31
function methods.day(self)
    local _, _, day = civil.date((wall(open(self, "day"))))
    return day
end

--- t:hour() -> 0 to 23
function methods.hour(self)
    local _, second = wall(open(self, "hour"))
    return second // 3600
end

--- t:minute() -> 0 to 59
function methods.minute(self)
    local _, second = wall(open(self, "minute"))
    return second // 60 % 60
end

--- t:second() -> 0 to 59
function methods.second(self)
    local _, second = wall(open(self, "second"))
    return second % 60
end

--- t:nanosecond() -> 0 to 999999999
function methods.nanosecond(self) return open(self, "nanosecond").n end

--- t:weekday() -> 0 (Sunday) to 6
function methods.weekday(self) return civil.weekday((wall(open(self, "weekday")))) end

--- t:year_day() -> 1 to 366
function methods.year_day(self) return (civil.year_day((wall(open(self, "year_day"))))) end

--- t:format(layout) -> string; layout: Go's reference time, such as time.RFC3339 or "2006-01-02"
function methods.format(self, layout)
    local f = open(self, "format")
    if type(layout) ~= "string" then bad(1, "format", "string", layout) end
    return load("time_layout").format(f, layout)
end

--- t:format_rfc3339() -> string
function methods.format_rfc3339(self)
    return load("time_layout").format(open(self, "format_rfc3339"), load("time_names").RFC3339)
end

--- t:in_location(location) -> Time: the same instant there
function methods.in_location(self, location)
    local f = open(self, "in_location")
    local place = zones().fields(location) or bad(1, "in_location", "location", location)
    return construct({ s = f.s, n = f.n, zone = zones().zone(place) })
end

--- t:location() -> Location
function methods.location(self)
    local f = open(self, "location")
    return f.zone and f.zone.object or load("time_zone").utc
end

--- t:utc() -> Time: the same instant in UTC
function methods.utc(self)
    local f = open(self, "utc")
    return construct({ s = f.s, n = f.n })
end

--- t:in_local() -> Time: the same instant in the local zone, which is UTC in workflows
function methods.in_local(self)
    local f = open(self, "in_local")
    return construct({ s = f.s, n = f.n, zone = here() })
end

-- Nanoseconds since the zero time, modulo d: they need more than 64 bits, so they are summed up bit by bit modulo d.
local function remainder(f, d)
    local function plus(a, b) -- a, b in [0, d)
        if a >= d - b then return a - (d - b) end
        return a + b
    end
    local seconds, result = (f.s - ZERO) % d, 0
    for bit = 29, 0, -1 do -- SECOND has 30 bits
        result = plus(result, result)
        if SECOND >> bit & 1 == 1 then result = plus(result, seconds) end
    end
    return plus(result, f.n % d)
end

local function multiple_of(duration, name)
    local _, durations = load("time_duration")
    return durations.fields(duration) or error("bad argument #1 to '" .. name .. "' (duration expected, got "
        .. (duration == nil and "no value" or type(duration)) .. ")", 3)
end

--- t:truncate(Duration) -> Time: down to a multiple of it since the zero time; unchanged if it is not positive
function methods.truncate(self, duration)
    local f, d = open(self, "truncate"), multiple_of(duration, "truncate").ns
    if d <= 0 then return self end
    return new(f.s, f.n - remainder(f, d), f.zone)
end

--- t:round(Duration) -> Time: to the nearest multiple of it since the zero time, halves up; unchanged if not positive
function methods.round(self, duration)
    local f, d = open(self, "round"), multiple_of(duration, "round").ns
    if d <= 0 then return self end
    local r = remainder(f, d)
    if r < d - r then return new(f.s, f.n - r, f.zone) end
    return new(f.s + (d - r) // SECOND, f.n + (d - r) % SECOND, f.zone)
end

return moment, internal
