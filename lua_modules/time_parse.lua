-- time.parse: text to a Time by a layout, with Go's rules and the texts of its errors (lua_api.md 8).
local core, base, host, load = ...
local lib = core.lib
local error, type, tonumber = lib.error, lib.type, lib.tonumber
local s_sub, s_find, s_match, s_lower = lib.s_sub, lib.s_find, lib.s_match, lib.s_lower
local _, shared = load("time")
local _, moment = load("time_moment")
local _, zones = load("time_zone")
local _, layouts = load("time_layout")
local civil = load("time_civil")
local quote = load("printable")
local MONTHS, DAYS = layouts.MONTHS, layouts.DAYS

local parse = {}

-- Readers take the text, a position and what was read so far, and return the position after the element; nil if the
-- text is not what the element wants; nil and the name of the quantity if it is out of range.

local function number(field, pattern, low, high, name)
    return function(text, position, got)
        local digits = s_match(text, pattern, position)
        if not digits then return nil end
        local value = tonumber(digits, 10)
        if value < low or value > high then return nil, name end
        got[field] = value
        return position + #digits
    end
end

local function padded(reader, most)
    return function(text, position, got)
        for _ = 1, most do
            if s_sub(text, position, position) == " " then position = position + 1 end
        end
        return reader(text, position, got)
    end
end

local function one_of(field, names, first, length)
    return function(text, position, got)
        for i = first, first + #names - (names[0] and 0 or 1) do
            local name = s_sub(names[i], 1, length)
            if s_lower(s_sub(text, position, position + #name - 1)) == s_lower(name) then
                got[field] = i
                return position + #name
            end
        end
    end
end

-- ".123": the digits, as nanoseconds; digits beyond the ninth are cut off
local function nanoseconds(digits)
    return tonumber(s_sub(digits .. "00000000", 1, 9), 10)
end

local function fraction(element)
    local exact = s_sub(element, 2, 2) == "0"
    return function(text, position, got)
        local digits = s_match(text, "^[.,](%d+)", position)
        if exact then
            if not digits or #digits < #element - 1 then return nil end
            digits = s_sub(digits, 1, #element - 1)
        elseif not digits then
            return position
        end
        got.nanos = nanoseconds(digits)
        return position + 1 + #digits
    end
end

local function second(pattern)
    local read = number("second", pattern, 0, 59, "second")
    return function(text, position, got, next_element)
        local after, wrong = read(text, position, got)
        local digits = after and s_match(text, "^[.,](%d+)", after)
        -- A fraction in the text is read even if the layout has none.
        if not digits or (next_element and s_find(next_element, "^[.,]")) then return after, wrong end
        got.nanos = nanoseconds(digits)
        return after + 1 + #digits
    end
end

local function half(pm, am)
    return function(text, position, got)
        local word = s_sub(text, position, position + 1)
        if word ~= pm and word ~= am then return nil end
        got.pm = word == pm
        return position + 2
    end
end

-- The patterns of numeric zones by the layout's shape.
local SHAPES = {
    ["07"] = "^([+-])(%d%d)",
    ["0700"] = "^([+-])(%d%d)(%d%d)",
    ["07:00"] = "^([+-])(%d%d):(%d%d)",
    ["070000"] = "^([+-])(%d%d)(%d%d)(%d%d)",
    ["07:00:00"] = "^([+-])(%d%d):(%d%d):(%d%d)",
}

local function numeric_zone(element)
    local pattern = SHAPES[s_sub(element, 2)]
    local zulu = s_sub(element, 1, 1) == "Z"
    return function(text, position, got)
        if zulu and s_sub(text, position, position) == "Z" then
            got.utc = true
            return position + 1
        end
        local start, stop, sign, hours, minutes, seconds = s_find(text, pattern, position)
        if not start then return nil end
        hours, minutes, seconds = tonumber(hours, 10), tonumber(minutes or "0", 10), tonumber(seconds or "0", 10)
        -- Some write offsets of 24 hours or 60 minutes.
        if hours > 24 then return nil, "time zone offset hour" end
        if minutes > 60 then return nil, "time zone offset minute" end
        if seconds > 60 then return nil, "time zone offset second" end
        local offset = (hours * 60 + minutes) * 60 + seconds
        got.offset = sign == "-" and -offset or offset
        return stop + 1
    end
end

-- What looks like an abbreviation: three letters, four or five that end in T, GMT+3, +03; "ChST", "MeST" and "WITA" are
-- the odd ones.
local function abbreviation(text, position)
    local four = s_sub(text, position, position + 3)
    if four == "ChST" or four == "MeST" then return four end
    local gmt, signed = s_match(text, "^(GMT)([+-]%d+)", position)
    if not gmt then signed = s_match(text, "^[+-]%d+", position) end
    if signed and #signed <= 8 and tonumber(s_sub(signed, 2), 10) <= 23 then return (gmt or "") .. signed end
    if s_match(text, "^GMT", position) then return "GMT" end
    local letters = s_match(text, "^%u+", position) or ""
    if #letters == 3 then return letters end
    if (#letters == 4 or #letters == 5) and (s_sub(letters, -1) == "T" or letters == "WITA") then return letters end
end

local function named_zone(text, position, got)
    if s_sub(text, position, position + 2) == "UTC" then
        got.utc = true
        return position + 3
    end
    local name = abbreviation(text, position)
    if not name then return nil end
    got.abbreviation = name
    return position + #name
end

local day = number("day", "^%d%d?", 0, 99)
local READERS = {
    ["2006"] = number("year", "^%d%d%d%d", 0, 9999),
    ["06"] = function(text, position, got)
        local digits = s_match(text, "^%d%d", position)
        if not digits then return nil end
        local value = tonumber(digits, 10)
        got.year = value + (value >= 69 and 1900 or 2000)
        return position + 2
    end,
    ["January"] = one_of("month", MONTHS, 1, nil),
    ["Jan"] = one_of("month", MONTHS, 1, 3),
    ["01"] = number("month", "^%d%d", 1, 12, "month"),
    ["1"] = number("month", "^%d%d?", 1, 12, "month"),
    ["Monday"] = one_of("weekday", DAYS, 0, nil),
    ["Mon"] = one_of("weekday", DAYS, 0, 3),
    ["02"] = number("day", "^%d%d", 0, 99),
    ["_2"] = padded(day, 1),
    ["2"] = day,
    ["002"] = number("year_day", "^%d%d%d", 0, 999),
    ["__2"] = padded(number("year_day", "^%d%d?%d?", 0, 999), 2),
    ["15"] = number("hour", "^%d%d?", 0, 23, "hour"),
    ["03"] = number("hour", "^%d%d", 0, 12, "hour"),
    ["3"] = number("hour", "^%d%d?", 0, 12, "hour"),
    ["04"] = number("minute", "^%d%d", 0, 59, "minute"),
    ["4"] = number("minute", "^%d%d?", 0, 59, "minute"),
    ["05"] = second("^%d%d"),
    ["5"] = second("^%d%d?"),
    ["PM"] = half("PM", "AM"),
    ["pm"] = half("pm", "am"),
    ["MST"] = named_zone,
}

local function reader(element)
    local found = READERS[element]
    if not found then
        found = s_find(element, "^[.,]") and fraction(element) or numeric_zone(element)
    end
    return found
end

-- Plain text of the layout must be in the text; spaces stand for any number of them, none at its end included.
local function skip(text, position, plain)
    local i = 1
    while i <= #plain do
        if s_sub(plain, i, i) == " " then
            if position <= #text and s_sub(text, position, position) ~= " " then return nil, position, i end
            i = s_match(plain, "^ +()", i)
            position = s_match(text, "^ *()", position)
        else
            if s_sub(text, position, position) ~= s_sub(plain, i, i) then return nil, position, i end
            i = i + 1
            position = position + 1
        end
    end
    return position
end

-- The numbers that a text has for a layout | nil, what is wrong
local function read(layout, text)
    local got = { year = 0 }
    local at, position = 1, 1
    while true do
        local start, element = layouts.next(layout, at)
        local plain = s_sub(layout, at, start and start - 1)
        local after, failed = skip(text, position, plain)
        if not after then
            return nil, " as " .. quote(layout) .. ": cannot parse " .. quote(s_sub(text, failed)) .. " as " .. quote(plain)
        end
        position = after
        if not start then break end
        at = start + #element
        local next_start, next_element = layouts.next(layout, at)
        local stop, out_of_range = reader(element)(text, position, got, next_start == at and next_element or nil)
        if out_of_range then return nil, ": " .. out_of_range .. " out of range" end
        if not stop then
            return nil, " as " .. quote(layout) .. ": cannot parse " .. quote(s_sub(text, position)) .. " as " .. quote(element)
        end
        position = stop
    end
    if position <= #text then return nil, ": extra text: " .. quote(s_sub(text, position)) end
    return got
end

-- Month and day of the date that was read, which may be given as a day of the year | nil, what is wrong
local function month_and_day(got)
    local year, month, day_of_month = got.year, got.month, got.day
    if got.year_day then
        local first = civil.days(year, 1, 1)
        if got.year_day < 1 or first + got.year_day > civil.days(year + 1, 1, 1) then
            return nil, ": day-of-year out of range"
        end
        local _, m, d = civil.date(first + got.year_day - 1)
        if month and month ~= m then return nil, ": day-of-year does not match month" end
        if day_of_month and day_of_month ~= d then return nil, ": day-of-year does not match day" end
        return m, d
    end
    month, day_of_month = month or 1, day_of_month or 1
    if day_of_month < 1 or day_of_month > civil.days_in(year, month) then return nil, ": day out of range" end
    return month, day_of_month
end

-- The Time that was read. A zone in the text that is also in use at `place` then (fields, nil for UTC) means `place`;
-- another one becomes a fixed zone.
local function assemble(got, month, day_of_month, place)
    local hour = got.hour or 0
    if got.pm and hour < 12 then hour = hour + 12 elseif got.pm == false and hour == 12 then hour = 0 end
    local nanos = got.nanos or 0
    local wall = civil.seconds(got.year, month, day_of_month, hour, got.minute or 0, got.second or 0)
    if got.utc then return moment.new(wall, nanos, nil) end
    local at = place or zones.fields(zones.utc)
    if got.offset then
        local offset, name = zones.offset(at, wall - got.offset)
        if offset == got.offset and (not got.abbreviation or name == got.abbreviation) then
            return moment.new(wall - offset, nanos, place)
        end
        return moment.new(wall - got.offset, nanos, zones.fields(zones.fixed(got.abbreviation or "", got.offset)))
    end
    if got.abbreviation then
        local offset = zones.abbreviated(at, got.abbreviation, wall)
        if offset then return moment.new(wall - offset, nanos, place) end
        -- An abbreviation that nobody knows is kept, with no offset: only GMT+3 says what it means.
        local hours = s_match(got.abbreviation, "^GMT([+-]%d+)$")
        offset = hours and tonumber(hours) * 3600 or 0
        return moment.new(wall - offset, nanos, zones.fields(zones.fixed(got.abbreviation, offset)))
    end
    return moment.new(zones.to_utc(at, wall), nanos, place)
end

--- time.parse(layout, text[, location]) -> Time | nil, err (INVALID)
-- location: where a text without a zone is meant; local by default, which is UTC in workflows.
function parse.parse(layout, text, location)
    for i, value in lib.ipairs({ layout or false, text or false }) do
        if type(value) ~= "string" then
            error("bad argument #" .. i .. " to 'parse' (string expected, got " .. (value and type(value) or "no value") .. ")", 2)
        end
    end
    local place
    if location == nil then
        place = moment.here()
    else
        local f = zones.fields(location)
        if not f then error("bad argument #3 to 'parse' (location expected, got " .. type(location) .. ")", 2) end
        place = zones.zone(f)
    end
    local got, wrong = read(layout, text)
    local month, day_of_month
    if got then
        month, day_of_month = month_and_day(got)
        if not month then wrong = day_of_month end
    end
    if wrong then return shared.invalid("parsing time " .. quote(text) .. wrong) end
    return assemble(got, month, day_of_month, place)
end

return parse
