return { main = function(p) return {id = "pay-" .. p.amount} end }
