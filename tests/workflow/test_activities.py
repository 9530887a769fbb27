"""funcs.call, funcs.async, executors and their errors, from inside workflows (activities.md 3 to 5)."""

from __future__ import annotations

from typing import Any


async def test_call_returns_the_result(bench: Any) -> None:
    bench.function("return { main = function(n) return {doubled = n * 2} end }", "double")
    bench.workflow("local r, err = funcs.call('app:double', ...) return {r.doubled, err == nil}", modules="funcs")
    assert (await bench.run(21)).result == [42, True]


async def test_order_workflow_of_the_document(bench: Any) -> None:
    bench.function("return { main = function(p) return {id = 'pay-1', amount = p.amount} end }", "charge_payment")
    bench.function("return { main = function(o) return {tracking_number = 'T-' .. o.order_id} end }", "ship_order")
    bench.function("return { main = function(id) return id end }", "refund_payment")
    bench.workflow(
        """
local funcs = require("funcs")
local time = require("time")

local function main(order)
    local payment, err = funcs.call("app:charge_payment", {
        amount = order.total,
        customer = order.customer_id
    })
    if err then
        return {status = "failed", error = tostring(err)}
    end

    time.sleep("100ms")

    local shipment, err = funcs.call("app:ship_order", {
        order_id = order.id,
        address = order.shipping_address
    })
    if err then
        funcs.call("app:refund_payment", payment.id)
        return {status = "failed", error = tostring(err)}
    end

    return {
        status = "completed",
        payment_id = payment.id,
        tracking = shipment.tracking_number
    }
end

return { main = main }
""",
        modules="funcs time workflow",
    )
    outcome = await bench.run({"id": "7", "total": 5, "customer_id": "c", "shipping_address": "x"})
    assert outcome.result == {"status": "completed", "payment_id": "pay-1", "tracking": "T-7"}
