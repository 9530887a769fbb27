"""Histories from files: what is taken, and what is said of what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from recorded_run import Recorded
from temporalio.api.history.v1 import History

from fleet.replay import HistoryError, history_files, read_history


def test_every_form_gives_the_same_events(recorded: Recorded, tmp_path: Path) -> None:
    events = list(recorded.history.events)
    exported = json.loads(recorded.exported.read_text())
    forms = {
        "sdk.json": recorded.history.to_json().encode(),
        "cli.json": recorded.exported.read_bytes(),
        "list.json": json.dumps(exported["events"]).encode(),
        "wrapped.json": json.dumps({"history": exported}).encode(),
        "history.pb": History(events=events).SerializeToString(),
    }
    for name, data in forms.items():
        path = tmp_path / name
        path.write_bytes(data)
        history = read_history(path)
        assert list(history.events) == events, name
        assert history.workflow_id == recorded.history.workflow_id
    assert len(list(history_files([str(tmp_path)]))) == len(forms)


def test_file_name_stands_in_for_a_missing_workflow_id(recorded: Recorded, tmp_path: Path) -> None:
    document = json.loads(recorded.exported.read_text())
    del document["events"][0]["workflowExecutionStartedEventAttributes"]["workflowId"]
    path = tmp_path / "order-7.json"
    path.write_text(json.dumps(document))
    assert read_history(path).workflow_id == "order-7"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"{", "not JSON: "),
        (b"{}", "no workflow history: it has no list `events`"),
        (b'{"events": []}', "the history has no events"),
        (b'{"events": [{"eventId": "x"}]}', "no workflow history: "),
        (b'{"events": [{"eventType": "EVENT_TYPE_TIMER_FIRED"}]}', "the first event is not WorkflowExecutionStarted"),
        (b"\xff\xff\xff", "neither JSON nor a protobuf temporal.api.history.v1.History"),
    ],
)
def test_refusals(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "history"
    path.write_bytes(data)
    with pytest.raises(HistoryError) as refusal:
        read_history(path)
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_decoded_payloads_are_explained(recorded: Recorded, tmp_path: Path) -> None:
    document = json.loads(recorded.exported.read_text())
    document["events"][0]["workflowExecutionStartedEventAttributes"]["input"] = {"payloads": [{"id": "1"}]}
    path = tmp_path / "decoded.json"
    path.write_text(json.dumps(document))
    with pytest.raises(HistoryError, match="its payloads are decoded"):
        read_history(path)


def test_missing_file_and_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot be read: No such file"):
        read_history(tmp_path / "none.json")
    with pytest.raises(HistoryError, match="no histories in this directory"):
        list(history_files([str(tmp_path)]))
