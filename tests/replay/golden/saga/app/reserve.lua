return { main = function(items) return {id = "res-" .. #items} end }
