-- What the scheduler does for scripts; bench_scheduler.py has the same in asyncio.
local M = {}

-- Two coroutines that give way to each other, `count` times in all.
function M.take_turns(count)
    local done = channel.new(2)
    local function body()
        for _ = 1, count // 2 do coroutine.yield() end
        done:send(true)
    end
    coroutine.spawn(body)
    coroutine.spawn(body)
    done:receive()
    done:receive()
    return count
end

-- `count` coroutines that end at once.
function M.spawn_and_end(count)
    local function body() end
    for _ = 1, count do coroutine.spawn(body) end
    return count
end

local function transfer(count, capacity)
    local ch = channel.new(capacity)
    coroutine.spawn(function()
        for i = 1, count do ch:send(i) end
        ch:close()
    end)
    local sum = 0
    while true do
        local value, ok = ch:receive()
        if not ok then break end
        sum = sum + value
    end
    return sum
end

-- `count` values through a channel of one place: every value switches coroutines.
function M.handover(count) return transfer(count, 1) end

-- `count` values through a channel of 100 places.
function M.buffered(count) return transfer(count, 100) end

-- `count` values from two channels, by select.
function M.select_of_two(count)
    local a, b = channel.new(), channel.new()
    for _, ch in ipairs({ a, b }) do
        coroutine.spawn(function()
            for i = 1, count // 2 do ch:send(i) end
        end)
    end
    local sum = 0
    local cases = { a:case_receive(), b:case_receive() }
    for _ = 1, count do sum = sum + channel.select(cases).value end
    return sum
end

-- `count` coroutines that all wait at the same time, are all woken, and all answer into one channel.
function M.fan_in(count)
    local start, results = channel.new(), channel.new()
    for i = 1, count do
        coroutine.spawn(function()
            start:receive()
            results:send(i)
        end)
    end
    start:close()
    local sum = 0
    for _ = 1, count do sum = sum + results:receive() end
    return sum
end

return M
