return { main = function(id) return id end }
