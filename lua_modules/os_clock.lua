-- The functions of os: over the engine's clock, which in a workflow is that of its current task, in UTC.
local core, base, host, load = ...
local lib = core.lib
local error, type = lib.error, lib.type
local s_format = lib.s_format
local civil = load("time_civil")

local SECOND = 1000000000
local DAY = 86400
local LATEST = 67767976233446399 -- as far as C's os.date goes, whose years are 32-bit integers

local os, clock = {}, {}

-- Every other function of Lua's os, and what a script should use.
local INSTEAD = {
    execute = "scripts cannot start programs; call a service with http_client in a function.lua entry",
    exit = "return from the entry's function, or raise an error",
    getenv = 'declare an env.variable entry and use the module env (env.get("NAME"))',
    remove = "scripts have no files; keep data in a service behind a function.lua entry",
    rename = "scripts have no files; keep data in a service behind a function.lua entry",
    tmpname = "scripts have no files; keep data in a service behind a function.lua entry",
    setlocale = "scripts always run in the C locale",
}

--- clock.find(os, name) -> the value of os.name, which it keeps there; nil if Lua has no such name either
function clock.find(given, name)
    if INSTEAD[name] then
        core.refuse("os." .. name .. " is not available: " .. INSTEAD[name], 3)
    end
    lib.rawset(given, name, os[name])
    return os[name]
end

local function now() return host.now() // SECOND end

-- Seconds east of UTC, abbreviation, daylight saving time. Workflows are in UTC and need no zones.
local function local_offset(unix)
    if host.workflow then return 0, "UTC", false end
    local _, zones = load("time_zone")
    local place = zones.here()
    if not place then return 0, "UTC", false end
    return zones.offset(place, unix)
end

--- os.clock() -> seconds since the run or call began, a float
function os.clock() return (host.now() - host.started()) / 1e9 end

local function integer(value, position, name)
    return civil.integer(value) or error("bad argument #" .. position .. " to '" .. name .. "' (integer expected, got "
        .. (value == nil and "no value" or type(value)) .. ")", 3)
end

--- os.difftime(a, b) -> a - b in seconds, a float
function os.difftime(a, b) return integer(a, 1, "difftime") - integer(b, 2, "difftime") + 0.0 end

-- What a clock on the wall shows at `unix` seconds, there where it is `offset` ahead of UTC.
local function calendar(unix, offset, abbreviation, dst)
    local wall = unix + offset
    local days, second = wall // DAY, wall % DAY
    local year, month, day = civil.date(days)
    return {
        unix = unix, offset = offset, abbreviation = abbreviation, isdst = dst, days = days,
        year = year, month = month, day = day, hour = second // 3600, min = second // 60 % 60, sec = second % 60,
        wday = civil.weekday(days) + 1, yday = (civil.year_day(days)),
    }
end

local PUBLIC = { "year", "month", "day", "hour", "min", "sec", "wday", "yday", "isdst" }

local function fill(t, c)
    for _, name in lib.ipairs(PUBLIC) do t[name] = c[name] end
    return t
end

local function field(t, name, default)
    local value = t[name]
    if value == nil then return default end
    local number = type(value) == "string" and lib.tonumber(value) or value
    return lib.m_tointeger(number) or error("field '" .. name .. "' is not an integer", 3)
end

--- os.time([t]) -> seconds since 1970
-- t: {year, month, day, hour = 0, min = 0, sec = 0} in local time, today's date where parts of it are missing; values out
-- of range overflow, and the fields of t are set to the normal ones.
function os.time(t)
    if t == nil then return now() end
    if type(t) ~= "table" then error("bad argument #1 to 'time' (table expected, got " .. type(t) .. ")", 2) end
    local today = now()
    local c = calendar(today, local_offset(today))
    local wall = civil.seconds(field(t, "year", c.year), field(t, "month", c.month), field(t, "day", c.day),
        field(t, "hour", 0), field(t, "min", 0), field(t, "sec", 0))
    if not wall then error("time result cannot be represented in this installation", 2) end
    local unix = wall
    if not host.workflow then
        local _, zones = load("time_zone")
        local place = zones.here()
        if place then unix = zones.to_utc(place, wall) end
    end
    fill(t, calendar(unix, local_offset(unix)))
    return unix
end

-- Week of the year: weeks begin on the day `first` (0 Sunday, 1 Monday), days before the first one are in week 0.
local function week(c, first)
    return (c.yday + 6 - (c.wday - 1 - first) % 7) // 7
end

-- ISO 8601: weeks begin on Monday and belong to the year that their Thursday is in.
local function iso_week(c)
    local thursday = c.days - (c.wday + 5) % 7 + 3
    local yday, year = civil.year_day(thursday)
    return (yday - 1) // 7 + 1, year
end

local SHORT_DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local DAYS = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local SHORT_MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
local MONTHS = {
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
}

local function twelve(c) return (c.hour + 11) % 12 + 1 end

local expand

-- Conversions as a format of their own, and the others as functions.
local COMPOSED = {
    c = "%a %b %e %H:%M:%S %Y", D = "%m/%d/%y", F = "%Y-%m-%d", r = "%I:%M:%S %p", R = "%H:%M", T = "%H:%M:%S",
    x = "%m/%d/%y", X = "%H:%M:%S", h = "%b",
}
local CONVERSIONS = {
    a = function(c) return SHORT_DAYS[c.wday] end,
    A = function(c) return DAYS[c.wday] end,
    b = function(c) return SHORT_MONTHS[c.month] end,
    B = function(c) return MONTHS[c.month] end,
    C = function(c) return s_format("%02d", c.year // 100) end,
    d = function(c) return s_format("%02d", c.day) end,
    e = function(c) return s_format("%2d", c.day) end,
    g = function(c)
        local _, year = iso_week(c)
        return s_format("%02d", year % 100)
    end,
    G = function(c)
        local _, year = iso_week(c)
        return s_format("%d", year)
    end,
    H = function(c) return s_format("%02d", c.hour) end,
    I = function(c) return s_format("%02d", twelve(c)) end,
    j = function(c) return s_format("%03d", c.yday) end,
    m = function(c) return s_format("%02d", c.month) end,
    M = function(c) return s_format("%02d", c.min) end,
    n = function() return "\n" end,
    p = function(c) return c.hour < 12 and "AM" or "PM" end,
    s = function(c) return s_format("%d", c.unix) end,
    S = function(c) return s_format("%02d", c.sec) end,
    t = function() return "\t" end,
    u = function(c) return s_format("%d", (c.wday + 5) % 7 + 1) end,
    U = function(c) return s_format("%02d", week(c, 0)) end,
    V = function(c) return s_format("%02d", (iso_week(c))) end,
    w = function(c) return s_format("%d", c.wday - 1) end,
    W = function(c) return s_format("%02d", week(c, 1)) end,
    y = function(c) return s_format("%02d", c.year % 100) end,
    Y = function(c) return s_format("%d", c.year) end,
    z = function(c)
        local size = c.offset < 0 and -c.offset or c.offset
        return (c.offset < 0 and "-" or "+") .. s_format("%02d%02d", size // 3600, size // 60 % 60)
    end,
    Z = function(c) return c.abbreviation end,
    ["%"] = function() return "%" end,
}

function expand(format, c)
    return (lib.s_gsub(format, "%%(.)", function(letter)
        if COMPOSED[letter] then return expand(COMPOSED[letter], c) end
        local conversion = CONVERSIONS[letter]
        return conversion and conversion(c)
    end))
end

--- os.date([format = "%c"[, seconds]]) -> string, or a table for "*t"
-- format: as in C's strftime, conversions that are unknown stay as they are; "!" before it is UTC, else local time.
-- seconds: since 1970, now by default.
function os.date(format, seconds)
    if format == nil then format = "%c" end
    if type(format) ~= "string" then
        error("bad argument #1 to 'date' (string expected, got " .. type(format) .. ")", 2)
    end
    local unix = seconds == nil and now() or integer(seconds, 2, "date")
    if unix > LATEST or unix < -LATEST then
        error("date result cannot be represented in this installation", 2)
    end
    local c
    if lib.s_sub(format, 1, 1) == "!" then
        format = lib.s_sub(format, 2)
        c = calendar(unix, 0, "GMT", false)
    else
        c = calendar(unix, local_offset(unix))
    end
    if lib.s_sub(format, 1, 2) == "*t" then return fill({}, c) end
    return expand(format, c)
end

return clock
