-- Durations: Go duration strings and numbers, to integer nanoseconds (lua_api.md 8).
local core = ...
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

--- durations.parse("1h30m") -> nanoseconds | nil
function durations.parse(text)
    local sign, rest = lib.s_match(text, "^([+-]?)(.+)$")
    if not sign then return nil end
    if rest == "0" then return 0 end
    local total = 0
    local position = 1
    while position <= #rest do
        local whole, fraction, unit, after = lib.s_match(rest, "^(%d*)%.?(%d*)([^%d%.]+)()", position)
        if not whole or (whole == "" and fraction == "") then return nil end
        if fraction ~= "" and lib.s_sub(rest, position + #whole, position + #whole) ~= "." then return nil end
        local size = UNITS[unit]
        if not size then return nil end
        local number = (whole ~= "" and lib.tonumber(whole) or 0) * size
        if fraction ~= "" then number = number + lib.tonumber("0." .. fraction) * size end
        local ns = lib.m_type(number) == "integer" and number or rounded(number)
        if not ns or ns < 0 then return nil end
        total = total + ns
        if total < 0 then return nil end
        position = after
    end
    return sign == "-" and -total or total
end

--- durations.nanoseconds(value) -> nanoseconds | nil; a bare number is nanoseconds (time.*)
function durations.nanoseconds(value)
    if type(value) == "string" then return durations.parse(value) end
    if lib.m_type(value) == "integer" then return value end
    if type(value) == "number" then return rounded(value) end
    return nil
end

--- durations.milliseconds(value) -> nanoseconds | nil; a bare number is milliseconds (options)
function durations.milliseconds(value)
    if type(value) == "string" then
        local ns = durations.parse(value)
        return ns and ns >= 0 and ns or nil
    end
    if type(value) == "number" and value >= 0 then return rounded(value * 1000000.0) end
    return nil
end

return durations
