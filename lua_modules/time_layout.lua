-- Layouts of dates: Go's reference time, Mon Jan 2 15:04:05 MST 2006, in the order 1 2 3 4 5 6 7 (lua_api.md 8).
local core, base, host, load = ...
local lib = core.lib
local s_sub, s_find, s_match, s_format = lib.s_sub, lib.s_find, lib.s_match, lib.s_format
local _, moment = load("time_moment")
local civil = load("time_civil")

local layout, internal = {}, {}

internal.MONTHS = {
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
}
internal.DAYS = { [0] = "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local MONTHS, DAYS = internal.MONTHS, internal.DAYS

-- The elements of a layout by their first character, longer ones before their beginnings.
local ELEMENTS = {
    J = { "January", "Jan" },
    M = { "Monday", "Mon", "MST" },
    ["0"] = { "002", "01", "02", "03", "04", "05", "06" },
    ["1"] = { "15", "1" },
    ["2"] = { "2006", "2" },
    ["3"] = { "3" },
    ["4"] = { "4" },
    ["5"] = { "5" },
    _ = { "__2", "_2" },
    P = { "PM" },
    p = { "pm" },
    ["-"] = { "-070000", "-07:00:00", "-0700", "-07:00", "-07" },
    Z = { "Z070000", "Z07:00:00", "Z0700", "Z07:00", "Z07" },
}

local function element_at(text, position)
    local first = s_sub(text, position, position)
    if first == "." or first == "," then
        -- A fraction of the second: a run of 0 or of 9 that no other digit follows.
        return s_match(text, "^[.,]0+%f[^0]", position) or s_match(text, "^[.,]9+%f[^9]", position)
    end
    for _, element in lib.ipairs(ELEMENTS[first]) do
        if s_sub(text, position, position + #element - 1) == element then
            local after = s_sub(text, position + #element, position + #element)
            -- "Month" and "Janet" are plain text; "_2006" is a plain _ and a year.
            if (element == "Jan" or element == "Mon") and s_find(after, "^[a-z]") then return nil end
            if element == "_2" and s_sub(text, position + 1, position + 4) == "2006" then return nil end
            return element
        end
    end
end

--- internal.next(layout, position) -> start, element | nil when only plain text is left
function internal.next(text, position)
    while true do
        local start = s_find(text, "[JM0-5_Pp%-Z.,]", position)
        if not start then return nil end
        local element = element_at(text, start)
        if element and s_find(element, "^[.,]") and s_find(text, "^%d", start + #element) then element = nil end
        if element then return start, element end
        position = start + 1
    end
end

-- +0100, +01:00, +01, +010203: the shape is that of the layout's element after its first character.
local function zone_text(seconds, shape)
    local sign = seconds < 0 and "-" or "+"
    if seconds < 0 then seconds = -seconds end
    local colon = s_find(shape, ":", 1, true) and ":" or ""
    local result = sign .. s_format("%02d", seconds // 3600)
    if #shape > 2 then result = result .. colon .. s_format("%02d", seconds // 60 % 60) end
    if #shape > 5 then result = result .. colon .. s_format("%02d", seconds % 60) end
    return result
end

local function fraction(element, nanos)
    local digits = s_sub(s_format("%09d", nanos), 1, #element - 1)
    if s_sub(element, 2, 2) == "0" then return s_sub(element, 1, 1) .. digits .. lib.s_rep("0", #element - 1 - #digits) end
    digits = lib.s_gsub(digits, "0+$", "")
    return digits == "" and "" or s_sub(element, 1, 1) .. digits
end

local function year_text(year)
    if year < 0 then return "-" .. s_format("%04d", -year) end
    return s_format("%04d", year)
end

-- What each element writes, of {days, year, month, day, second, offset, abbreviation}; those not here are zones and
-- fractions.
local WRITERS = {
    ["2006"] = function(c) return year_text(c.year) end,
    ["06"] = function(c) return s_format("%02d", (c.year < 0 and 0 or c.year) % 100) end,
    ["January"] = function(c) return MONTHS[c.month] end,
    ["Jan"] = function(c) return s_sub(MONTHS[c.month], 1, 3) end,
    ["01"] = function(c) return s_format("%02d", c.month) end,
    ["1"] = function(c) return s_format("%d", c.month) end,
    ["Monday"] = function(c) return DAYS[civil.weekday(c.days)] end,
    ["Mon"] = function(c) return s_sub(DAYS[civil.weekday(c.days)], 1, 3) end,
    ["02"] = function(c) return s_format("%02d", c.day) end,
    ["_2"] = function(c) return s_format("%2d", c.day) end,
    ["2"] = function(c) return s_format("%d", c.day) end,
    ["002"] = function(c) return s_format("%03d", (civil.year_day(c.days))) end,
    ["__2"] = function(c) return s_format("%3d", (civil.year_day(c.days))) end,
    ["15"] = function(c) return s_format("%02d", c.second // 3600) end,
    ["03"] = function(c) return s_format("%02d", (c.second // 3600 + 11) % 12 + 1) end,
    ["3"] = function(c) return s_format("%d", (c.second // 3600 + 11) % 12 + 1) end,
    ["04"] = function(c) return s_format("%02d", c.second // 60 % 60) end,
    ["4"] = function(c) return s_format("%d", c.second // 60 % 60) end,
    ["05"] = function(c) return s_format("%02d", c.second % 60) end,
    ["5"] = function(c) return s_format("%d", c.second % 60) end,
    ["PM"] = function(c) return c.second >= 43200 and "PM" or "AM" end,
    ["pm"] = function(c) return c.second >= 43200 and "pm" or "am" end,
    ["MST"] = function(c) return c.abbreviation ~= "" and c.abbreviation or zone_text(c.offset, "0700") end,
}

local function write(element, c)
    local writer = WRITERS[element]
    if writer then return writer(c) end
    local first = s_sub(element, 1, 1)
    if first == "." or first == "," then return fraction(element, c.nanos) end
    if first == "Z" and c.offset == 0 then return "Z" end
    return zone_text(c.offset, s_sub(element, 2))
end

--- layout.format(fields of a Time, layout) -> string
function layout.format(f, text)
    local offset, abbreviation = moment.offset(f)
    local c = { offset = offset, abbreviation = abbreviation, nanos = f.n }
    c.days, c.second = (f.s + offset) // 86400, (f.s + offset) % 86400
    c.year, c.month, c.day = civil.date(c.days)
    local parts = {}
    local position = 1
    while true do
        local start, element = internal.next(text, position)
        if not start then break end
        parts[#parts + 1] = s_sub(text, position, start - 1)
        parts[#parts + 1] = write(element, c)
        position = start + #element
    end
    parts[#parts + 1] = s_sub(text, position)
    return lib.t_concat(parts)
end

--- layout.text(fields of a Time) -> what tostring() shows
function layout.text(f) return layout.format(f, "2006-01-02 15:04:05.999999999 -0700 MST") end

return layout, internal
