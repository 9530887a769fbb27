-- Location: a time zone, by name from the tzdata package (never the host's files) or with a fixed offset (lua_api.md 8).
--
-- Python knows the zones (fleet/modules/zones.py) and answers with a span: an offset and from when until when it
-- holds. A location keeps the spans that it was asked for last.
local core, base, host, load = ...
local lib = core.lib
local error, type = lib.error, lib.type
local _, errors = load("errors")
local civil = load("time_civil")

local KEPT_SPANS = 8

local zone, internal = {}, {}
local methods = {}
-- Fields: name; span = {offset=, abbreviation=, dst=} of a fixed one, or spans = list of those with from and to.
-- object = the Location itself, so that a Time can give it back.
local construct, fields
construct, fields = core.class({
    __name = "location",
    __index = methods,
    __tostring = function(self) return fields(self).name end,
})
internal.fields = fields

local function location(f)
    f.object = construct(f)
    return f.object
end

--- location:string() -> its name
function methods.string(self)
    local f = fields(self)
    if not f then error("bad argument to 'string' (location expected, got " .. type(self) .. "; call it with ':')", 2) end
    return f.name
end

--- time.utc: the Location UTC
zone.utc = location({ name = "UTC", span = { offset = 0, abbreviation = "UTC", dst = false } })
internal.utc = zone.utc

--- internal.zone(fields of a location) -> what a Time keeps: the fields, or nil for UTC
function internal.zone(f)
    if f.object == zone.utc then return nil end
    return f
end

local known = {}

local function named(name)
    if not known[name] then
        if not core.host("zone", name) then return nil end
        known[name] = location({ name = name, spans = {} })
    end
    return known[name]
end

-- Workflows are in UTC (decision 4); other code is where its process is, if tzdata knows that place.
local function local_zone()
    local name = not host.workflow and core.host("local_zone")
    return name and name ~= "UTC" and named(name) or zone.utc
end

--- time.localtz: the Location of this process; UTC in workflows
zone.localtz = local_zone()

--- internal.here() -> what a Time in the local zone keeps
function internal.here() return internal.zone(fields(zone.localtz)) end

--- time.load_location(name) -> Location | nil, err (INVALID when empty, NOT_FOUND). "Local" is time.localtz.
function zone.load_location(name)
    if type(name) ~= "string" then
        error("bad argument #1 to 'load_location' (string expected, got " .. (name == nil and "no value" or type(name)) .. ")", 2)
    end
    if name == "" then return nil, errors.make("INVALID", "location name cannot be empty", false) end
    if name == "UTC" then return zone.utc end
    if name == "Local" then return zone.localtz end
    local found = named(name)
    if not found then
        return nil, errors.make("NOT_FOUND", "unknown time zone " .. load("printable")(name)
            .. ': expected a name of the IANA database, such as "Europe/Berlin"', false)
    end
    return found
end

--- time.fixed_zone(name, seconds) -> Location `seconds` east of UTC all the year | nil, err (INVALID beyond a day)
function zone.fixed_zone(name, seconds)
    if type(name) ~= "string" then
        error("bad argument #1 to 'fixed_zone' (string expected, got " .. (name == nil and "no value" or type(name)) .. ")", 2)
    end
    local offset = civil.integer(seconds)
    if not offset then
        error("bad argument #2 to 'fixed_zone' (integer expected, got "
            .. (seconds == nil and "no value" or type(seconds)) .. ")", 2)
    end
    if offset > 86400 or offset < -86400 then
        return nil, errors.make("INVALID", "offset " .. offset .. " out of range: at most 86400 seconds from UTC", false)
    end
    return internal.fixed(name, offset)
end

--- internal.fixed(name, offset) -> Location
function internal.fixed(name, offset)
    return location({ name = name, span = { offset = offset, abbreviation = name, dst = false } })
end

local function span(f, unix)
    if f.span then return f.span end
    local spans = f.spans
    for i = 1, #spans do
        if spans[i].from <= unix and unix < spans[i].to then return spans[i] end
    end
    local found = core.host("zone_span", f.name, unix)
    lib.t_insert(spans, 1, found)
    spans[KEPT_SPANS + 1] = nil
    return found
end

--- internal.offset(fields, seconds since 1970) -> seconds east of UTC, abbreviation, is it daylight saving time?
function internal.offset(f, unix)
    local s = span(f, unix)
    return s.offset, s.abbreviation, s.dst
end

--- internal.to_utc(fields, seconds as the local clock counts them) -> seconds since 1970
-- A time that the clock skips or shows twice is read with the offset before or after the change, as Go does.
function internal.to_utc(f, wall)
    local s = span(f, wall)
    local unix = wall - s.offset
    if f.span or (s.from <= unix and unix < s.to) then return unix end
    return wall - span(f, unix).offset
end

--- internal.abbreviated(fields, abbreviation, seconds as UTC counts them) -> seconds east of UTC | nil if not used there
function internal.abbreviated(f, abbreviation, wall)
    if f.span then return f.span.abbreviation == abbreviation and f.span.offset or nil end
    return core.host("zone_abbreviated", f.name, abbreviation, wall)
end

return zone, internal
