-- The ledger. An activity may run more than once (a crash between its effect and its report), so each entry has a key,
-- and a key that is already there is not written again.
local env = require("env")
local json = require("json")

local book = {}

function book.entries()
    return json.decode(env.get("LEDGER") or "[]")
end

--- book.record(key, action) -> true if this was the first time
function book.record(key, action)
    local entries = book.entries()
    for _, entry in ipairs(entries) do
        if entry.key == key then return false end
    end
    table.insert(entries, {key = key, action = action})
    local ok, err = env.set("LEDGER", json.encode(entries))
    if err then error(err) end
    return true
end

return book
