-- crypto: randomness, HMAC, authenticated encryption, tokens, key derivation (lua_api.md 10, decision 7).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local make = internal.make

local crypto = { random = {}, hmac = {}, encrypt = {}, decrypt = {}, jwt = {} }

local MOST_BYTES = 1048576
local MOST_ITERATIONS = 10000000
-- In a workflow a derivation must fit the budget of an activation: about a third of a second, and half the instructions.
local MOST_WORKFLOW_ROUNDS = 1000000
local ROUND_COST = 100
local RSA_COST = 1000000

local function invalid(message) return nil, make("INVALID", message, false) end

local function check(value, wanted, position, name)
    if type(value) ~= wanted then
        error("bad argument #" .. position .. " to '" .. name .. "' (" .. wanted .. " expected, got " .. type(value) .. ")", 3)
    end
end

local function check_integer(value, position, name)
    check(value, "number", position, name)
    local integer = lib.m_tointeger(value)
    if not integer then
        error("bad argument #" .. position .. " to '" .. name .. "' (number has no integer representation)", 3)
    end
    return integer
end

local function answer(value)
    if internal.fields(value) then return nil, value end
    return value, nil
end

local function hex(bytes)
    return (lib.s_gsub(bytes, ".", function(c) return lib.s_format("%02x", lib.s_byte(c)) end))
end

-- ---- randomness: of the operating system; in a workflow recorded in its history

local function random(count)
    if not host.workflow then return host.random_bytes(count), nil end
    local task, ended = core.current(), false
    local op = load("activities").record("lua-fleet.random", { n = 1, core.payload(count) }, function(value, err)
        ended = true
        core.wake(task, value, err)
    end)
    local bytes, err = core.park(2, "crypto")
    if not ended then
        host.cancel_call(op)
        host.forget_call(op)
    end
    return bytes, err
end

local function check_count(count)
    if count <= 0 then return make("INVALID", "length must be positive, got " .. count, false) end
    if count > MOST_BYTES then return make("INVALID", "length must be at most " .. MOST_BYTES .. ", got " .. count, false) end
end

--- crypto.random.bytes(n) -> n bytes, nil | nil, err (INVALID: n < 1 or > 1048576)
function crypto.random.bytes(count)
    count = check_integer(count, 1, "bytes")
    local wrong = check_count(count)
    if wrong then return nil, wrong end
    return random(count)
end
crypto.random_bytes = crypto.random.bytes

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

local function characters(charset)
    local list = {}
    if lib.u_len(charset) then
        for _, code in lib.u_codes(charset) do list[#list + 1] = lib.u_char(code) end
    else
        for i = 1, #charset do list[i] = lib.s_sub(charset, i, i) end
    end
    return list
end

--- crypto.random.string(n[, charset]) -> n characters of charset (letters and digits by default), each equally likely, nil
-- | nil, err (INVALID: n as for bytes, charset empty or of more than 256 characters)
function crypto.random.string(count, charset)
    count = check_integer(count, 1, "string")
    if charset == nil then charset = ALPHABET end
    check(charset, "string", 2, "string")
    local wrong = check_count(count)
    if wrong then return nil, wrong end
    if charset == "" then return invalid("charset cannot be empty") end
    local set = characters(charset)
    if #set > 256 then return invalid("charset cannot have more than 256 characters") end
    local fair = 256 - 256 % #set   -- bytes from here on would favour the first characters
    local out, made = {}, 0
    while made < count do
        local bytes, err = random(lib.m_floor((count - made) * 256 / fair) + 8)
        if not bytes then return nil, err end
        for i = 1, #bytes do
            local byte = lib.s_byte(bytes, i)
            if byte < fair and made < count then
                made = made + 1
                out[made] = set[byte % #set + 1]
            end
        end
    end
    return lib.t_concat(out), nil
end

--- crypto.random.uuid() -> a version 4 UUID, nil | nil, err
function crypto.random.uuid()
    local bytes, err = random(16)
    if not bytes then return nil, err end
    local b = { lib.s_byte(bytes, 1, 16) }
    b[7] = b[7] & 0x0F | 0x40
    b[9] = b[9] & 0x3F | 0x80
    return lib.s_format("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", lib.t_unpack(b)), nil
end

-- ---- HMAC

for _, name in lib.ipairs({ "sha256", "sha512" }) do
    --- crypto.hmac.sha256(key, data) -> lowercase hex, nil | nil, err (INVALID: empty key)
    crypto.hmac[name] = function(key, data)
        check(key, "string", 1, name)
        check(data, "string", 2, name)
        if key == "" then return invalid("key cannot be empty") end
        core.charge(#key + #data)
        return hex(core.host("hmac", name, data, key)), nil
    end
end

-- ---- authenticated encryption

for _, name in lib.ipairs({ "aes", "chacha20" }) do
    local function check_all(data, key, aad)
        check(data, "string", 1, name)
        check(key, "string", 2, name)
        if aad ~= nil then check(aad, "string", 3, name) end
        core.charge(#data + 1000)
    end

    --- crypto.encrypt.aes(data, key[, aad]) -> nonce, ciphertext and tag in one string, nil | nil, err (INVALID: size of the
    -- key). aes is AES-GCM with a key of 16, 24 or 32 bytes, chacha20 is ChaCha20-Poly1305 with one of 32.
    crypto.encrypt[name] = function(data, key, aad)
        check_all(data, key, aad)
        local nonce, err = random(12)
        if not nonce then return nil, err end
        return answer(core.host("encrypt", name, data, key, aad, nonce))
    end

    --- crypto.decrypt.aes(data, key[, aad]) -> string, nil | nil, err (INVALID: sizes; INTERNAL: other key, aad or data)
    crypto.decrypt[name] = function(data, key, aad)
        check_all(data, key, aad)
        return answer(core.host("decrypt", name, data, key, aad))
    end
end

-- ---- tokens

--- crypto.jwt.encode(claims, key[, alg="HS256"]) -> token, nil | nil, err (INVALID). alg: HS256, HS384, HS512, or RS256 with
-- a private key in PEM. claims._header adds fields to the header.
function crypto.jwt.encode(claims, key, algorithm)
    check(claims, "table", 1, "encode")
    check(key, "string", 2, "encode")
    if algorithm == nil then algorithm = "HS256" end
    check(algorithm, "string", 3, "encode")
    if key == "" then return invalid("key cannot be empty") end
    local body, header, wrong = {}, nil, nil
    for name, value in lib.pairs(claims) do
        if type(name) ~= "string" then return invalid("claims must have string keys, got a " .. type(name)) end
        if name ~= "_header" then body[name] = value end
    end
    if claims._header ~= nil then
        if type(claims._header) ~= "table" then return invalid("claims._header must be a table") end
        header, wrong = core.json_encode(claims._header)
        if not header then return invalid("claims._header: " .. wrong) end
    end
    local text
    text, wrong = core.json_encode(core.json_object(body))
    if not text then return invalid("claims: " .. wrong) end
    core.charge(#text + (algorithm == "RS256" and RSA_COST or 1000))
    return answer(core.host("jwt_sign", text, header, key, algorithm))
end

--- crypto.jwt.verify(token, key[, alg="HS256"[, require_exp=true]]) -> claims, nil | nil, err (INTERNAL: form, signature,
-- other algorithm, expired, not yet valid, no exp). key: the secret, or a public key in PEM for RS256.
function crypto.jwt.verify(token, key, algorithm, require_exp)
    check(token, "string", 1, "verify")
    check(key, "string", 2, "verify")
    if algorithm == nil then algorithm = "HS256" end
    check(algorithm, "string", 3, "verify")
    core.charge(#token + (algorithm == "RS256" and RSA_COST // 10 or 1000))
    local text = core.host("jwt_verify", token, key, algorithm, require_exp ~= false, host.now())
    if internal.fields(text) then return nil, text end
    local claims, wrong = core.json_decode(text)
    if wrong then return nil, make("INTERNAL", "claims: " .. wrong, false) end
    return claims, nil
end

-- ---- key derivation, comparison

local DIGEST_SIZES = { sha256 = 32, sha512 = 64 }

--- crypto.pbkdf2(password, salt, iterations, length[, digest="sha256"]) -> length bytes, nil | nil, err (INVALID)
function crypto.pbkdf2(password, salt, iterations, length, digest)
    check(password, "string", 1, "pbkdf2")
    check(salt, "string", 2, "pbkdf2")
    iterations = check_integer(iterations, 3, "pbkdf2")
    length = check_integer(length, 4, "pbkdf2")
    if digest == nil then digest = "sha256" end
    check(digest, "string", 5, "pbkdf2")
    if password == "" then return invalid("password cannot be empty") end
    if salt == "" then return invalid("salt cannot be empty") end
    if iterations <= 0 then return invalid("iterations must be positive") end
    if iterations > MOST_ITERATIONS then return invalid("iterations must be at most " .. MOST_ITERATIONS) end
    if length <= 0 then return invalid("length must be positive") end
    if length > MOST_BYTES then return invalid("length must be at most " .. MOST_BYTES) end
    local size = DIGEST_SIZES[digest]
    if not size then return invalid("unknown digest " .. digest .. ": sha256 or sha512") end
    if not host.workflow then return host.request("pbkdf2", digest, password, salt, iterations, length) end
    local rounds = iterations * ((length + size - 1) // size)
    if rounds > MOST_WORKFLOW_ROUNDS then
        return invalid(rounds .. " rounds take longer than a workflow may compute: derive the key in a function, called "
            .. "with funcs.call")
    end
    core.charge(rounds * ROUND_COST)
    return core.host("pbkdf2", digest, password, salt, iterations, length), nil
end

--- crypto.constant_time_compare(a, b) -> boolean
function crypto.constant_time_compare(a, b)
    check(a, "string", 1, "constant_time_compare")
    check(b, "string", 2, "constant_time_compare")
    return core.host("same_bytes", a, b)
end

return crypto
