-- What a workflow does to other processes, beside talking to them: cancel, terminate, watch (lua_api.md 2,
-- workflows.md 6, decisions 16, 19, 28).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local pids, others, children = load("pid"), load("other_workflows"), load("children")

local function invalid(text) return internal.make("INVALID", text, false) end

local function unsupported(what)
    return invalid(what .. " is not supported in workflow context")
end

local function parse(name, dest, level)
    if dest == nil then return nil, invalid(name .. " requires a destination: the PID of a workflow") end
    if type(dest) ~= "string" then
        error("bad argument #1 to '" .. name .. "' (string expected, got " .. type(dest) .. ")", level)
    end
    local target = pids.parse(dest)
    if not target then return nil, others.unresolved(dest) end
    return target
end

-- Which workflow dest means: {id=, namespace=} | nil, err (INVALID, NOT_FOUND)
local function find(name, dest)
    local target, wrong = parse(name, dest, 4)
    if not target then return nil, wrong end
    local namespace, err = others.namespace(dest, target)
    if not namespace then return nil, err end
    return { id = target.id, namespace = namespace }
end

local control = {}

--- process.cancel(dest[, argument]) -> true, nil | nil, err (INVALID, NOT_FOUND, CANCELED)
-- dest: PID of a workflow. argument: a duration (milliseconds, "5s") after which its run is closed, or a reason. Returns
-- when the server has taken the request, which it does for a workflow that has ended, too; a child ends in its own
-- time, and its EXIT event says how.
function control.cancel(dest, argument)
    local target, wrong = find("cancel", dest)
    if not target then return nil, wrong end
    local reasons = load("cancel_reason")
    local reason, err = reasons.encode(argument)
    if not reason then return nil, err end
    if others.is_self(target.namespace, target.id) then
        load("cancellation").request(reasons.decode(reason))
        return true, nil
    end
    local done, failure = others.cancel(dest, target.namespace, target.id, reason)
    return done, failure
end

--- process.terminate(dest) -> true, nil | nil, err (INVALID, NOT_FOUND, PERMISSION_DENIED, CANCELED)
-- dest: PID of a workflow, which is ended at once; its code is not told.
function control.terminate(dest)
    local target, wrong = find("terminate", dest)
    if not target then return nil, wrong end
    local task, activities, settled = core.current(), load("activities"), false
    local arguments = { core.payload(target.id), core.payload(target.namespace), n = 2 }
    local op = activities.record("lua-fleet.terminate", arguments, function(was_running, err)
        settled = true
        if err then return core.wake(task, nil, err) end
        core.wake(task, was_running or nil, not was_running and others.ended(dest) or nil)
    end)
    local done, err = core.park(2, "process.terminate")
    if not settled then activities.forget(op) end
    return done, err
end

local function watch(name, on)
    return function(dest)
        local target, wrong = parse(name, dest, 3)
        if not target then return nil, wrong end
        local namespace = others.namespace(dest, target)
        if namespace and children.watch(namespace, target.id, on) then return true, nil end
        return nil, unsupported(name .. " of a process that is no child of this workflow")
    end
end

--- process.monitor(pid), process.unmonitor(pid) -> true, nil | nil, err (INVALID, NOT_FOUND)
-- Children are monitored from their start. unmonitor: no EXIT event of this child; monitor: again, at once if it has
-- ended meanwhile.
control.monitor, control.unmonitor = watch("monitor", true), watch("unmonitor", false)

local function no_links(name)
    return function(dest)
        local target, wrong = parse(name, dest, 3)
        return nil, target and unsupported(name) or wrong
    end
end

control.link, control.unlink = no_links("link"), no_links("unlink")

local options = load("process_options")
control.set_options, control.get_options = options.set, options.get

-- Names belong to one node's processes: what a name means there now is nothing that a replay could see again.
local registry = { LOCAL = 0, EVENTUAL = 1, CONSISTENT = 2, STRONG = 3 }
for _, name in lib.ipairs({ "register", "lookup", "unregister" }) do
    registry[name] = function()
        return nil, unsupported("process.registry." .. name)
    end
end
control.registry = registry

return control
