-- Civil dates in integer arithmetic: the proleptic Gregorian calendar, days and seconds counted from 1970-01-01.
local core = ...
local lib = core.lib

local civil = {}

-- The calendar repeats every 400 years. Within such an era, years are counted from March, so that the leap day is the
-- last day of its year and the lengths of the months before it follow (153 m + 2) / 5.
local ERA_YEARS, ERA_DAYS = 400, 146097
local EPOCH = 719468 -- days from 0000-03-01 to 1970-01-01

--- civil.days(year, month, day) -> days since 1970-01-01; month 1 to 12, any day
function civil.days(year, month, day)
    if month <= 2 then year = year - 1 end
    local era = year // ERA_YEARS
    local y = year - era * ERA_YEARS
    local day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * ERA_DAYS + y * 365 + y // 4 - y // 100 + day_of_year - EPOCH
end
local days = civil.days

--- civil.date(days) -> year, month, day
function civil.date(count)
    count = count + EPOCH
    local era = count // ERA_DAYS
    local day = count - era * ERA_DAYS
    local y = (day - day // 1460 + day // 36524 - day // 146096) // 365
    local day_of_year = day - (365 * y + y // 4 - y // 100)
    local m = (5 * day_of_year + 2) // 153
    local month = m < 10 and m + 3 or m - 9
    return era * ERA_YEARS + y + (month <= 2 and 1 or 0), month, day_of_year - (153 * m + 2) // 5 + 1
end

--- civil.year_day(days) -> 1 to 366, year
function civil.year_day(count)
    local year = civil.date(count)
    return count - days(year, 1, 1) + 1, year
end

--- civil.weekday(days) -> 0 (Sunday) to 6
function civil.weekday(count) return (count + 4) % 7 end

--- civil.days_in(year, month) -> 28 to 31; month 1 to 12
function civil.days_in(year, month)
    if month == 12 then return 31 end
    return days(year, month + 1, 1) - days(year, month, 1)
end

--- civil.seconds(year, month, day, hour, minute, second) -> seconds since 1970 | nil if out of range
-- Integers of any size: what overflows goes to the next unit (month 13 is January of the next year).
function civil.seconds(year, month, day, hour, minute, second)
    -- Floats do not wrap around: they tell whether the integers would have.
    local rough = (year * 365.2425 + month * 30.44 + day) * 86400.0 + hour * 3600.0 + minute * 60.0 + second
    if rough > 9.1e18 or rough < -9.1e18 then return nil end
    month = month - 1
    return (days(year + month // 12, month % 12 + 1, 1) + day - 1) * 86400 + hour * 3600 + minute * 60 + second
end

--- civil.integer(value) -> integer, the fraction cut off | nil if it is no number or does not fit
function civil.integer(value)
    if lib.m_type(value) == "integer" then return value end
    if lib.m_type(value) ~= "float" or value ~= value then return nil end
    return lib.m_tointeger(value < 0 and -lib.m_floor(-value) or lib.m_floor(value))
end

return civil
