--! Durations: Go duration strings, numbers and Duration objects, to integer nanoseconds (lua_api.md 8).
local core, base, host, load = ...
local lib = core.lib
local type = lib.type

local UNITS = {
    ns = 1, us = 1000, ["\xC2\xB5s"] = 1000, ["\xCE\xBCs"] = 1000, ms = 1000000, s = 1000000000,
    m = 60 * 1000000000, h = 3600 * 1000000000,
}
local LIMIT = lib.m_maxinteger

local durations = {}

local function rounded(number)
    if number ~= number or number >= LIMIT or number <= -LIMIT then return nil end
    return lib.m_tointeger(lib.m_floor(number + 0.5))
end

-- The size of "1.5" times a unit | nil if it does not fit. Of a fraction, what is less than a nanosecond is cut off.
local function part(whole, fraction, size)
    local count = whole ~= "" and lib.tonumber(whole, 10) or 0
    -- tonumber with a base wraps around: longer numbers do not fit anyway.
    if #whole > 19 or count < 0 or count > LIMIT // size then return nil end
    local ns = count * size
    if fraction ~= "" then
        fraction = lib.s_sub(fraction, 1, 18)
        ns = ns + lib.m_floor(lib.tonumber(fraction, 10) * (size / 10.0 ^ #fraction))
    end
    return ns >= 0 and ns or nil
end

--- durations.parse("1h30m") -> nanoseconds | nil
function durations.parse(text)
    local sign, rest = lib.s_match(text, "^([+-]?)(.+)$")
    if not sign then return nil end
    if rest == "0" then return 0 end
    -- Counted below zero, where there is one nanosecond more.
    local total = 0
    local position = 1
    while position <= #rest do
        local whole, point, fraction, unit, after = lib.s_match(rest, "^(%d*)(%.?)(%d*)([^%d%.]+)()", position)
        if not whole or whole .. fraction == "" or (point == "" and fraction ~= "") then return nil end
        local ns = UNITS[unit] and part(whole, fraction, UNITS[unit])
        if not ns or total < lib.m_mininteger + ns then return nil end
        total = total - ns
        position = after
    end
    if sign == "-" then return total end
    return total > lib.m_mininteger and -total or nil
end

--- durations.unbox(value) -> nanoseconds | nil: of a Duration object. time_duration.lua, where they are made, tells how.
function durations.unbox(value) return host.unbox_duration and host.unbox_duration(value) or nil end

--- durations.nanoseconds(value) -> nanoseconds | nil; a bare number is nanoseconds (time.*)
function durations.nanoseconds(value)
    if type(value) == "string" then return durations.parse(value) end
    if lib.m_type(value) == "integer" then return value end
    if type(value) == "number" then return rounded(value) end
    return durations.unbox(value)
end

--- durations.milliseconds(value) -> nanoseconds | nil; a bare number is milliseconds (options)
function durations.milliseconds(value)
    if type(value) == "number" then return value >= 0 and rounded(value * 1000000.0) or nil end
    local ns
    if type(value) == "string" then ns = durations.parse(value) else ns = durations.unbox(value) end
    return ns and ns >= 0 and ns or nil
end

--- durations.given(value) -> nanoseconds | nil, err (INVALID): what a script gave as a duration (time.*)
function durations.given(value)
    local ns = durations.nanoseconds(value)
    if ns then return ns end
    local shown = type(value) == "string" and load("printable")(value) or lib.tostring(value)
    local _, internal = load("errors")
    return nil, internal.make("INVALID", "invalid duration " .. shown .. ': expected a number of nanoseconds, a string such '
        .. 'as "1h30m" or "250ms", or a Duration', false)
end

return durations
