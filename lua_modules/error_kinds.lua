--! Spellings of error kinds (decision 1).
local core, base, host, load = ...
local lib = core.lib
local s_gsub, s_upper = lib.s_gsub, lib.s_upper
local KINDS = load("errors")

--- canonical(kind) -> "NotFound", "not_found" and "NOT_FOUND" are one kind; a kind we do not know stays as it is
return function(kind)
    local folded = s_upper((s_gsub(kind, "_", "")))
    for known, value in lib.next, KINDS do
        if known == value and s_gsub(known, "_", "") == folded then return known end
    end
    return kind
end
