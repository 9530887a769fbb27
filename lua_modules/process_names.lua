-- process.registry outside workflows: names of processes on this node (lua_api.md 2).
local core, base, host, load = ...
local lib = core.lib
local type, error = lib.type, lib.error
local _, internal = load("errors")
local pids, printable = load("pid"), load("printable")

-- Names live in one serving process whatever the scope: there is nothing wider that they could be unique in.
local registry = { LOCAL = 0, EVENTUAL = 1, CONSISTENT = 2, STRONG = 3 }

local function invalid(text) return internal.make("INVALID", text, false) end

local function check(name, given)
    if type(given) ~= "string" then
        error("bad argument #1 to '" .. name .. "' (string expected, got " .. type(given) .. ")", 3)
    end
    if given == "" then return invalid("the name cannot be empty") end
    if not lib.u_len(given) then return invalid("the name " .. printable(given) .. " is not UTF-8") end
    if lib.s_sub(given, 1, 1) == "{" then return invalid("the name " .. printable(given) .. " reads like a PID") end
end

--- registry.register(name[, pid[, scope]]) -> true, nil | nil, err (INVALID, NOT_FOUND, ALREADY_EXISTS)
-- pid: nil for the caller. scope: one of the constants. The name is gone when the process ends; a name for a process
-- elsewhere, such as a workflow, when the caller ends.
function registry.register(name, pid, scope)
    local wrong = check("register", name)
    if wrong then return nil, wrong end
    if pid ~= nil and (type(pid) ~= "string" or not pids.parse(pid)) then
        return nil, invalid("register: " .. printable(lib.tostring(pid)) .. " is no PID")
    end
    if scope ~= nil and not (lib.m_type(scope) == "integer" and scope >= 0 and scope <= 3) then
        return nil, invalid("register: the scope is one of LOCAL, EVENTUAL, CONSISTENT and STRONG")
    end
    local taken = core.host("process_register", name, pid)
    if taken ~= true then return nil, taken end
    return true, nil
end

--- registry.lookup(name) -> pid, nil | nil, err (INVALID, NOT_FOUND)
function registry.lookup(name)
    local wrong = check("lookup", name)
    if wrong then return nil, wrong end
    local pid = core.host("process_lookup", name)
    if pid then return pid, nil end
    return nil, internal.make("NOT_FOUND", "name not registered: " .. name, false)
end

--- registry.unregister(name) -> whether somebody had it
function registry.unregister(name)
    if check("unregister", name) then return false end
    return core.host("process_unregister", name)
end

return registry
