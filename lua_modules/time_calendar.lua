-- Time and the calendar: times from dates, dates of times, locations, rounding (lua_api.md 8). Adds its methods to
-- those of time_moment.lua, which loads it when one of them is first used.
local core, base, host, load = ...
local lib = core.lib
local error, type = lib.error, lib.type
local _, shared = load("time")
local _, moment = load("time_moment")
local civil = load("time_civil")
local integer = civil.integer
local methods, construct, fields, open = moment.methods, moment.construct, moment.fields, moment.open
local new, here, offset, LIMIT = moment.new, moment.here, moment.offset, moment.LIMIT

local SECOND = 1000000000
local DAY = 86400
local ZERO = -62135596800 -- 0001-01-01T00:00:00Z

local calendar = {}

local function zones()
    local _, internals = load("time_zone")
    return internals
end

local function bad(position, name, expected, value)
    error("bad argument #" .. position .. " to '" .. name .. "' (" .. expected .. " expected, got "
        .. (value == nil and "no value" or type(value)) .. ")", 3)
end

--- from_civil(year, month, day, hour, minute, second, nanosecond, zone) -> Time | nil, err (INVALID)
local function from_civil(year, month, day, hour, minute, second, nanos, zone)
    local seconds = civil.seconds(year, month, day, hour, minute, second)
    if not seconds then return shared.invalid("time out of range: year " .. year .. ", month " .. month .. ", day " .. day) end
    if zone then seconds = zones().to_utc(zone, seconds + nanos // SECOND) - nanos // SECOND end
    return new(seconds, nanos, zone)
end

--- time.unix(seconds, nanoseconds) -> Time, local | nil, err (INVALID). Fractions are cut off.
function calendar.unix(seconds, nanos)
    local s = integer(seconds) or bad(1, "unix", "integer", seconds)
    local n = integer(nanos) or bad(2, "unix", "integer", nanos)
    if s > LIMIT or s < -LIMIT then return shared.invalid("time out of range: " .. s .. " seconds from 1970") end
    return new(s, n, here())
end

--- time.date(year, month, day, hour, minute, second, nanosecond[, location]) -> Time | nil, err (INVALID)
-- Seven integers, each of any size: month 13 is January of the next year. location: a Location; local by default.
function calendar.date(...)
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

-- Days since 1970 and second of the day, as the clock on the wall shows them.
local function wall(f)
    local seconds = f.s + offset(f)
    return seconds // DAY, seconds % DAY
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

--- t:is_zero() -> boolean: is it 0001-01-01 00:00:00 UTC?
function methods.is_zero(self)
    local f = open(self, "is_zero")
    return f.s == ZERO and f.n == 0
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

return calendar
