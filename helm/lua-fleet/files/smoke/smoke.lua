local funcs = require("funcs")
local time = require("time")

local function workflow(word)
    time.sleep("10ms")
    return funcs.call("smoke:activity", word)
end

local function activity(word)
    return "hello, " .. word
end

return { workflow = workflow, activity = activity }
