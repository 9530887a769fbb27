-- One request for money, from the form to the end: approved and paid out, rejected, or expired.
local ctx = require("ctx")
local funcs = require("funcs")
local time = require("time")

local function main(request)
    local state = {
        status = "waiting",
        title = request.title,
        amount = request.amount,
        requester = ctx.get("requester"),
        deadline = request.deadline,
    }
    workflow.set_query("state", state)

    local decisions = process.listen("decision")
    local questions = process.listen("status", {message = true})
    local expired = time.after(request.deadline)

    while state.status == "waiting" do
        local got = channel.select{
            decisions:case_receive(),
            questions:case_receive(),
            expired:case_receive(),
        }
        if got.channel == questions then
            -- A signal of another client has no sender to answer.
            local asker = got.value:from()
            if asker then process.send(asker, "state", state) end
        elseif got.channel == expired then
            state.status = "expired"
        elseif type(got.value) == "table" then
            state.status = got.value.approved and "approved" or "rejected"
            state.decided_by = got.value.by
        end
    end

    if state.status == "approved" then
        local receipt, err = funcs.call("approvals:pay_out", {id = request.id, amount = request.amount})
        if err then return nil, err end
        state.receipt = receipt
    end
    workflow.set_query("state", state)
    return state
end

return { main = main }
