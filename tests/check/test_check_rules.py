"""One test for each rule of `fleet check`, reading the message, the place and the hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_apps import Check, activity, entry, lines, main, workflow

from fleet.check import check_app
from fleet.registry import Problem, load_app


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, [problem.render() for problem in problems]
    return problems[0]


def told(problems: list[Problem]) -> tuple[str, str]:
    problem = only(problems)
    return f"{problem.severity} {problem.place} {problem.message}", problem.hint


# Syntax


def test_syntax_error(check_workflow: Check) -> None:
    problems = check_workflow("local function main()\n  if x = 1 then\n  end\nend\n")
    assert told(problems) == (
        "error flow.lua:2 'then' expected near '=' (column 8)",
        "to compare, write '=='",
    )
    assert problems[0].entry == "app:flow"


def test_syntax_error_in_lua_inside_yaml_has_the_line_of_the_yaml_file(tmp_path: Path) -> None:
    (tmp_path / "_index.yaml").write_text(
        "namespace: app\nentries:\n- name: f\n  kind: function.lua\n  method: main\n  source: |\n"
        "    local x = 1\n    return { main = x x }\n"
    )
    problem = only(check_app(load_app(tmp_path)))
    assert problem.place == "_index.yaml:8"
    assert problem.message == "'}' expected near 'x' (column 19)"


def test_finding_in_lua_inside_yaml_has_the_line_of_the_yaml_file(tmp_path: Path) -> None:
    (tmp_path / "_index.yaml").write_text(
        "namespace: app\nentries:\n- name: f\n  kind: function.lua\n  method: main\n  source: |\n"
        "    return {\n      main = function() return nowhere end }\n"
    )
    assert only(check_app(load_app(tmp_path))).place == "_index.yaml:8"


def test_file_of_two_entries_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "f.lua").write_text("return { main = function() return nowhere end }")
    (tmp_path / "_index.yaml").write_text(
        "namespace: app\nentries:\n"
        + "".join(
            f"- {{name: {name}, kind: function.lua, method: main, source: 'file://f.lua'}}\n" for name in ("a", "b")
        )
    )
    assert only(check_app(load_app(tmp_path))).entry == "app:a"


# Names


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("return tosting(input)", "error flow.lua:2 undefined global 'tosting'", "did you mean 'tostring'?"),
        ("return nosuchthing", "error flow.lua:2 undefined global 'nosuchthing'", "declare it with local, or pass it as"
         " an argument"),
        ("local amount = 1\nreturn amont", "error flow.lua:3 undefined global 'amont'", "did you mean 'amount'?"),
        ("if done then return 1 end", "warning flow.lua:2 global 'done' is not defined, so it is always nil here",
         None),
        ("if order then local n = 1 end\nreturn n", "error flow.lua:3 undefined global 'n'",
         "the local 'n' of line 2 ends with its block: declare it before that block"),
        ("return loadstring('x')", "error flow.lua:2 undefined global 'loadstring'", "Lua 5.5 has load(text)"),
        ("return mian()\n+ mian()", "error flow.lua:2 undefined global 'mian'", "did you mean 'main'?; also at line 3"),
        ("total = 1\nreturn total", "warning flow.lua:2 assignment to global 'total': global state",
         "write 'local total' (or 'global total' if it is meant to be one)"),
        ("print = nil", "warning flow.lua:2 assignment to 'print' replaces what the runtime provides under that name",
         "use another name, or 'local print' if that is meant"),
        ("function helper() end", "warning flow.lua:2 assignment to global 'helper': global state",
         "write 'local helper' (or 'global helper' if it is meant to be one)"),
    ],
)  # fmt: skip
def test_globals(check_workflow: Check, body: str, message: str, hint: str | None) -> None:
    found = told(check_workflow(main(body)))
    assert found[0] == message
    assert hint is None or found[1] == hint


@pytest.mark.parametrize(
    "body",
    [
        "global total\ntotal = 1\nreturn total + #print and 1",
        "_G.total = 1\nreturn total",
        "local unpack = table.unpack or unpack\nreturn unpack(input)",
        "local _ENV = { x = 1 }\nx = x + y",
        "return input.io, input.total, { io = 1 }",
        "for i, v in ipairs(input) do local n = i end",
        "local f\nf = function() return f() end",
        "return utf8.char(1), warn, _VERSION, subscribe, unsubscribe, package.loaded",
    ],
)
def test_globals_that_are_fine(check_workflow: Check, body: str) -> None:
    body = body.replace("#print and 1", "1")
    assert check_workflow(main(body)) == []


def test_module_that_is_not_listed_is_no_global(check_workflow: Check) -> None:
    assert told(check_workflow(main("return json.encode(input)"), modules=["funcs"])) == (
        "error flow.lua:2 undefined global 'json'",
        "'json' is a module: add 'json' to 'modules:' of app:flow",
    )


def test_local_declared_later_in_an_outer_block(check_workflow: Check) -> None:
    source = "local function main()\n  return helper()\nend\nlocal helper = function() end\nreturn { main = main }"
    assert told(check_workflow(source)) == (
        "error flow.lua:2 undefined global 'helper'",
        "'helper' is declared local later, at line 4: move it up, above line 1",
    )


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("return io.open('x')", "'io.open' does not exist in workflows", "there are no files here"),
        ("return os.getenv('HOME')", "'os.getenv' does not exist in workflows", "use env.get(…) in a function.lua"),
        ("local os = require('os')\nos.exit(1)", "'os.exit' does not exist in workflows", "end with return"),
        ("return debug.getinfo(1)", "'debug.getinfo' does not exist in workflows", "only debug.traceback"),
        ("return dofile('x.lua')", "'dofile' does not exist in workflows", "put the code into a library.lua entry"),
        ("return loadfile('x.lua')", "'loadfile' does not exist in workflows", "put the code into a library.lua"),
        ("return package.loadlib('x', 'y')", "'package.loadlib' does not exist in workflows", "native libraries"),
        ("return string.dump(main)", "'string.dump' does not exist in workflows", "bytecode is not available"),
        ("setmetatable({}, { __gc = print })", "finalizers ('__gc') are refused in workflows", "local x <close>"),
        ("setmetatable({}, { __mode = 'k' })", "weak tables ('__mode') are refused in workflows", "remove entries"),
    ],
)
def test_what_is_absent_in_workflows(check_workflow: Check, body: str, message: str, hint: str) -> None:
    problem = only(check_workflow(main(body)))
    assert (problem.severity, problem.message) == ("error", message)
    assert hint in problem.hint


def test_what_is_made_safe_in_workflows(check_workflow: Check) -> None:
    body = """
        collectgarbage()
        print(os.time(), os.date(), os.clock(), os.difftime(1, 2), os.platform, math.random(), debug.traceback())
        return setmetatable({}, { __index = input, __close = print }), load("return 1")
    """
    assert check_workflow(main(body)) == []


def test_absent_name_that_is_only_asked_for(check_workflow: Check) -> None:
    problem = only(check_workflow(main("if os.getenv then return 1 end")))
    assert (problem.severity, problem.message) == ("warning", "'os.getenv' does not exist in workflows")


def test_absent_names_in_functions(check_function: Check) -> None:
    assert told(check_function(main("return io.read()")))[0] == "error code.lua:2 'io.read' does not exist here"


# Modules


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("require('tiem')", "module 'tiem' not found", "did you mean 'time'?"),
        ("require('json')", "module 'json' is not among the modules of this entry",
         "'json' is a module: add 'json' to 'modules:' of app:flow"),
        ("require('http_client')", "module 'http_client' is not among the modules of this entry",
         "'http_client' is not available in workflows: it does network I/O, and a replay would do it again. Do it in a"
         " function.lua entry and call that with funcs.call"),
        ("require('sql')", "module 'sql' not found", "there is no module 'sql' in this runtime"),
        ("require('money')", "module 'money' not found",
         "name the library under 'imports:', as in 'money: app:money', then require(\"money\")"),
        ("require('app:money')", "module 'app:money' not found",
         "libraries are required by their alias: 'imports: {money: app:money}', then require(\"money\")"),
        ("require('lib.helpers')", "module 'lib.helpers' not found",
         "files are not searched: put shared code into a library.lua entry and name it under 'imports:'"),
    ],
)  # fmt: skip
def test_required_modules(check_workflow: Check, text: str, message: str, hint: str) -> None:
    money = entry("money", "library.lua", "return {}")
    found = told(
        check_workflow(f"local m = {text}\nreturn {{ main = function() return m end }}", money, modules=["time"])
    )
    assert found == (f"error flow.lua:1 {message}", hint)


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("time.slep('1s')", "'time' has no 'slep'", "did you mean 'sleep'?"),
        ("local t = require('time')\nt.slep('1s')", "'time' has no 'slep'", "did you mean 'sleep'?"),
        ("return crypto.random.byte(1)", "'crypto.random' has no 'byte'", "did you mean 'bytes'?"),
        ("return process.event.EXITED", "'process.event' has no 'EXITED'", "did you mean 'EXIT'?"),
        ("return errors.NOTFOUND", "'errors' has no 'NOTFOUND'", "did you mean 'NOT_FOUND'?"),
        ("return math.pow(2, 3)", "'math' has no 'pow'", "write x ^ y"),
        ("return table.getn(input)", "'table' has no 'getn'", "write #t"),
        ("return time.now():plus('1s')", "a Time has no 'plus'", "it has: add"),
        ("local ch = channel.new(1)\nch:recieve()", "a Channel has no 'recieve'", "did you mean 'receive'?"),
        ("funcs.new():cal('app:charge_payment')", "a Executor has no 'cal'", "did you mean 'call'?"),
        ("local s = process.with_options({})\ns = s:with_nam('x')", "a Spawner has no 'with_nam'", "'with_name'?"),
        ("time:sleep('1s')", "time:sleep(…) passes the module itself as the first argument", "write time.sleep(…)"),
        ("local ch = channel.new(1)\nreturn ch.receive()", "'receive' is a method", "write ch:receive(…)"),
        ("logger.info('x')", "'info' is a method", "write logger:info(…)"),
    ],
)
def test_members(check_workflow: Check, body: str, message: str, hint: str) -> None:
    problem = only(check_workflow(main(body)))
    assert (problem.severity, problem.message) == ("warning", message)
    assert hint in problem.hint


@pytest.mark.parametrize(
    "body",
    [
        "if math.pow then return math.type(1) end",
        "function string.trim(s) return s end\nreturn string.trim('x')",
        "local ch = channel.new()\nreturn ch.receive(ch)",
        "local time = input.time\ntime.slep()",
        "local t = order and time or input\nt.slep()",
        "local log = logger:named('x'):with({})\nlog:info('x')",
        "return funcs.async('app:charge_payment'):response():receive()",
        "return json.null, json.object{}, workflow.set_query('a', 1), workflow.continue_as_new()",
    ],
)
def test_members_that_are_fine(check_workflow: Check, body: str) -> None:
    assert check_workflow(main(body)) == []


def test_duration_text(check_workflow: Check) -> None:
    assert told(check_workflow(main("time.sleep('5 minutes')"))) == (
        "error flow.lua:2 time.sleep: '5 minutes' is not a duration",
        "numbers with units, such as 250ms, 1.5s, 5m or 1h30m",
    )


# Entry ids


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("funcs.call('app:charge_paymnt')", "funcs.call: unknown function 'app:charge_paymnt'",
         "did you mean 'app:charge_payment'?"),
        ("funcs.async('shop:charge_payment')", "funcs.async: unknown function 'shop:charge_payment'",
         "did you mean 'app:charge_payment'?"),
        ("local ID <const> = 'app:' .. 'chrge_payment'\nfuncs.call(ID)",
         "funcs.call: unknown function 'app:chrge_payment'", "did you mean 'app:charge_payment'?"),
        ("local ids = { pay = 'app:pay' }\nfuncs.call(ids.pay)", "funcs.call: unknown function 'app:pay'", None),
        ("local call = funcs.call\ncall('app:pay')", "funcs.call: unknown function 'app:pay'", None),
        ("local e = funcs.new():with_options{}\ne:call('app:pay')", "executor:call: unknown function 'app:pay'", None),
        ("funcs.new():with_context({}):async('app:pay')", "executor:async: unknown function 'app:pay'", None),
        ("local e = funcs.new()\nif order then e = e:with_options{} end\nfuncs.call('app:pay')",
         "funcs.call: unknown function 'app:pay'", None),
        ("funcs.call('charge_payment')", "funcs.call: 'charge_payment' is no entry id (namespace:name)",
         "did you mean 'app:charge_payment'?"),
        ("funcs.call('')", "funcs.call: function ID required, got ''", None),
        ("funcs.call()", "funcs.call without the id of a function", "write the entry id as first argument"),
        ("funcs.call('app:child_workflow')", "funcs.call: 'app:child_workflow' is a workflow, not a function",
         "run it as a child with workflow.exec(\"app:child_workflow\", …), or start it with process.spawn"),
        ("funcs.call('app:worker')", "funcs.call: 'app:worker' is a temporal.worker, not a function", None),
        ("funcs.call('app:plain')", "funcs.call: 'app:plain' is no activity, and workflow app:flow can call activities"
         " only", "add 'meta: {temporal: {activity: {worker: app:worker}}}' to app:plain"),
        ("process.spawn('app:child_workflo', 'app:worker')", "process.spawn: unknown workflow 'app:child_workflo'",
         "did you mean 'app:child_workflow'?"),
        ("process.spawn_monitored('app:charge_payment', 'app:worker')",
         "process.spawn_monitored: 'app:charge_payment' is a function.lua, not a workflow",
         'call it with funcs.call("app:charge_payment", …)'),
        ("process.spawn('app:child_workflow', 'app:other_worker')",
         "process.spawn: workflow 'app:child_workflow' is served by worker 'app:worker', not by 'app:other_worker'",
         "write 'app:worker' as the host"),
        ("process.exec('app:child_workflow', 'app:processes')",
         "process.exec: 'app:child_workflow' is a workflow, and 'app:processes' is a process.host",
         "the host of a workflow is its temporal.worker: 'app:worker'"),
        ("process.exec('app:child_workflow', 'app:temporal')", "process.exec: host 'app:temporal' is a temporal.client",
         "give a temporal.worker or process.host"),
        ("process.spawn('app:child_workflow')", "process.spawn requires at least id and host arguments", None),
        ("local s = process.with_options({}):with_name('x')\ns:spawn('app:child', 'app:worker')",
         "spawner:spawn: unknown workflow 'app:child'", "did you mean 'app:child_workflow'?"),
        ("local s = process.with_options({})\nif id then s = s:with_name(id) end\ns:spawn('app:chld', 'app:worker')",
         "spawner:spawn: unknown workflow 'app:chld'", None),
        ("process.spawn('app:charge_payment', input.host)",
         "process.spawn: 'app:charge_payment' is a function.lua, not a workflow or process", None),
        ("workflow.exec('app:child_worklow')", "workflow.exec: unknown workflow 'app:child_worklow'",
         "did you mean 'app:child_workflow'?"),
        ("workflow.exec('app:charge_payment')", "workflow.exec: 'app:charge_payment' is a function.lua, not a workflow",
         None),
        ("workflow.exec('app:unbound')", "workflow.exec: workflow 'app:unbound' is bound to no worker",
         "set meta.temporal.workflow.worker of app:unbound"),
        ("process.upgrade('app:flw', input)", "process.upgrade: unknown workflow 'app:flw'",
         "did you mean 'app:flow'?"),
        ("process.spawn('app:ticker', 'app:worker')", "process.spawn: 'app:ticker' is a process.lua, not a workflow",
         "processes are spawned on a process.host"),
        ("process.spawn('app:plain', 'app:processes')", "process.spawn: 'app:plain' is a function.lua, not a process",
         None),
    ],
)  # fmt: skip
def test_entry_ids(check_workflow: Check, body: str, message: str, hint: str | None) -> None:
    code = "return { main = function() end }"
    plain = entry("plain", "function.lua", code)
    unbound = entry("unbound", "workflow.lua", code, meta={})
    ticker = entry("ticker", "process.lua", code)
    problem = only(check_workflow(main(body), plain, unbound, ticker))
    assert (problem.severity, problem.message) == ("error", message)
    assert hint is None or hint in problem.hint


@pytest.mark.parametrize(
    "body",
    [
        "funcs.new():with_options{['activity.task_queue'] = 'python'}:call('charge')",
        "funcs.new():with_options{['temporal.activity.task_queue'] = order.queue}:call('charge')",
        "funcs.new():with_options(input.options):call('charge')",
        "local opts = {}\nopts['activity.task_queue'] = 'python'\nfuncs.new():with_options(opts):call('charge')",
        "process.spawn('PythonWorkflow', 'python-queue', 1)",
        "process.exec('PythonWorkflow', 'python-queue')",
        "process.spawn('PythonWorkflow', input.queue)",
        "process.spawn(input.id, 'app:worker')",
        "process.spawn(table.unpack(input))",
        "funcs.call(input.action)",
        "process.upgrade(nil, input)",
        "process.upgrade('app:child_workflow', input)",
    ],
)
def test_ids_that_are_not_ours_to_check(check_workflow: Check, body: str) -> None:
    assert check_workflow(main(body)) == []


def test_later_executor_options_replace_earlier_ones(check_workflow: Check) -> None:
    body = "local e = funcs.new():with_options{['activity.task_queue'] = 'q'}\ne:with_options{}:call('app:nope')"
    assert only(check_workflow(main(body))).message == "executor:call: unknown function 'app:nope'"


def test_host_that_is_nearly_a_worker(check_workflow: Check) -> None:
    assert told(check_workflow(main("process.spawn('app:child_workflow', 'app:workr')"))) == (
        "warning flow.lua:2 process.spawn: no entry 'app:workr', so it is taken as the name of a task queue",
        "did you mean 'app:worker'?",
    )


def test_id_with_a_host_of_run_time(check_workflow: Check) -> None:
    assert told(check_workflow(main("process.spawn('app:child_workflw', input.host)"))) == (
        "warning flow.lua:2 process.spawn: unknown workflow 'app:child_workflw'",
        "did you mean 'app:child_workflow'?",
    )


def test_function_may_call_what_is_no_activity(check_function: Check) -> None:
    plain = entry("plain", "function.lua", "return { main = function() end }")
    assert check_function(main("return funcs.call('app:plain')"), plain) == []


def test_function_calls_a_workflow(check_function: Check) -> None:
    assert told(check_function(main("return funcs.call('app:order_workflow')"))) == (
        "error code.lua:2 funcs.call: 'app:order_workflow' is a workflow, not a function",
        'workflows are started with process.spawn("app:order_workflow", "app:worker", …)',
    )


def test_workflow_exec_in_a_function(check_function: Check) -> None:
    assert told(check_function(main("return workflow.exec('app:order_workflow')"))) == (
        "error code.lua:2 workflow.exec works inside a workflow only",
        "use process.exec(id, worker, …) to run a workflow and wait for it",
    )


# Options


@pytest.mark.parametrize(
    ("owner", "options", "message", "hint"),
    [
        ("funcs.new()", "['activity.start_to_close_timout'] = '5s'",
         "error unknown activity option 'activity.start_to_close_timout'", "did you mean start_to_close_timeout?"),
        ("funcs.new()", "['temporal.activity.retries'] = 5",
         "error unknown activity option 'temporal.activity.retries'", "known: "),
        ("process", "['temporal.workflow.id_conflict'] = 'fail'",
         "error unknown workflow option 'temporal.workflow.id_conflict'", "did you mean id_conflict_policy?"),
        ("process", "['workflow.ids'] = 'x'", "error unknown workflow option 'workflow.ids'", "did you mean id?"),
        ("process", "['temporal.worfklow.id'] = 'x'", "warning option 'temporal.worfklow.id' has no effect",
         "did you mean 'temporal.workflow.id'?"),
        ("funcs.new()", "start_to_close_timeout = '5s'", "warning option 'start_to_close_timeout' has no effect",
         'write ["activity.start_to_close_timeout"]'),
        ("funcs.new()", "['workflow.id'] = 'x'", "warning 'workflow.id' has no effect on this call",
         "workflow options go to process.with_options"),
        ("process", "['workflow.id'] = 5", "error has the wrong type", ""),
        ("process", "['workflow.id'] = ''", "error id cannot be empty", ""),
        ("process", "['workflow.run_timeout'] = '5 minutes'", "error is not a duration", ""),
        ("process", "['workflow.run_timeout'] = true", "error must be a duration string or milliseconds number", ""),
        ("funcs.new()", "['activity.heartbeat_timeout'] = -5", "error must be 0 or more milliseconds", ""),
        ("process", "['workflow.id_reuse_policy'] = 'allow_duplicates'", "error is not a known value",
         "did you mean allow_duplicate?"),
        ("process", "['workflow.parent_close_policy'] = 'kill'", "error is not a known value", ""),
        ("process", "['workflow.wait_for_cancellation'] = 'true'",
         "error 'workflow.wait_for_cancellation' must be a boolean, got a string", "without quotes"),
        ("funcs.new()", "['activity.retry_policy'] = 3", "error has the wrong type", ""),
        ("funcs.new()", "['activity.retry_policy'] = { max_attempts = 3 }", "error unknown field",
         "did you mean maximum_attempts?"),
        ("funcs.new()", "['activity.retry_policy'] = { maximum_attempts = 1.5 }", "error has the wrong type", ""),
    ],
)  # fmt: skip
def test_options(check_workflow: Check, owner: str, options: str, message: str, hint: str) -> None:
    problem = only(
        check_workflow(main(f"local x = {owner}{':' if '(' in owner else '.'}with_options({{\n{options}\n}})"))
    )
    assert f"{problem.severity} {problem.message}" == message
    assert problem.place == "flow.lua:3"
    assert hint in problem.hint


@pytest.mark.parametrize(
    "body",
    [
        "process.with_options{['workflow.id'] = 'x' .. id, ['workflow.memo'] = input, ['workflow.run_timeout'] = 5000}",
        "process.with_options{['workflow.id_conflict_policy'] = 'use_existing'}",
        "process.with_options{['workflow.id_reuse_policy'] = 'ALLOW-DUPLICATE', ['workflow.versioning_intent'] = 1}",
        "process.with_options{['workflow.id_reuse_policy'] = input.policy, custom = 1, ['my.own.key'] = true}",
        "funcs.new():with_options{retry = { max_attempts = 3 }, ['activity.retry_policy'] = input.retry}",
        "funcs.new():with_options{['activity.retry_policy'] = { maximum_attempts = n, initial_interval = '1s',"
        " non_retryable_error_types = { 'INVALID', input.kind } }}",
        "funcs.new():with_options{['activity.summary'] = nil, ['activity.wait_for_cancellation'] = true}",
        "local o = {['workflow.cron_schedule'] = '* * * * *'}\nprocess.with_options(o):with_options{}",
    ],
)
def test_options_that_are_fine(check_workflow: Check, body: str) -> None:
    assert check_workflow(main(f"local n = 3\nreturn {body}" if "local" not in body else body)) == []


def test_cron_with_start_delay_across_two_calls(check_function: Check) -> None:
    body = """
        local s = process.with_options{['workflow.cron_schedule'] = '@daily'}
        s:with_options{
            ['workflow.start_delay'] = '5m' }
    """
    assert told(check_function(main(body))) == (
        "error code.lua:4 cron_schedule and start_delay cannot be set together: the server refuses to start such a"
        " workflow",
        "remove one of them; the schedule itself says when the first run is due",
    )


@pytest.mark.parametrize(
    "option", ["start_delay'] = '5m'", "enable_eager_start'] = true", "id_conflict_policy'] = 'fail'"]
)
def test_options_that_children_do_not_have(check_workflow: Check, check_function: Check, option: str) -> None:
    body = main(f"return process.with_options{{['temporal.workflow.{option}}}")
    name = option.partition("'")[0]
    assert only(check_workflow(body)).message == f"'temporal.workflow.{name}' cannot be set for a child workflow"
    assert check_function(body) == []


@pytest.mark.parametrize(
    ("search", "message", "hint"),
    [
        ("statsu = 'x'", "error search attribute 'statsu' is not declared on app:temporal",
         "did you mean 'status'? Else add 'statsu: Keyword' to 'search_attributes:' of app:temporal"),
        ("weight = 5", "error search attribute 'weight' is not declared on app:temporal",
         "add 'weight: Int' to 'search_attributes:' of app:temporal"),
        ("order_total = 'much'", "warning search attribute 'order_total' is declared as Double, and this is a string",
         "declare it as Keyword, or convert the value"),
    ],
)  # fmt: skip
def test_search_attributes(check_workflow: Check, check_function: Check, search: str, message: str, hint: str) -> None:
    for problem in (
        only(check_workflow(main(f"workflow.attrs({{ search = {{\n{search} }} }})"))),
        only(check_function(main(f"process.with_options{{['workflow.search_attributes'] = {{\n{search} }} }}"))),
    ):
        assert (f"{problem.severity} {problem.message}", problem.hint) == (message, hint)
        assert problem.line == 3


def test_search_attributes_that_are_fine(check_workflow: Check) -> None:
    body = "workflow.attrs({ search = { status = 'x', order_total = 5, [id] = 1 }, memo = { anything = 1 } })"
    assert check_workflow(main(body)) == []


def test_unknown_part_of_attrs(check_workflow: Check) -> None:
    assert told(check_workflow(main("workflow.attrs({ serch = { status = 'x' } })"))) == (
        "warning flow.lua:2 workflow.attrs: 'serch' has no effect",
        "did you mean 'search'?",
    )


# What chunks return


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("return { mian = function() end }", "error flow.lua:1 method 'main' not found in what the chunk returns",
         "did you mean 'main'?"),
        ("return { run = function() end, stop = 1 }",
         "error flow.lua:1 method 'main' not found in what the chunk returns",
         "it has: run, stop; add 'main = …' or change 'method:'"),
        ("local M = {}\nfunction M.run() end\nreturn M", "error flow.lua:3 method 'main' not found in what the chunk"
         " returns", "it has: run; add 'main = …' or change 'method:'"),
        ("local M = {}\nprint(M)\nreturn M", "warning flow.lua:3 method 'main' not found in what the chunk returns",
         "it is empty; add 'main = …' or change 'method:'"),
        ("local function main() end\n", "error flow.lua:1 the chunk returns nothing, so there is nothing to run",
         "end it with 'return { main = main }'"),
        ("return 'main'", "error flow.lua:1 the chunk must return a function, or a table of functions",
         "return { main = … }"),
        ("return {\nmain = 5 }", "error flow.lua:2 method 'main' is not a function", ""),
        ("local function main() end\nreturn { main = main,\nmain = main }", "warning flow.lua:3 duplicate key 'main'",
         "the value of line 2 is lost: remove one of the two"),
        ("local function main() end\nlocal function main() end\nreturn main",
         "warning flow.lua:2 function 'main' is defined twice",
         "this one hides the one of line 1: rename or remove one of the two"),
        ("local M = {}\nfunction M.main() end\nfunction M.main() end\nreturn M",
         "warning flow.lua:3 function 'M.main' is defined twice",
         "this one hides the one of line 2: rename or remove one of the two"),
        ("local x = funcs.call('app:charge_payment')\nreturn { main = function() return x end }",
         "error flow.lua:1 'funcs.call' in the body of the chunk, which runs when the code is loaded and cannot"
         " wait", "move it into the function 'main'"),
        ("local ch = channel.new()\nlocal x = ch:receive()\nreturn { main = function() return x end }",
         "error flow.lua:2 'receive' in the body of the chunk, which runs when the code is loaded and cannot wait",
         "move it into the function 'main'"),
    ],
)  # fmt: skip
def test_what_the_chunk_returns(check_workflow: Check, source: str, message: str, hint: str) -> None:
    problem = only(check_workflow(source))
    assert f"{problem.severity} {problem.place} {problem.message}" == message
    assert problem.hint == hint or "did you mean" in hint


@pytest.mark.parametrize(
    "source",
    [
        "return function() end",
        "local main = function() end\nreturn main",
        "local M = {}\nM.main = function() end\nreturn M",
        "local M = { main = print }\nreturn M",
        "local M = {}\nM['ma' .. 'in'] = print\nreturn M",
        "local M = {}\nfor _, name in ipairs({'main'}) do M[name] = print end\nreturn M",
        "return setmetatable({}, { __index = function() return print end })",
        "if os.platform then return { main = print } else return { main = warn } end",
        "local function main() local function main() end return main end\nreturn { main = main }",
    ],
)
def test_chunks_that_are_fine(check_workflow: Check, source: str) -> None:
    assert check_workflow(source) == []


# Libraries


def test_library_member(check_workflow: Check) -> None:
    money = entry("money", "library.lua", "local M = {}\nfunction M.format(x) return x end\nreturn M")
    source = "local money = require('money')\nreturn { main = function(x) return money.fromat(x) end }"
    assert told(check_workflow(source, money, imports={"money": "app:money"})) == (
        "warning flow.lua:2 library 'app:money' has no 'fromat'",
        "did you mean 'format'?",
    )


def test_library_is_a_global_under_its_alias(check_workflow: Check) -> None:
    money = entry("money", "library.lua", "return { format = tostring }")
    assert check_workflow(main("return cash.format(1)"), money, imports={"cash": "app:money"}) == []


def test_library_without_return(check_workflow: Check) -> None:
    money = entry("money", "library.lua", "local M = {}")
    assert told(check_workflow(main("return 1"), money)) == (
        "warning money.lua:1 the library returns nothing",
        "end it with a 'return' of its table of functions",
    )


def test_library_of_a_workflow_obeys_its_rules(check_workflow: Check) -> None:
    source = "return { weak = function() return setmetatable({}, { __mode = 'k' }) end }"
    money = entry("money", "library.lua", source)
    over = entry("over", "library.lua", "return require('money')", imports={"money": "app:money"})
    assert check_workflow(main("return 1"), money) == []
    problem = only(check_workflow(main("return 1"), money, over, imports={"over": "app:over"}))
    assert problem.message == (
        "weak tables ('__mode') are refused in workflows (workflow app:flow imports this library)"
    )


def test_library_calls_are_checked_for_the_workflows_that_import_it(check_workflow: Check) -> None:
    plain = entry("plain", "function.lua", "return { main = function() end }")
    library = entry("lib", "library.lua", "return { f = function() return funcs.call('app:plain') end }", ["funcs"])
    problem = only(check_workflow(main("return 1"), plain, library, imports={"lib": "app:lib"}))
    assert problem.place == "lib.lua:1"
    assert problem.message == "funcs.call: 'app:plain' is no activity, and workflow app:flow can call activities only"


def test_globals_of_a_library_are_its_own(check_workflow: Check) -> None:
    library = entry("lib", "library.lua", "global shared = 1\nreturn { get = function() return shared end }")
    problem = only(check_workflow(main("return shared"), library, imports={"lib": "app:lib"}))
    assert (problem.place, problem.message) == ("flow.lua:2", "undefined global 'shared'")


# The whole


def test_everything_is_told_at_once_in_order(check: Check) -> None:
    problems = check(
        entry("b", "function.lua", main("return nowhere")),
        entry("a", "workflow.lua", main("io.read()\nfuncs.call('app:x')"), ["funcs"]),
        entry("c", "function.lua", "return {"),
        activity("fine"),
        workflow("fine_flow"),
    )
    assert lines(problems) == [
        "error a.lua:2 'io.read' does not exist in workflows",
        "error a.lua:3 funcs.call: unknown function 'app:x'",
        "error b.lua:2 undefined global 'nowhere'",
        "error c.lua:1 unexpected symbol near <eof> (column 9)",
    ]
    assert problems[1].render() == (
        "a.lua:3: error: entry app:a: funcs.call: unknown function 'app:x'\n    known: app:b, app:c, app:fine"
    )
