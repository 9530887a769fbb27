-- The pages: each function answers one endpoint.
local html = require("html")
local requests = require("requests")

local FORM = [[
<h1>Request an expense</h1>
<p class="lead">Somebody with a budget will look at it.</p>
{{problem}}<form method="post" action="/requests">
<input type="hidden" name="id" value="{id}">
<label>What for <input name="title" required maxlength="200" value="{title}" placeholder="Train to the customer"></label>
<div class="row">
<label>Amount in EUR <input name="amount" type="number" min="1" max="100000" step="0.01" required value="{amount}"></label>
<label>Decision within <select name="deadline">
<option value="48h">two days</option><option value="1h">an hour</option><option value="20s">20 seconds</option>
</select></label>
</div>
<label>Your name <input name="requester" required maxlength="100" value="{requester}"></label>
<button>Ask for approval</button>
</form>]]

local STATUS = [[
<h1>{title}</h1>
<p class="lead">asked for by {requester}</p>
<span id="status" class="badge {status}">{status}</span>
<dl>
<dt>Amount</dt><dd>{amount} EUR</dd>
<dt>Decision within</dt><dd>{deadline}</dd>
{{more}}
</dl>
{{decision}}<p><a href="/">Another request</a></p>]]

local DECISION = [[
<form method="post" action="/requests/{id}/decision">
<label>Decided by <input name="by" required maxlength="100"></label>
<div class="row"><button class="yes" name="approved" value="yes">Approve</button>
<button class="no" name="approved" value="no">Reject</button></div>
</form>]]

local DEADLINES = {["48h"] = true, ["1h"] = true, ["20s"] = true}

local function answer(status, page)
    return http.response():status(status):header("Content-Type", "text/html; charset=utf-8"):body(page)
end

local function see_other(path)
    return http.response():status(http.STATUS.SEE_OTHER):header("Location", path)
end

local function problem_page(status, text)
    return answer(status, html.page("Approvals", html.fill(
        '<h1>Not possible</h1><p class="problem">{text}</p><p><a href="/">Back to the form</a></p>', {text = text})))
end

local function form_page(status, values, problem)
    values.problem = problem and html.fill('<p class="problem">{text}</p>', {text = problem}) or ""
    return answer(status, html.page("Request an expense", html.fill(FORM, values)))
end

local function form()
    return form_page(200, {id = uuid.v4()})
end

-- The request that a form describes | nil, what is wrong with it
local function read_request(values)
    local amount = tonumber(values.amount)
    if type(values.id) ~= "string" or not uuid.validate(values.id) then return nil, "This form is too old." end
    if type(values.title) ~= "string" or values.title == "" then return nil, "Say what the money is for." end
    if type(values.requester) ~= "string" or values.requester == "" then return nil, "Say who you are." end
    if not amount or not (amount >= 1 and amount <= 100000) then return nil, "The amount is 1 to 100000 EUR." end
    if not DEADLINES[values.deadline] then return nil, "Choose when you need the decision." end
    return {id = values.id, title = values.title, amount = amount, deadline = values.deadline}
end

local function submit()
    local sent, err = http.request({max_body = 10000}):parse_multipart()
    if err then return nil, err end
    local values = sent.values
    local request, problem = read_request(values)
    if not request then return form_page(422, values, problem) end
    local _, failed = requests.start(request, values.requester)
    -- Sent twice: the first time has started it.
    if failed and failed:kind() ~= errors.ALREADY_EXISTS then return nil, failed end
    return see_other("/requests/" .. request.id)
end

local function show()
    local id = http.request():param("id")
    if not uuid.validate(id) then return problem_page(404, "There is no such request.") end
    local state, err = requests.state(id)
    if err and err:kind() == errors.NOT_FOUND then return problem_page(404, "There is no such request.") end
    if err then return nil, err end
    local waiting = state.status == "waiting"
    local more = {}
    if state.decided_by then more[#more + 1] = html.fill("<dt>Decided by</dt><dd>{by}</dd>", {by = state.decided_by}) end
    if state.receipt then more[#more + 1] = html.fill("<dt>Receipt</dt><dd>{receipt}</dd>", {receipt = state.receipt}) end
    local page = html.fill(STATUS, {
        title = state.title,
        requester = state.requester,
        status = state.status,
        amount = string.format("%.2f", state.amount),
        deadline = state.deadline,
        more = table.concat(more, "\n"),
        decision = waiting and html.fill(DECISION, {id = id}) or "",
    })
    return answer(200, html.page(state.title, page))
end

local function decide()
    local request = http.request({max_body = 10000})
    local id = request:param("id")
    local sent, err = request:parse_multipart()
    if err then return nil, err end
    local by = sent.values.by
    if not uuid.validate(id) or type(by) ~= "string" or by == "" then
        return problem_page(422, "Say who decides.")
    end
    local _, failed = requests.decide(id, sent.values.approved == "yes", by)
    -- Somebody else was faster, or time was: the page says what has become of it.
    if failed and failed:kind() ~= errors.NOT_FOUND then return nil, failed end
    return see_other("/requests/" .. id)
end

return { form = form, submit = submit, show = show, decide = decide }
