-- time.after, time.timer, time.ticker: channels that time sends to (lua_api.md 8; durable in workflows).
local core, base, host, load = ...
local lib = core.lib
local error, type = lib.error, lib.type
local _, shared = load("time")
local now = load("time_moment").now

local TICKER_BUFFER = 16

local timers = {}

-- A host timer that fails (outside workflows, when the call is cancelled) has not fired: its callback does nothing.

local function positive(duration)
    local ns, err = shared.nanoseconds(duration)
    if not ns then return nil, err end
    if ns <= 0 then return shared.invalid("duration must be > 0") end
    return ns
end

--- time.after(duration) -> channel | nil, err (INVALID)
-- It gets one Time when the duration (more than 0) is over. Outside workflows it is closed then.
function timers.after(duration)
    local ns, err = positive(duration)
    if not ns then return nil, err end
    local channel = core.new_channel(1)
    host.timer(ns, function(_, failure)
        if failure then return end
        core.offer(channel, now())
        if not host.workflow then core.close_channel(channel) end
    end)
    return channel
end

-- ---- Timer: one firing, which can be called off or set anew

local timer_methods = {}
local new_timer, timer_fields = core.class({ __name = "timer", __index = timer_methods })

local function open_timer(self, method)
    return timer_fields(self)
        or error("bad argument to '" .. method .. "' (timer expected, got " .. type(self) .. "; call it with ':')", 3)
end

local function arm(f, ns)
    f.handle = host.timer(ns, function(_, failure)
        if failure then return end
        f.handle = nil
        core.offer(f.channel, now())
    end)
end

local function disarm(f)
    local handle = f.handle
    f.handle = nil
    return handle ~= nil and host.cancel_timer(handle)
end

--- time.timer(duration) -> Timer | nil, err (INVALID). duration: more than 0.
function timers.timer(duration)
    local ns, err = positive(duration)
    if not ns then return nil, err end
    local f = { channel = core.new_channel(1) }
    arm(f, ns)
    return new_timer(f)
end

--- timer:response() -> channel: one Time for each firing. Always the same channel.
function timer_methods.response(self) return open_timer(self, "response").channel end

--- timer:channel(): the same as timer:response()
function timer_methods.channel(self) return open_timer(self, "channel").channel end

--- timer:stop() -> boolean: true if it had not fired and now never will. What it sent before stays in the channel.
function timer_methods.stop(self) return disarm(open_timer(self, "stop")) end

--- timer:reset(duration) -> boolean: true if it had not fired. It fires once more, that long from now.
-- A firing that nobody has received is forgotten, so that the next receive waits for the new one.
-- Raises if the duration is not positive.
function timer_methods.reset(self, duration)
    local f = open_timer(self, "reset")
    local ns = shared.nanoseconds(duration)
    if not ns or ns <= 0 then
        error("bad argument #1 to 'reset' (duration must be > 0, got " .. lib.tostring(duration) .. ")", 2)
    end
    local pending = disarm(f)
    core.drain(f.channel)
    arm(f, ns)
    return pending
end

-- ---- Ticker: a firing after each duration; each one starts the next

local ticker_methods = {}
local new_ticker, ticker_fields = core.class({ __name = "ticker", __index = ticker_methods })

local function open_ticker(self, method)
    return ticker_fields(self)
        or error("bad argument to '" .. method .. "' (ticker expected, got " .. type(self) .. "; call it with ':')", 3)
end

local function tick(f)
    f.handle = host.timer(f.period, function(_, failure)
        if failure then return end
        tick(f)
        if core.pending(f.channel) < TICKER_BUFFER then core.offer(f.channel, now()) end
    end)
end

--- time.ticker(duration) -> Ticker | nil, err (INVALID). duration: more than 0.
function timers.ticker(duration)
    local ns, err = positive(duration)
    if not ns then return nil, err end
    local f = { channel = core.new_channel(TICKER_BUFFER), period = ns }
    tick(f)
    return new_ticker(f)
end

--- ticker:response() -> channel: a Time for each tick; ticks that find 16 unread ones are dropped
function ticker_methods.response(self) return open_ticker(self, "response").channel end

--- ticker:channel(): the same as ticker:response()
function ticker_methods.channel(self) return open_ticker(self, "channel").channel end

--- ticker:stop() -> true. No more ticks; the channel stays open.
function ticker_methods.stop(self)
    disarm(open_ticker(self, "stop"))
    return true
end

return timers
