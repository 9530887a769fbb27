local function undo_all(compensations)
    for _, comp in ipairs(compensations) do funcs.call(comp.action, comp.args) end
end

local function main(order)
    local compensations = {}
    local reservation, err = funcs.call("app:reserve", order.items)
    if err then return {status = "failed", step = "inventory", error = tostring(err)} end
    table.insert(compensations, 1, {action = "app:undo", args = reservation.id})
    local _, err = funcs.call("app:pay", order.payment)
    if err then
        undo_all(compensations)
        return {status = "failed", step = "payment", error = tostring(err), kind = err:kind()}
    end
    return {status = "completed"}
end

return { main = main }
