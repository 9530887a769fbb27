local book = require("book")
local errors = require("errors")

local function ship(order)
    if not order.address or order.address == "" then
        return nil, errors.new{kind = errors.INVALID, retryable = false, message = "no shipping address"}
    end
    local number = "TRACK-" .. order.order_id
    book.record(number, "shipped to " .. order.address)
    return {tracking_number = number}
end

return { ship = ship }
