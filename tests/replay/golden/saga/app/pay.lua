return { main = function() return nil, errors.new{kind = "CONFLICT", retryable = false, message = "declined"} end }
