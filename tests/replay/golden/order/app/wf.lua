local funcs = require("funcs")
local time = require("time")

local function main(order)
    local payment, err = funcs.call("app:charge", {amount = order.total, customer = order.customer_id})
    if err then return {status = "failed", error = tostring(err)} end
    time.sleep("1s")
    local shipment, err = funcs.call("app:ship", {order_id = order.id, address = order.shipping_address})
    if err then return {status = "failed", error = tostring(err)} end
    return {status = "completed", payment_id = payment.id, tracking = shipment.tracking_number}
end

return { main = main }
