local book = require("book")
local errors = require("errors")

local function charge(payment)
    if type(payment.amount) ~= "number" or payment.amount <= 0 then
        return nil, errors.new{kind = errors.INVALID, retryable = false, message = "amount must be positive"}
    end
    if payment.customer == "declined" then
        return nil, errors.new{kind = errors.PERMISSION_DENIED, retryable = false, message = "card declined"}
    end
    local id = "pay-" .. payment.order_id
    book.record(id, "charged " .. payment.amount)
    return {id = id, amount = payment.amount}
end

local function refund(payment_id)
    book.record(payment_id .. "-refund", "refunded")
    return {id = payment_id}
end

return { charge = charge, refund = refund }
