-- hash: digests, HMACs and FNV-1 (lua_api.md 11). Pure; what is not a string is nil, err.
local core, base, host, load = ...
local lib = core.lib
local type = lib.type
local _, internal = load("errors")

local hash = {}

local function hex(bytes)
    return (lib.s_gsub(bytes, ".", function(c) return lib.s_format("%02x", lib.s_byte(c)) end))
end

local function wrong(name, what, value)
    return internal.make("INVALID", name .. ": " .. what .. " must be a string, got " .. type(value), false)
end

for _, name in lib.ipairs({ "md5", "sha1", "sha256", "sha512" }) do
    --- hash.sha256(data[, raw]) -> lowercase hex (bytes if raw is true), nil | nil, err
    hash[name] = function(data, raw)
        if type(data) ~= "string" then return nil, wrong(name, "data", data) end
        core.charge(#data)
        local bytes = core.host("digest", name, data)
        return raw == true and bytes or hex(bytes), nil
    end

    --- hash.hmac_sha256(data, secret[, raw]) -> lowercase hex (bytes if raw is true), nil | nil, err
    hash["hmac_" .. name] = function(data, secret, raw)
        if type(data) ~= "string" then return nil, wrong("hmac_" .. name, "data", data) end
        if type(secret) ~= "string" then return nil, wrong("hmac_" .. name, "secret", secret) end
        core.charge(#data + #secret)
        local bytes = core.host("hmac", name, data, secret)
        return raw == true and bytes or hex(bytes), nil
    end
end

local function fnv(name, offset, prime, mask)
    --- hash.fnv32(data), hash.fnv64(data) -> integer, nil | nil, err. FNV-1; of fnv64 all 64 bits, so it can be negative.
    hash[name] = function(data)
        if type(data) ~= "string" then return nil, wrong(name, "data", data) end
        local value = offset
        for i = 1, #data do value = ((value * prime) & mask) ~ lib.s_byte(data, i) end
        return value, nil
    end
end

fnv("fnv32", 0x811C9DC5, 0x01000193, 0xFFFFFFFF)
fnv("fnv64", 0xCBF29CE484222325, 0x00000100000001B3, -1)

return hash
