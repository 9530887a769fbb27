"""補償パターン（Saga）: as printed, but with run_compensations before its use."""

from __future__ import annotations

import pytest
from scenario import Stage

SAGA = """
local function run_compensations(compensations)
    for _, comp in ipairs(compensations) do
        funcs.call(comp.action, comp.args)
    end
end

local function main(order)
    local compensations = {}

    local reservation, err = funcs.call("app:reserve_inventory", order.items)
    if err then
        return {status = "failed", step = "inventory", error = tostring(err)}
    end
    table.insert(compensations, 1, {
        action = "app:release_inventory",
        args = reservation.id
    })

    local payment, err = funcs.call("app:charge_payment", order.payment)
    if err then
        run_compensations(compensations)
        return {status = "failed", step = "payment", error = tostring(err)}
    end
    table.insert(compensations, 1, {
        action = "app:refund_payment",
        args = payment.id
    })

    local shipment, err = funcs.call("app:ship_order", order.shipping)
    if err then
        run_compensations(compensations)
        return {status = "failed", step = "shipping", error = tostring(err)}
    end

    return {status = "completed", tracking = shipment.tracking}
end
return { main = main }
"""
STEPS = {"inventory": "reserve_inventory", "payment": "charge_payment", "shipping": "ship_order"}


def saga(stage: Stage) -> None:
    for name in STEPS.values():
        stage.function(
            f"""
            return {{ main = function(wanted)
                if wanted == "refuse" then
                    return nil, errors.new{{message = "refused", kind = "CONFLICT", retryable = false}}
                end
                return {{id = "{name}-1", tracking = "T-1"}}
            end }}
            """,
            name,
        )
    for name in ("release_inventory", "refund_payment"):
        stage.function("return { main = function(id) return id end }", name)
    stage.workflow(SAGA, modules="funcs")


async def test_all_steps_done(stage: Stage) -> None:
    saga(stage)
    order = {"items": "i", "payment": "p", "shipping": "s"}
    assert await stage.run_sample(order) == {"status": "completed", "tracking": "T-1"}


@pytest.mark.parametrize(
    ("step", "undone"),
    [("inventory", []), ("payment", ["release_inventory"]), ("shipping", ["refund_payment", "release_inventory"])],
)
async def test_what_was_done_is_undone_backwards(stage: Stage, step: str, undone: list[str]) -> None:
    saga(stage)
    order = {"items": "i", "payment": "p", "shipping": "s"}
    order[{"inventory": "items", "payment": "payment", "shipping": "shipping"}[step]] = "refuse"
    result = await stage.run_sample(order)
    assert result == {"status": "failed", "step": step, "error": "refused"}
    scheduled = [event.activity_type.name for event in stage.histories[0].attributes("activity_task_scheduled")]
    done = list(STEPS.values())[: list(STEPS).index(step) + 1]
    assert scheduled == [f"app:{name}" for name in done + undone]
