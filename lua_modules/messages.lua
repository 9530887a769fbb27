-- The mailbox of a process: messages wait in order until someone wants them (workflows.ja.md シグナル, workflows.md 5,
-- lua_api.md 2). In a workflow they come from signals.lua, in a function from engine_function.lua.
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local payloads = load("payload")
local printable = load("printable")

local messages = {}

-- ---- Message

local methods = {}
local metatable = { __name = "message", __index = methods }
local new, fields = core.class(metatable)

local function open(self, method)
    local f = fields(self)
    if not f then error("bad argument to '" .. method .. "' (message expected; call it with ':')", 3) end
    return f
end

--- msg:topic() -> string
function methods.topic(self) return open(self, "topic").topic end

--- msg:from() -> PID of the sender | nil when another Temporal client sent it
function methods.from(self) return open(self, "from").from end

--- msg:payload() -> Payload | nil when it came without one | list of Payload when it came with several
function methods.payload(self)
    local f = open(self, "payload")
    local values = f.values
    if values.n == 0 then return nil end
    if not f.payload then
        if values.n == 1 then
            f.payload = payloads.new(values[1])
        else
            f.payload = {}
            for i = 1, values.n do f.payload[i] = payloads.new(values[i]) end
        end
    end
    return f.payload
end

function metatable.__tostring(self) return "message{topic=" .. fields(self).topic .. "}" end

-- A message as listeners get it that did not ask for Message objects. Several values keep their positions.
local function raw(message)
    local values = message.values
    if values.n <= 1 then return values[1] end
    local list = {}
    for i = 1, values.n do
        list[i] = values[i]
        if list[i] == nil then list[i] = core.json_null end
    end
    return list
end

-- ---- routing: a listener of the topic, else the inbox, else kept

local kept = {}
local listeners, topics = {}, {}    -- topic -> listener; channel -> topic
local left = {}                     -- listeners that were given up with messages in their channels
local inbox
local arrived = 0

local function new_listener(capacity, as_message)
    return { channel = core.new_channel(capacity), message = as_message, first = 1, last = 0 }
end

-- The channel holds values; the messages that they were made of are remembered while they wait in it.
local function hand_over(listener, message)
    core.offer(listener.channel, listener.message and new(message) or raw(message))
    listener.last = listener.last + 1
    listener[listener.last] = message
    for i = listener.first, listener.last - core.pending(listener.channel) do
        listener[i] = nil
        listener.first = i + 1
    end
end

local function route(message)
    local listener = listeners[message.topic] or inbox
    if not listener then return false end
    hand_over(listener, message)
    return true
end

-- What was kept for this topic (any topic for the inbox) goes to whoever came, in order.
local function deliver_kept()
    local rest = {}
    for _, message in lib.ipairs(kept) do
        if not route(message) then rest[#rest + 1] = message end
    end
    kept = rest
end

--- messages.deliver(topic, from, values): a message for this process. from: PID or nil. values: list with n.
function messages.deliver(topic, from, values)
    arrived = arrived + 1
    local message = { topic = topic, from = from, values = values, number = arrived }
    if not route(message) then kept[#kept + 1] = message end
end

--- messages.overview() -> {topics = sorted list that is listened to, inbox = boolean, waiting = topic -> how many}
function messages.overview()
    local list, waiting = {}, {}
    for topic in lib.pairs(listeners) do list[#list + 1] = topic end
    for _, message in lib.ipairs(kept) do waiting[message.topic] = (waiting[message.topic] or 0) + 1 end
    return { topics = list, inbox = inbox ~= nil, waiting = waiting }
end

--- messages.unread_count() -> how many messages nobody has received yet
function messages.unread_count()
    local count = #kept
    for _, listener in lib.pairs(listeners) do count = count + core.pending(listener.channel) end
    if inbox then count = count + core.pending(inbox.channel) end
    return count
end

-- An update is answered by the run that took it: its caller is told that this one has ended.
local function is_update(message) return message.from and lib.s_sub(message.from, 1, 8) == "{update|" end

--- messages.unread() -> list of {topic=, from=, payloads= list of encoded payloads with n}, in order of arrival
-- What no script has received: it was kept, or waits in a channel of listen or inbox.
function messages.unread()
    local waiting = {}
    local function add(message)
        if not is_update(message) then waiting[#waiting + 1] = message end
    end
    for _, message in lib.ipairs(kept) do add(message) end
    local function add_all(listener)
        -- Not before the first one: a script may have put values of its own into the channel.
        for i = lib.m_max(listener.first, listener.last - core.pending(listener.channel) + 1), listener.last do
            add(listener[i])
        end
    end
    if inbox then add_all(inbox) end
    for _, listener in lib.pairs(listeners) do add_all(listener) end
    for _, listener in lib.ipairs(left) do add_all(listener) end
    lib.t_sort(waiting, function(a, b) return a.number < b.number end)
    for i, message in lib.ipairs(waiting) do
        local payloads = { n = message.values.n }
        for j = 1, payloads.n do payloads[j] = core.payload(message.values[j]) end
        waiting[i] = { topic = message.topic, from = message.from, payloads = payloads }
    end
    return waiting
end

-- ---- what scripts call

local function invalid(text) return internal.make("INVALID", text, false) end

--- messages.check_topic(topic, verb) -> err (INVALID) | nil. verb: "listen" or "send", for the text.
function messages.check_topic(topic, verb)
    if topic == "" then return invalid("topic cannot be empty") end
    local reserved = lib.s_match(topic, "^@") or lib.s_match(topic, "^lua%-fleet%.")
    if reserved then
        return invalid("cannot " .. verb .. " to " .. reserved .. " topics: " .. printable(topic) .. " is reserved")
    end
    if not lib.u_len(topic) then return invalid("the topic " .. printable(topic) .. " is not UTF-8") end
end

--- messages.encode(topic, values) -> list of encoded payloads with n | nil, err (INVALID)
-- Encoded at the call, so that what arrives does not depend on what happens to the tables later. No values are one null.
function messages.encode(topic, values)
    local n = values.n == 0 and 1 or values.n
    local encoded = { n = n }
    for i = 1, n do
        local bytes, wrong = core.payload(values[i])
        if not bytes then
            return nil, invalid("value " .. i .. " of message " .. printable(topic) .. " cannot be sent: " .. wrong)
        end
        encoded[i] = bytes
    end
    return encoded
end

local function wants_messages(options)
    if options == nil then return false end
    if type(options) ~= "table" then
        error("bad argument #2 to 'listen' (table expected, got " .. type(options) .. ")", 3)
    end
    for key, value in lib.pairs(options) do
        if key ~= "message" then
            return nil, invalid("unknown option " .. lib.tostring(key) .. ": listen knows message")
        end
        if type(value) ~= "boolean" then
            error("bad argument #2 to 'listen' (field 'message' must be a boolean, got " .. type(value) .. ")", 3)
        end
    end
    return options.message or false
end

--- process.listen(topic[, {message = boolean}]) -> channel | nil, err (INVALID)
-- The channel gets the values of messages on the topic (nil for none, a list for several), with message = true Message
-- objects. The same channel each time; messages that came before are in it.
function messages.listen(topic, options)
    if type(topic) ~= "string" then
        error("bad argument #1 to 'listen' (string expected, got " .. type(topic) .. ")", 2)
    end
    local as_message, err = wants_messages(options)
    err = err or messages.check_topic(topic, "listen")
    if err then return nil, err end
    local listener = listeners[topic]
    if listener then
        if listener.message ~= as_message then
            return nil, invalid("already listening to " .. printable(topic) .. " with message = "
                .. lib.tostring(listener.message) .. ": unlisten that channel first")
        end
        return listener.channel
    end
    listener = new_listener(1, as_message)
    listeners[topic], topics[listener.channel] = listener, topic
    deliver_kept()
    return listener.channel
end

--- process.unlisten(channel) -> true | false, err (INVALID)
-- Closes the channel; what is in it stays readable. Later messages go to the inbox, or are kept.
function messages.unlisten(channel)
    local topic = channel ~= nil and topics[channel]
    if not topic then return false, invalid("not a channel of process.listen, or not listening any more") end
    if core.pending(channel) > 0 then left[#left + 1] = listeners[topic] end
    listeners[topic], topics[channel] = nil, nil
    core.close_channel(channel)
    return true
end

--- process.inbox() -> channel of Message objects: those whose topic nobody listens to. The same channel each time.
function messages.inbox()
    if not inbox then
        inbox = new_listener(0, true)
        deliver_kept()
    end
    return inbox.channel
end

return messages
