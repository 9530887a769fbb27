-- Where the coroutines of a run wait, in words (decision 31). Frames of the runtime itself are left out.
local core = ...
local lib = core.lib
local s_match, s_find = lib.s_match, lib.s_find

-- Frames of C functions and of the runtime's modules: "[C]: in field 'park'", "[funcs]:55: in function ...".
local function is_internal(line) return s_find(line, "^\t%[[%w_]+%]:") ~= nil or line == "\t(...tail calls...)" end

local function append_frames(lines, traceback)
    for line in lib.s_gmatch(traceback, "\n([^\n]*)") do
        if not is_internal(line) then lines[#lines + 1] = line end
    end
end

-- Built-in functions are known by the name that the script called them by.
local SPELLED = { receive = "channel:receive", send = "channel:send", select = "channel.select" }

local function describe(lines, task)
    local frames = {}
    for i = #task, 1, -1 do
        if i < #task then frames[#frames + 1] = "\tresumed by:" end
        append_frames(frames, task[i])
    end
    local place = frames[1] and s_match(frames[1], "^\t(.-:%d+):")
    lines[#lines + 1] = "coroutine " .. task.id .. " waits in " .. (SPELLED[task.operation] or task.operation or "the runtime")
        .. (place and " at " .. place or "")
    for _, frame in lib.ipairs(frames) do lines[#lines + 1] = frame end
end

--- stack_trace() -> string: for every coroutine that waits, in order of creation, its operation, place and frames
return function()
    local tasks = core.waiting()
    if not tasks then return "the run has ended: nothing waits" end
    local lines = {}
    for _, task in lib.ipairs(tasks) do describe(lines, task) end
    return lib.t_concat(lines, "\n")
end
