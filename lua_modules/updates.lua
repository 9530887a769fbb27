-- Updates of a workflow run: each is a message from {update|id}, answered by process.send (decision 30).
--
-- The activation that delivers an update accepts it, so that history has every update that the code saw. An update
-- belongs to its run: when the run ends or continues as new, the server fails the ones that have no answer.
local core, base, host, load = ...
local lib = core.lib
local _, internal = load("errors")
local messages, pids, printable = load("messages"), load("pid"), load("printable")
local run = host.run

local updates = {}
local open = {}                         -- update id -> {protocol=, acknowledged=, answer= topic of the answer}

local function refused(kind, text) return internal.make(kind, text, false) end

local function respond(protocol, variant, value)
    host.emit("update_response", { protocol_instance_id = protocol, [variant] = value })
end

local function unreadable(job, values)
    for i = 1, values.n do
        local wrong, encoding = core.undecodable(values[i])
        if wrong then
            return "argument " .. i .. " of update " .. printable(job.name or "") .. " cannot be read: " .. wrong
                .. " (encoding " .. encoding .. "); send it as json/plain"
        end
    end
end

--- updates.receive(job): a do_update job
function updates.receive(job)
    local values = job.input or { n = 0 }
    local wrong = unreadable(job, values)
    if wrong and job.run_validator then
        host.log("error", wrong, { update = job.name, update_id = job.id })
        return respond(job.protocol_instance_id, "rejected",
            load("failures").to(refused("INVALID", wrong)))
    elseif wrong then
        -- Accepted before, by code that could read it: a deployment that can is to go on.
        run.fatal = wrong
        return core.stop()
    end
    open[job.id] = { protocol = job.protocol_instance_id }
    respond(job.protocol_instance_id, "accepted", {})
    messages.deliver(job.name or "", pids.format("", "update", job.id), values)
end

-- ---- answers, by topic: function(update, id, encoded, values) -> err | nil

local answers = {}

function answers.ack(update, id)
    if update.acknowledged then return refused("INVALID", "update " .. printable(id) .. " is acknowledged already") end
    update.acknowledged = true
end

function answers.ok(update, id, encoded, values)
    if values.n > 1 then
        return refused("INVALID", "update " .. printable(id) .. " is completed with one value, got " .. values.n
            .. ": put them into a table")
    end
    update.answer = "ok"
    respond(update.protocol, "completed", encoded[1])
end

local function fail(update, topic, kind, text, reason)
    if reason ~= nil and lib.type(reason) ~= "string" and not internal.fields(reason) then
        return refused("INVALID", topic .. " takes a text or an error, got " .. lib.type(reason))
    end
    local failure = internal.fields(reason) and reason or refused(kind, reason or text)
    update.answer = topic
    respond(update.protocol, "rejected", load("failures").to(failure))
end

function answers.nak(update, id, _, values)
    if update.acknowledged then
        return refused("INVALID", "update " .. printable(id) .. " is acknowledged: answer it with ok or error, not nak")
    end
    return fail(update, "nak", "INVALID", "update rejected", values[1])
end

function answers.error(update, _, _, values) return fail(update, "error", "INTERNAL", "update failed", values[1]) end

--- updates.answer(id, topic, encoded, values) -> true, nil | nil, err (INVALID, NOT_FOUND)
-- encoded, values: as sender.lua gives them, payloads and what they were made of. Errors are failures, not text.
function updates.answer(id, topic, encoded, values)
    local answer = answers[topic]
    if not answer then
        return nil, refused("INVALID", "an update is answered with ack, ok, nak or error, not with " .. printable(topic))
    end
    local update = open[id]
    if not update then return nil, refused("NOT_FOUND", "this run has had no update " .. printable(id)) end
    if update.answer then
        return nil, refused("INVALID", "update " .. printable(id) .. " was answered already, with " .. update.answer)
    end
    local err = answer(update, id, encoded, values)
    if err then return nil, err end
    return true, nil
end

return updates
