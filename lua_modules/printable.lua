-- What a script gave, made fit for the message of an error: messages travel as UTF-8 and are kept in histories.
local core = ...
local lib = core.lib

local LONGEST = 100

--- printable(text) -> text in quotes, at most 100 bytes of it; all but printable ASCII as \xNN
return function(text)
    local shown = lib.s_gsub(lib.s_sub(text, 1, LONGEST), '[^ -~]', function(c)
        return lib.s_format("\\x%02x", lib.s_byte(c))
    end)
    return '"' .. shown .. (#text > LONGEST and "..." or "") .. '"'
end
