"""基本実装"""

from __future__ import annotations

from scenario import Stage

ORDER = """
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

    time.sleep("200ms")

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
"""


def order_application(stage: Stage, ship: str) -> None:
    stage.function(
        "return { main = function(p) return {id = 'p-' .. p.customer .. '-' .. p.amount} end }", "charge_payment"
    )
    stage.function(f"return {{ main = function(p) {ship} end }}", "ship_order")
    stage.function("return { main = function(id) return {refunded = id} end }", "refund_payment")
    stage.workflow(ORDER, "order_workflow", modules="funcs time workflow")


ORDER_INPUT = {"id": "7", "total": 12, "customer_id": "c1", "shipping_address": "here"}


async def test_an_order_is_paid_and_shipped(stage: Stage) -> None:
    order_application(stage, "return {tracking_number = 'T-' .. p.order_id .. '-' .. p.address}")
    result = await stage.run_sample(ORDER_INPUT, name="order_workflow")
    assert result == {"status": "completed", "payment_id": "p-c1-12", "tracking": "T-7-here"}


async def test_an_order_that_cannot_be_shipped_is_refunded(stage: Stage) -> None:
    order_application(stage, "return nil, errors.new{message = 'no stock', kind = errors.NOT_FOUND, retryable = false}")
    result = await stage.run_sample(ORDER_INPUT, name="order_workflow")
    assert result == {"status": "failed", "error": "no stock"}
    (refund,) = stage.histories[0].attributes("activity_task_scheduled")[2:]
    assert refund.activity_type.name == "app:refund_payment"
