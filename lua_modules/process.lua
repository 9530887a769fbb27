-- process: what runs as a process, with a PID and a mailbox (lua_api.md 2, workflows.md 6). The functions are in
-- process_workflow.lua and process_local.lua and are loaded on first use: most runs send and receive nothing.
local core, base, host, load = ...

return core.lib.setmetatable({}, {
    __index = function(_, name)
        local value = load(host.workflow and "process_workflow" or "process_local")[name]
        return value
    end,
    __metatable = false,
})
