return { main = function(n) return n * 10 end }
