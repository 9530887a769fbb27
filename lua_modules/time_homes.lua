--! Which file of time_*.lua has which function of time; the names of time_names.lua are not in the list.
return {
    now = "time_moment", date = "time_calendar", unix = "time_calendar",
    after = "time_timers", timer = "time_timers", ticker = "time_timers",
    parse_duration = "time_duration", parse = "time_parse",
    load_location = "time_zone", fixed_zone = "time_zone", utc = "time_zone", localtz = "time_zone",
}
