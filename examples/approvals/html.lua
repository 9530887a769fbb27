-- HTML: what comes from people is escaped, everything else is a template.
local html = {}

local ESCAPES = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;"}

function html.escape(value)
    return (string.gsub(tostring(value), "[&<>\"']", ESCAPES))
end

--- html.fill("<p>{name}</p>", {name = "<"}) -> "<p>&lt;</p>"; {{name}} puts HTML in as it is
function html.fill(template, values)
    local text = string.gsub(template, "{({?)([a-z_]+)}}?", function(raw, name)
        local value = values[name]
        if value == nil then value = "" end
        return raw == "{" and tostring(value) or html.escape(value)
    end)
    return text
end

local PAGE = [[<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
:root { --ink: #1c2330; --soft: #667085; --line: #e3e7ee; --blue: #2456d6; --green: #16794c; --red: #b3261e; --amber: #96600a; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6fa; color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 34rem; margin: 8vh auto; padding: 2.25rem; background: #fff; border: 1px solid var(--line);
       border-radius: 14px; box-shadow: 0 8px 30px rgb(28 35 48 / .06); }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; letter-spacing: -.01em; }
p.lead { margin: 0 0 1.5rem; color: var(--soft); }
label { display: block; margin-top: 1rem; font-weight: 600; font-size: .9rem; }
input, select { width: 100%; height: 2.7rem; margin-top: .3rem; padding: 0 .7rem; font: inherit; font-weight: 400;
                color: inherit; background: #fff; border: 1px solid #cbd2dd; border-radius: 8px; }
input:focus, select:focus, button:focus-visible { outline: 3px solid rgb(36 86 214 / .25); border-color: var(--blue); }
button { margin-top: 1.5rem; padding: .65rem 1.3rem; font: inherit; font-weight: 600; color: #fff; background: var(--blue);
         border: 0; border-radius: 8px; cursor: pointer; }
button.yes { background: var(--green); } button.no { background: #fff; color: var(--red); box-shadow: inset 0 0 0 1px var(--red); }
.row { display: flex; gap: .75rem; } .row > * { flex: 1; } .row > button { flex: none; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .5rem 1.5rem; margin: 1.5rem 0 0; padding-top: 1.25rem;
     border-top: 1px solid var(--line); } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.badge { display: inline-block; padding: .1rem .7rem; border-radius: 99px; font-size: .85rem; font-weight: 600; }
.waiting { color: var(--amber); background: #fdf1dc; } .approved { color: var(--green); background: #e0f4ea; }
.rejected, .expired { color: var(--red); background: #fbe6e4; }
.problem { padding: .7rem 1rem; color: var(--red); background: #fbe6e4; border-radius: 8px; }
a { color: var(--blue); }
</style>
</head>
<body><main>
{{content}}
</main></body>
</html>
]]

--- A whole page; content is HTML.
function html.page(title, content)
    return html.fill(PAGE, {title = title, content = content})
end

return html
