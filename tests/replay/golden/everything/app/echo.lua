return { main = function(v)
    if type(v) == "table" and v.fail then error("as asked") end
    return v
end }
