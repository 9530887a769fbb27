-- Run with: fleet test examples/orders
local funcs = require("funcs")
local book = require("book")

local function count(key)
    local n = 0
    for _, entry in ipairs(book.entries()) do
        if entry.key == key then n = n + 1 end
    end
    return n
end

local function charge_is_idempotent()
    local payment = {amount = 10, customer = "c1", order_id = "test-1"}
    assert(funcs.call("app:charge_payment", payment))
    local again, err = funcs.call("app:charge_payment", payment)
    assert(not err, tostring(err))
    assert(again.id == "pay-test-1")
    return count("pay-test-1") == 1
end

local function declined_card_is_not_retried()
    local _, err = funcs.call("app:charge_payment", {amount = 10, customer = "declined", order_id = "test-2"})
    assert(err, "the card should be declined")
    return err:kind() == "PERMISSION_DENIED" and err:retryable() == false
end

local function shipping_needs_an_address()
    local _, err = funcs.call("app:ship_order", {order_id = "test-3"})
    return err ~= nil and err:kind() == "INVALID"
end

return {
    charge_is_idempotent = charge_is_idempotent,
    declined_card_is_not_retried = declined_card_is_not_retried,
    shipping_needs_an_address = shipping_needs_an_address,
}
