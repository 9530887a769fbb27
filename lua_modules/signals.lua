-- Signals of a workflow run: each becomes a message (workflows.md 5, decision 27).
local core, base, host, load = ...
local lib = core.lib
local messages, pids, printable = load("messages"), load("pid"), load("printable")
local run = host.run

local signals = { FROM_HEADER = "lua-fleet-from" }

--- signals.receive(job): a signal_workflow job. What cannot be read is logged and kept out of the workflow.
function signals.receive(job)
    local topic, values = job.signal_name or "", job.input or { n = 0 }
    for i = 1, values.n do
        local wrong, encoding = core.undecodable(values[i])
        if wrong then
            run.unreadable_signals = (run.unreadable_signals or 0) + 1
            return host.log("error", "signal " .. printable(topic) .. " was kept out of the workflow: its payload " .. i
                .. " cannot be read: " .. wrong .. " (encoding " .. encoding .. "); send it as json/plain",
                { signal = topic, unreadable_signals = run.unreadable_signals })
        end
    end
    local from = job.headers and job.headers[signals.FROM_HEADER]
    messages.deliver(topic, lib.type(from) == "string" and from or nil, values)
end

--- signals.address() -> string: the PID of this run, under which its mailbox is reached
function signals.address()
    local info = run.info
    return pids.format(info.client, info.worker, info.workflow_id)
end

return signals
