"""A server that is up and does what was asked for."""

from __future__ import annotations

import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from time_skipping import start_time_skipping

from fleet.server import EmbeddedServer, ServerError, default_data_file, workflow_url
from fleet.server.ports import is_free

pytestmark = pytest.mark.asyncio


async def test_serves_the_namespaces_and_search_attributes_asked_for() -> None:
    wanted = {"Customer": "Keyword", "Amount": "double", "Tags": "keyword_list"}
    async with EmbeddedServer.start(namespaces=("shop", "default"), search_attributes=wanted) as server:
        assert server.namespace == server.client.namespace == "shop"
        assert server.ui_url is None and server.workflow_url("w") is None
        for namespace in ("shop", "default"):
            have = await server.client.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace=namespace)
            )
            assert set(wanted) <= set(have.custom_attributes)
    assert is_free("127.0.0.1", int(server.address.split(":")[1]))


async def test_a_search_attribute_can_be_used_at_once() -> None:
    async with EmbeddedServer.start() as server:
        await server.ensure_namespace("late", {"Customer": "Keyword"})
        client = await Client.connect(server.address, namespace="late")
        pair = SearchAttributePair(SearchAttributeKey.for_keyword("Customer"), "c-1")
        handle = await client.start_workflow(
            "any", id="w", task_queue="none", search_attributes=TypedSearchAttributes([pair])
        )
        assert (await handle.describe()).typed_search_attributes[SearchAttributeKey.for_keyword("Customer")] == "c-1"


async def test_the_ui_answers() -> None:
    async with EmbeddedServer.start(ui=True) as server:
        assert server.ui_url is not None
        with urllib.request.urlopen(server.ui_url) as answer:
            assert answer.status == 200
        url = server.workflow_url("order/7", "run-1")
        assert url == f"{server.ui_url}/namespaces/default/workflows/order%2F7/run-1/history"


async def test_a_restart_goes_on_where_the_last_server_stopped(tmp_path: Path) -> None:
    data_file = tmp_path / "state" / "temporal.db"
    async with EmbeddedServer.start(data_file=data_file, search_attributes={"Old": "Int"}) as first:
        await first.client.start_workflow("any", "argument", id="kept", task_queue="none")
    async with EmbeddedServer.start(
        data_file=data_file, namespaces=("default", "new"), search_attributes={"Old": "Int", "New": "Text"}, ui=True
    ) as second:
        assert second.address == first.address, "links of before stay good"
        description = await second.client.get_workflow_handle("kept").describe()
        assert description.status == WorkflowExecutionStatus.RUNNING
        have = await second.client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace="default")
        )
        assert {"Old", "New"} <= set(have.custom_attributes)
    assert second.log_file is not None and second.log_file.parent == data_file.parent


async def test_data_survives_a_killed_server(tmp_path: Path) -> None:
    data_file = tmp_path / "temporal.db"
    async with EmbeddedServer.start(data_file=data_file, stop_timeout=0) as server:
        await server.client.start_workflow("any", id="kept", task_queue="none")
    async with EmbeddedServer.start(data_file=data_file, stop_timeout=0) as server:
        assert (await server.client.get_workflow_handle("kept").describe()).id == "kept"


async def test_a_search_attribute_does_not_change_its_type(tmp_path: Path) -> None:
    async with EmbeddedServer.start(search_attributes={"Amount": "Int"}) as server:
        with pytest.raises(ServerError, match="'Amount' in namespace 'default' is Int, not Keyword"):
            await server.ensure_namespace("default", {"Amount": "Keyword"})
        with pytest.raises(ServerError, match="(?s)'X' has the unknown type 'number'.*one of Text, Keyword, Int"):
            await server.ensure_namespace("default", {"X": "number"})
        with pytest.raises(ServerError, match="(?s)cannot register search attributes .*asked for: .*Many0"):
            await server.ensure_namespace("default", {f"Many{i}": "Bool" for i in range(50)})
        with pytest.raises(ServerError, match="cannot (look up|register) the namespace"):
            await server.ensure_namespace("")


async def test_dynamic_config_reaches_the_server() -> None:
    async with EmbeddedServer.start(dynamic_config={"limit.maxIDLength": 20}) as server:
        with pytest.raises(Exception, match="exceeds maximum allowed length"):
            await server.client.start_workflow("any", id="x" * 21, task_queue="none")


async def test_workflow_url_without_a_run() -> None:
    assert workflow_url("http://ui/", "a b", "w") == "http://ui/namespaces/a%20b/workflows/w"


async def test_default_data_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    app, twin = tmp_path / "one" / "app", tmp_path / "two" / "app"
    app.mkdir(parents=True)
    file = default_data_file(app)
    assert file.parent.parent == tmp_path / "state" / "lua-fleet"
    assert file.parent.name.startswith("app-") and file.name == "temporal.db"
    assert file == default_data_file(app / ".." / "app") != default_data_file(twin)
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_data_file(app).is_relative_to(tmp_path / "home" / ".local" / "state" / "lua-fleet")


@workflow.defn
class SleepForAMonth:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(timedelta(days=30))
        return "rested"


async def test_the_time_skipping_server_of_the_tests() -> None:
    async with await start_time_skipping() as environment:
        client = environment.client
        worker = Worker(client, task_queue="q", workflows=[SleepForAMonth], workflow_runner=UnsandboxedWorkflowRunner())
        async with worker:
            assert await client.execute_workflow(SleepForAMonth.run, id="w", task_queue="q") == "rested"
