"""A Lua workflow that takes signals, queries, updates and a cancel from any client."""

from __future__ import annotations

APPROVAL = """
local function main(order)
    local notes, senders = {}, {}
    local inbox, events = process.inbox(), process.events()
    local function publish(status) workflow.set_query("status", {status = status, notes = notes, order = order.id}) end
    publish("waiting")
    while true do
        local result = channel.select{inbox:case_receive(), events:case_receive()}
        if result.channel == events then
            publish("canceled")
            return nil, errors.new{message = "order was canceled", kind = "CANCELED"}
        end
        local msg = result.value
        local topic, data = msg:topic(), msg:payload() and msg:payload():data()
        senders[#senders + 1] = msg:from() == nil and "a client" or msg:from()
        if topic == "note" then
            notes[#notes + 1] = data
            publish("waiting")
        elseif topic == "set_total" then
            if type(data) ~= "number" then
                process.send(msg:from(), "error", errors.new{message = "the total is a number", kind = "INVALID",
                    retryable = false, details = {got = type(data)}})
            else
                order.total = data
                process.send(msg:from(), "ok", {id = order.id, total = data})
            end
        elseif topic == "refuse" then
            return nil, errors.new{message = "refused by " .. data, kind = "PERMISSION_DENIED", retryable = false,
                details = {by = data}}
        elseif topic == "approve" then
            publish("approved")
            return {id = order.id, total = order.total, notes = notes, senders = senders}
        end
    end
end

return { main = main }
"""
MODULES = "workflow errors"
