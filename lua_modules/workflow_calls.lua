--! What the module workflow does for its longer functions.
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local run = host.run

local workflow = {}

--- workflow.exec(id, ...) -> value, nil | nil, err. Runs a child on the worker that its entry names; waits for its end.
function workflow.exec(id, ...)
    if type(id) ~= "string" then error("bad argument #1 to 'exec' (string expected, got " .. type(id) .. ")", 2) end
    if id == "" then return nil, internal.make("INVALID", "workflow ID required", false) end
    if not lib.u_len(id) then return nil, internal.make("INVALID", "the workflow ID is not UTF-8", false) end
    if not lib.s_find(id, "^[^:]+:.+$") then
        return nil, internal.make("INVALID", "invalid workflow ID format (namespace:name required)", false)
    end
    if not run then return nil, internal.make("INVALID", "workflow.exec works inside workflows only", false) end
    return load("children").exec(id, nil, lib.t_pack(...), {})
end

local function check_integer(value, position)
    if lib.m_type(value) ~= "integer" then
        error("bad argument #" .. position .. " to 'version' (integer expected, got " .. type(value) .. ")", 3)
    end
end

-- A new decision records max; a run that passed this point before the call existed has no record.
local function decide(change_id, min, max)
    if not run.replaying then
        host.emit("set_patch_marker", { patch_id = change_id .. "-" .. max, deprecated = false })
        return max
    end
    local recorded = run.patches and run.patches[change_id]
    if recorded then
        host.emit("set_patch_marker", { patch_id = change_id .. "-" .. recorded, deprecated = false })
        return recorded
    end
    if min >= 1 and max > 1 then return 1 end
    return -1
end

--- workflow.version(change_id, min_supported, max_supported) -> number, nil | nil, err
function workflow.version(change_id, min, max)
    if type(change_id) ~= "string" then
        error("bad argument #1 to 'version' (string expected, got " .. type(change_id) .. ")", 2)
    end
    check_integer(min, 2)
    check_integer(max, 3)
    if change_id == "" then return nil, internal.make("INVALID", "change ID required", false) end
    if not lib.u_len(change_id) then return nil, internal.make("INVALID", "change ID is not UTF-8", false) end
    if min > max then
        return nil, internal.make("INVALID", "min_supported " .. min .. " is above max_supported " .. max, false)
    end
    if not run then return max, nil end
    run.versions = run.versions or {}
    local version = run.versions[change_id]
    if not version then
        version = decide(change_id, min, max)
        run.versions[change_id] = version
    end
    if version < min or version > max then
        host.fail_task('workflow.version("' .. change_id .. '"): this run is at version ' .. version
            .. ", and the code supports " .. min .. " to " .. max)
    end
    return version, nil
end

return workflow
