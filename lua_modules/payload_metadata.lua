-- More metadata for an encoded payload. Pure: knows no run.
local core = ...
local s_pack = core.lib.s_pack

-- An entry of a protobuf map: a later one takes the place of an earlier one with the same key.
local function entry(key, value) return s_pack("Bs1Bs1", 10, key, 18, value) end

--- payload_metadata(payload, key, value) -> the bytes of the payload with this metadata
-- payload: bytes from core.payload. key and value: together less than 120 bytes.
return function(payload, key, value) return payload .. s_pack("Bs1", 10, entry(key, value)) end
