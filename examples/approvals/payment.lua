-- Where a real application would move money. It may run twice: the id of the request is what makes it one payment.
local function pay_out(order)
    logger:info("paid out", {id = order.id, amount = order.amount, requester = ctx.get("requester")})
    return "pay-" .. order.id
end

return { pay_out = pay_out }
