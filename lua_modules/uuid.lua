-- uuid: identifiers of RFC 9562 (lua_api.md 9). In workflows the random parts come from the run's seed and the time from
-- the workflow's clock, so that a replay makes the same ones.
local core, base, host, load = ...
local lib = core.lib
local error, type, tonumber = lib.error, lib.type, lib.tonumber
local s_sub, s_byte, s_format, s_match, s_lower = lib.s_sub, lib.s_byte, lib.s_format, lib.s_match, lib.s_lower
local _, errors = load("errors")

local uuid = {}

local function invalid(message) return nil, errors.make("INVALID", message, false) end

local function hex(bytes) return s_format(lib.s_rep("%02x", #bytes), s_byte(bytes, 1, #bytes)) end

local function dashed(digits)
    return s_sub(digits, 1, 8) .. "-" .. s_sub(digits, 9, 12) .. "-" .. s_sub(digits, 13, 16) .. "-"
        .. s_sub(digits, 17, 20) .. "-" .. s_sub(digits, 21, 32)
end

local FORMS = {
    [32] = "^(%x+)$",
    [36] = "^(%x+)%-(%x+)%-(%x+)%-(%x+)%-(%x+)$",
    [38] = "^{(%x+)%-(%x+)%-(%x+)%-(%x+)%-(%x+)}$",
    [45] = "^[uU][rR][nN]:[uU][uU][iI][dD]:(%x+)%-(%x+)%-(%x+)%-(%x+)%-(%x+)$",
}

-- The 32 hex digits of a UUID in any of its forms, in lower case | nil
local function digits_of(text)
    local form = type(text) == "string" and FORMS[#text]
    if not form then return nil end
    local a, b, c, d, e = s_match(text, form)
    if not a then return nil end
    if not b then return s_lower(a) end
    if #a ~= 8 or #b ~= 4 or #c ~= 4 or #d ~= 4 then return nil end
    return s_lower(a .. b .. c .. d .. e)
end

local function not_uuid(value)
    if type(value) ~= "string" then return invalid("invalid UUID: expected a string, got " .. type(value)) end
    return invalid("invalid UUID " .. load("printable")(value)
        .. ": expected a form such as 018f0d4e-7a3b-7c21-9f44-1c2d3e4f5a6b")
end

-- 32 digits with the version and the variant of RFC 9562 set.
local function stamped(digits, version)
    local variant = s_format("%x", tonumber(s_sub(digits, 17, 17), 16) & 3 | 8)
    return dashed(s_sub(digits, 1, 12) .. version .. s_sub(digits, 14, 16) .. variant .. s_sub(digits, 18))
end

--- uuid.v4() -> string, nil. Random.
function uuid.v4() return stamped(hex(host.random_bytes(16)), 4), nil end

-- Version 1: intervals of 100 ns since 1582-10-15, and a random node in place of a network address, marked as such by its
-- lowest bit. Two in the same interval get neighbouring ones, so that they differ.
local GREGORIAN = 122192928000000000
local last_interval, node = 0, nil

--- uuid.v1() -> string, nil. Of the time, with a node that is random and the same in one run or call.
function uuid.v1()
    if not node then
        local bytes = hex(host.random_bytes(8))
        node = s_format("%04x", tonumber(s_sub(bytes, 1, 4), 16) & 0x3FFF | 0x8000)
            .. s_format("%02x", tonumber(s_sub(bytes, 5, 6), 16) | 1) .. s_sub(bytes, 7)
    end
    local interval = host.now() // 100 + GREGORIAN
    if interval <= last_interval then interval = last_interval + 1 end
    last_interval = interval
    return dashed(s_format("%08x%04x1%03x", interval & 0xFFFFFFFF, interval >> 32 & 0xFFFF, interval >> 48 & 0xFFF) .. node), nil
end

-- Version 7: milliseconds since 1970, then a counter of 12 bits that starts in its lower half, so that those of one
-- millisecond are in order, then random bits.
local last_millisecond, counter = -1, 0

--- uuid.v7() -> string, nil. Of the time; those of one run or call are in the order in which they were made.
function uuid.v7()
    local random = hex(host.random_bytes(10))
    local millisecond = host.now() // 1000000
    if millisecond > last_millisecond then
        last_millisecond, counter = millisecond, tonumber(s_sub(random, 1, 3), 16) & 0x7FF
    else
        counter = counter + 1
        if counter > 0xFFF then last_millisecond, counter = last_millisecond + 1, 0 end
    end
    return stamped(s_format("%012x0%03x", last_millisecond, counter) .. s_sub(random, 5), 7), nil
end

local function named(version, algorithm, namespace, name)
    local which = "v" .. version
    for i, value in lib.ipairs({ namespace or false, name or false }) do
        if type(value) ~= "string" then
            error("bad argument #" .. i .. " to '" .. which .. "' (string expected, got "
                .. (value and type(value) or "no value") .. ")", 3)
        end
    end
    local space = digits_of(namespace)
    if not space then return not_uuid(namespace) end
    local bytes = lib.s_gsub(space, "%x%x", function(pair) return lib.s_char(tonumber(pair, 16)) end)
    return stamped(s_sub(hex(core.host("digest", algorithm, bytes .. name)), 1, 32), version), nil
end

--- uuid.v3(namespace, name) -> string, nil | nil, err (INVALID). From the MD5 of both: the same arguments, the same UUID.
function uuid.v3(namespace, name)
    local text, err = named(3, "md5", namespace, name)
    return text, err
end

--- uuid.v5(namespace, name) -> string, nil | nil, err (INVALID). From the SHA-1 of both: the same arguments, the same UUID.
function uuid.v5(namespace, name)
    local text, err = named(5, "sha1", namespace, name)
    return text, err
end

--- uuid.validate(value) -> boolean. Forms: with dashes, 32 hex digits, urn:uuid:..., {...}.
function uuid.validate(value) return digits_of(value) ~= nil end

local function version_of(digits) return tonumber(s_sub(digits, 13, 13), 16) end

local function variant_of(digits)
    local bits = tonumber(s_sub(digits, 17, 17), 16)
    if bits < 8 then return "Reserved" end -- for the network computing system of before 1990
    if bits < 12 then return "RFC4122" end
    return bits < 14 and "Microsoft" or "Future"
end

--- uuid.version(text) -> 0 to 15, nil | nil, err (INVALID)
function uuid.version(text)
    local digits = digits_of(text)
    if not digits then return not_uuid(text) end
    return version_of(digits), nil
end

--- uuid.variant(text) -> "RFC4122", "Reserved", "Microsoft" or "Future", nil | nil, err (INVALID)
function uuid.variant(text)
    local digits = digits_of(text)
    if not digits then return not_uuid(text) end
    return variant_of(digits), nil
end

--- uuid.parse(text) -> {version, variant[, timestamp][, node]}, nil | nil, err (INVALID)
-- timestamp: seconds since 1970 (versions 1 and 7); node: 12 hex digits (version 1).
function uuid.parse(text)
    local digits = digits_of(text)
    if not digits then return not_uuid(text) end
    local result = { version = version_of(digits), variant = variant_of(digits) }
    if result.variant == "RFC4122" and result.version == 1 then
        local interval = tonumber(s_sub(digits, 14, 16) .. s_sub(digits, 9, 12) .. s_sub(digits, 1, 8), 16)
        result.timestamp = (interval - GREGORIAN) // 10000000
        result.node = s_sub(digits, 21)
    elseif result.variant == "RFC4122" and result.version == 7 then
        result.timestamp = tonumber(s_sub(digits, 1, 12), 16) // 1000
    end
    return result, nil
end

--- uuid.format(text[, "standard" | "simple" | "urn"]) -> string, nil | nil, err (INVALID)
function uuid.format(text, form)
    if form ~= nil and type(form) ~= "string" then
        error("bad argument #2 to 'format' (string expected, got " .. type(form) .. ")", 2)
    end
    local digits = digits_of(text)
    if not digits then return not_uuid(text) end
    if form == nil or form == "standard" then return dashed(digits), nil end
    if form == "simple" then return digits, nil end
    if form == "urn" then return "urn:uuid:" .. dashed(digits), nil end
    return invalid("unknown UUID format " .. load("printable")(form) .. ': expected "standard", "simple" or "urn"')
end

return uuid
