-- `count` activities in a row, a short timer, done. sdk_workflow.py is the same in Python: their commands must agree.
local funcs = require("funcs")
local time = require("time")

local function main(count)
    for i = 1, count do
        local value, err = funcs.call("bench:echo", { i = i })
        if err then error(err) end
    end
    time.sleep("10ms")
    return { done = count }
end

return { main = main }
