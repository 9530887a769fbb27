local book = require("book")
local errors = require("errors")

local function reserve(items)
    if type(items) ~= "table" or #items == 0 then
        return nil, errors.new{kind = errors.INVALID, retryable = false, message = "nothing to reserve"}
    end
    local id = "res-" .. table.concat(items, "-")
    book.record(id, "reserved " .. #items .. " items")
    return {id = id}
end

local function release(reservation_id)
    book.record(reservation_id .. "-release", "released")
    return {id = reservation_id}
end

return { reserve = reserve, release = release }
