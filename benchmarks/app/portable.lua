-- What any Lua runs: the same file goes into a state of ours and into lupa's LuaRuntime.
local M = {}

-- One coroutine, resumed and yielding `count` times.
function M.resume_yield(count)
    local yield = coroutine.yield
    local co = coroutine.create(function()
        while true do yield() end
    end)
    local resume = coroutine.resume
    for _ = 1, count do resume(co) end
    return count
end

-- `count` coroutines, each made and run to its end.
function M.create_coroutines(count)
    local create, resume = coroutine.create, coroutine.resume
    local function body() end
    for _ = 1, count do resume(create(body)) end
    return count
end

function M.arithmetic(count)
    local sum = 0
    for i = 1, count do
        if i % 3 == 0 then sum = sum + i else sum = sum ~ i end
    end
    return sum
end

function M.small_tables(count)
    local last
    for i = 1, count do last = { id = i, name = "x", before = last and last.id } end
    return last.id
end

-- pairs() over tables of 20 string keys, `count` pairs in all.
function M.iterate(count)
    local t = {}
    for i = 1, 20 do t["key" .. i] = i end
    local sum = 0
    for _ = 1, count // 20 do
        for _, value in pairs(t) do sum = sum + value end
    end
    return sum
end

return M
