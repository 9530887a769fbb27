local function main(input)
    local version = workflow.version("step-two", 1, 2)
    local futures = {}
    for i = 1, 3 do futures[i] = funcs.async("app:echo", {i = i, id = uuid.v4()}) end
    local sum = 0
    for i = 1, 3 do sum = sum + futures[i]:response():receive():data().i end
    local quick = funcs.call("app:quick", sum)
    local timeout = time.after("200ms")
    local slow = funcs.new():with_options({["activity.start_to_close_timeout"] = "1m"}):async("app:echo", "late")
    local r = channel.select{ slow:response():case_receive(), timeout:case_receive() }
    local keys = {}
    for k in pairs({b = 1, a = 2, [2] = 3, [1] = 4}) do keys[#keys + 1] = tostring(k) end
    local _, err = funcs.new():with_options({["activity.retry_policy"] = {maximum_attempts = 1}}):call("app:echo", {fail = true})
    return {version = version, sum = sum, quick = quick, first = r.channel == slow:response(), keys = keys,
        random = math.random(1000000), kind = err and err:kind(), at = time.now():format_rfc3339()}
end

return { main = main }
