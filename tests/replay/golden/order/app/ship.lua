return { main = function(o) return {tracking_number = "T-" .. o.order_id} end }
