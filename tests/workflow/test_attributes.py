"""Search attributes and memo: workflow.attrs and the options of children (workflows.md 1, decision 35)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from bare_run import BareRun, TaskFailed, decoded, result, variants
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.common import SearchAttributeKey

from fleet.server.registration import ensure_search_attributes

DECLARED = {
    "status": "Keyword",
    "customer_id": "Keyword",
    "order_total": "Int",
    "rate": "Double",
    "paid": "Bool",
    "tags": "KeywordList",
    "due": "Datetime",
    "note": "Text",
}


def bare(bench: Any, body: str, **declared: str) -> BareRun:
    bench.search_attributes = declared or DECLARED
    bench.workflow(body, modules="time json workflow")
    return BareRun(bench.load())


def search(commands: list[WorkflowCommand]) -> dict[str, tuple[str, Any]]:
    """Type and value of each attribute that the first command sets."""
    fields = commands[0].upsert_workflow_search_attributes.search_attributes.indexed_fields
    return {name: (field.metadata["type"].decode(), decoded(field)) for name, field in fields.items()}


# ---- on a server


async def test_the_documents_sample(bench: Any) -> None:
    bench.search_attributes = DECLARED
    await ensure_search_attributes(await bench.client(), "default", DECLARED)
    bench.workflow(
        """
    local order = ...
    assert(workflow.attrs({
        search = {
            status = "processing",
            customer_id = order.customer_id,
            order_total = order.total,
            rate = 2, paid = false, tags = {"a", "b"}, due = time.unix(1700000000, 5000000), note = "some words",
        },
        memo = {
            notes = "Priority customer",
            source = "web",
            more = {lines = {1, 2.5}}
        }
    }))
    process.listen("go"):receive()
    workflow.attrs({search = {status = "done", tags = json.null}, memo = {source = json.null, notes = "x"}})
    """,
        modules="workflow time json",
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving, {"customer_id": "c-1", "total": 25})
        client = serving.clients["app:temporal"]
        query = f'WorkflowId = "{handle.id}" AND status = "processing" AND order_total > 20 AND tags IN ("a")'
        while not [found async for found in client.list_workflows(query)]:
            await asyncio.sleep(0.05)
        told = await handle.describe()
        attributes = {pair.key.name: pair.value for pair in told.typed_search_attributes}
        assert {name: value for name, value in attributes.items() if name in DECLARED} == {
            "status": "processing",
            "customer_id": "c-1",
            "order_total": 25,
            "rate": 2.0,
            "paid": False,
            "tags": ["a", "b"],
            "due": datetime.fromtimestamp(1700000000.005, UTC),
            "note": "some words",
        }
        assert await told.memo() == {"notes": "Priority customer", "source": "web", "more": {"lines": [1, 2.5]}}
        await handle.signal("go")
        outcome = await bench.outcome(handle)
        assert outcome.failure is None
        told = await handle.describe()
        assert told.typed_search_attributes[SearchAttributeKey.for_keyword("status")] == "done"
        assert SearchAttributeKey.for_keyword_list("tags") not in told.typed_search_attributes
        assert await told.memo() == {"notes": "x", "more": {"lines": [1, 2.5]}}
        await bench.replay(app, outcome)


async def test_a_child_starts_with_attributes_and_memo(bench: Any) -> None:
    bench.search_attributes = DECLARED
    await ensure_search_attributes(await bench.client(), "default", DECLARED)
    bench.workflow("return 1", name="child")
    bench.workflow(
        """
    return process.with_options({
        ["temporal.workflow.search_attributes"] = {customer_id = "cust-123", order_total = 7.0},
        ["workflow.typed_search_attributes"] = {rate = 1},
        ["temporal.workflow.memo"] = {source = "api"},
    }):exec("app:child", "app:worker")
    """
    )
    outcome = await bench.run()
    assert outcome.result == 1
    (initiated,) = outcome.attributes("start_child_workflow_execution_initiated")
    fields = initiated.search_attributes.indexed_fields
    assert {name: (field.metadata["type"], field.data) for name, field in fields.items()} == {
        "customer_id": (b"Keyword", b'"cust-123"'),
        "order_total": (b"Int", b"7"),
        "rate": (b"Double", b"1"),
    }
    assert decoded(initiated.memo.fields["source"]) == "api"


async def test_continue_as_new_keeps_them(bench: Any) -> None:
    bench.search_attributes = DECLARED
    await ensure_search_attributes(await bench.client(), "default", DECLARED)
    bench.workflow(
        """
    local round = ... or 1
    if round == 3 then return "third" end
    if round == 1 then
        workflow.attrs({search = {status = "first", tags = {"a"}}, memo = {source = "web", gone = json.null}})
    end
    workflow.continue_as_new(round + 1)
    """,
        modules="workflow json",
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving, memo={"kept": {"a": 1}, "gone": True})
        assert await handle.result() == "third"
        told = await handle.describe()
        assert told.typed_search_attributes[SearchAttributeKey.for_keyword("status")] == "first"
        assert told.typed_search_attributes[SearchAttributeKey.for_keyword_list("tags")] == ["a"]
        assert await told.memo() == {"kept": {"a": 1}, "source": "web"}


async def test_continue_as_new_without_any_memo_left(bench: Any) -> None:
    bench.workflow(
        """
    if ... then return "second" end
    workflow.attrs({memo = {gone = json.null}})
    workflow.continue_as_new(true)
    """,
        modules="workflow json",
    )
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving, memo={"gone": True})
        assert await handle.result() == "second"
        assert not any((await (await handle.describe()).memo()).values())


# ---- without a server


@pytest.mark.parametrize(
    ("lua", "sent"),
    [
        ('status = "new"', {"status": ("Keyword", "new")}),
        ("order_total = 25", {"order_total": ("Int", 25)}),
        ("order_total = 25.0", {"order_total": ("Int", 25)}),
        ("rate = 25", {"rate": ("Double", 25)}),
        ("rate = 0.5", {"rate": ("Double", 0.5)}),
        ("paid = false", {"paid": ("Bool", False)}),
        ('tags = {"a", "b"}', {"tags": ("KeywordList", ["a", "b"])}),
        ("tags = {}", {"tags": ("KeywordList", [])}),
        ("note = json.null", {"note": ("Text", None)}),
        ('due = "2026-01-02T03:04:05.5+01:00"', {"due": ("Datetime", "2026-01-02T02:04:05.5Z")}),
        ('[1] = "left out", status = "x"', {"status": ("Keyword", "x")}),
    ],
)
def test_values_get_the_declared_type(bench: Any, lua: str, sent: dict[str, Any]) -> None:
    run = bare(bench, f"assert(workflow.attrs({{search = {{{lua}}}}}))")
    assert search(run.start()) == sent


def test_nothing_to_set_is_no_command(bench: Any) -> None:
    run = bare(bench, "return {workflow.attrs({search = {}, memo = {}})}")
    commands = run.start()
    assert variants(commands) == ["complete_workflow_execution"]
    assert result(commands) == [True]


@pytest.mark.parametrize(
    ("lua", "said"),
    [
        ("{}", "at least one of search or memo required"),
        ("{search = 1}", "search must be a table, got number"),
        ('{search = {}, memo = "x"}', "memo must be a table, got string"),
        ("{search = {status = 5}}", 'search attribute "status": expected a string in UTF-8 (Keyword), got number'),
        ("{search = {order_total = 1.5}}", 'search attribute "order_total": expected an integer (Int), got number'),
        ("{search = {rate = 0/0}}", 'search attribute "rate": expected a finite number (Double), got number'),
        ('{search = {paid = "yes"}}', 'search attribute "paid": expected a boolean (Bool), got string'),
        (
            '{search = {tags = {"a", 5}}}',
            'search attribute "tags": expected a string at index 1 (KeywordList), got table',
        ),
        (
            "{search = {tags = {a = 1}}}",
            'search attribute "tags": expected a string at index 0 (KeywordList), got table',
        ),
        (
            '{search = {due = "tomorrow"}}',
            'search attribute "due": expected a time, or a string such as 2006-01-02T15:04:05Z (Datetime), got string',
        ),
        (
            "{search = {status = print}}",
            'search attribute "status": expected a string in UTF-8 (Keyword), got function',
        ),
        ("{memo = {a = {print}}}", 'memo "a": cannot encode a function at [1]'),
    ],
)
def test_values_that_do_not_fit(bench: Any, lua: str, said: str) -> None:
    run = bare(bench, f"local ok, err = workflow.attrs({lua}) return {{tostring(ok), err:kind(), err:message()}}")
    commands = run.start()
    assert variants(commands) == ["complete_workflow_execution"], "nothing is set when something is wrong"
    assert result(commands) == ["nil", "INVALID", said]


def test_no_table_raises(bench: Any) -> None:
    run = bare(bench, "return select(2, pcall(workflow.attrs, 5))")
    assert result(run.start()) == "bad argument #1 to 'attrs' (table expected, got number)"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ('"x"', "Keyword"),
        ("1", "Int"),
        ("1.5", "Double"),
        ("true", "Bool"),
        ("{}", "KeywordList"),
        ("time.now()", "Datetime"),
    ],
)
def test_an_undeclared_attribute_fails_the_task(bench: Any, value: str, kind: str) -> None:
    run = bare(bench, f"pcall(workflow.attrs, {{search = {{region = {value}}}}}) return 1", status="Keyword")
    with pytest.raises(TaskFailed) as failed:
        run.start()
    assert failed.value.failure.message == (
        f'search attribute "region" is not declared on app:temporal: add `region: {kind}` to its search_attributes:,'
        " and where `fleet dev` does not do it, run `temporal operator search-attribute create --namespace default"
        f" --name region --type {kind}` (declared are: status)"
    )


def test_an_undeclared_attribute_of_a_child_fails_the_task(bench: Any) -> None:
    run = bare(
        bench,
        """
    process.with_options({["temporal.workflow.search_attributes"] = {region = "eu"}}):exec("a:b", "queue")
    """,
    )
    with pytest.raises(TaskFailed, match='search attribute "region" is not declared on app:temporal'):
        run.start()


def test_a_child_option_that_does_not_fit(bench: Any) -> None:
    run = bare(
        bench,
        """
    local _, err = process.with_options({["workflow.search_attributes"] = {order_total = "many"}}):exec("a:b", "queue")
    return {err:kind(), err:message()}
    """,
    )
    assert result(run.start()) == [
        "INVALID",
        "invalid temporal workflow options for a:b: workflow.search_attributes.order_total: expected an integer (Int),"
        ' got "many"',
    ]
