-- Signals of a workflow run: each becomes a message (workflows.md 5, decision 27).
local core, base, host, load = ...
local lib = core.lib
local messages, pids, printable = load("messages"), load("pid"), load("printable")
local batch = load("message_batch")
local run = host.run

local signals = { FROM_HEADER = "lua-fleet-from" }

local function keep_out(name, why)
    run.unreadable_signals = (run.unreadable_signals or 0) + 1
    run.unreadable_topics = run.unreadable_topics or {}
    run.unreadable_topics[name] = (run.unreadable_topics[name] or 0) + 1
    host.log("error", "signal " .. printable(name) .. " was kept out of the workflow: " .. why,
        { signal = name, unreadable_signals = run.unreadable_signals })
end

-- A message whose payloads can be read is delivered.
local function accept(topic, from, values)
    for i = 1, values.n do
        local wrong, encoding = core.undecodable(values[i])
        if wrong then
            return keep_out(topic, "its payload " .. i .. " cannot be read: " .. wrong .. " (encoding " .. encoding
                .. "); send it as json/plain")
        end
    end
    messages.deliver(topic, from, values)
end

local function accept_all(name, list, wrong)
    if not list then return keep_out(name, wrong) end
    for _, message in lib.ipairs(list) do accept(message.topic, message.from, message.values) end
end

--- signals.receive(job): a signal_workflow job. What cannot be read is logged and kept out of the workflow.
function signals.receive(job)
    local topic, values = job.signal_name or "", job.input or { n = 0 }
    if topic == batch.SIGNAL then return accept_all(topic, batch.decode(values)) end
    local from = job.headers and job.headers[signals.FROM_HEADER]
    accept(topic, lib.type(from) == "string" and from or nil, values)
end

--- signals.receive_headers(name, headers): the batch, if any, that came with the start of this run. name: as batch.STARTUP
function signals.receive_headers(name, headers)
    accept_all(name, batch.from_headers(name, headers))
end

--- signals.address() -> string: the PID of this run, under which its mailbox is reached
function signals.address()
    local info = run.info
    return pids.format(info.client, info.worker, info.workflow_id)
end

return signals
