from __future__ import annotations

import copy
import pickle

import pytest

from fleet.registry import AppError, Problem, Secret
from fleet.registry.problems import Report, did_you_mean, nearest, show


def test_a_problem_says_where_what_and_what_to_do() -> None:
    problem = Problem(
        "error",
        "is not a duration",
        file="app/_index.yaml",
        line=7,
        entry="app:client",
        field="connection_timeout",
        value='"10x"',
        expected="numbers with units",
        hint="write 10s",
    )
    assert problem.render() == (
        "app/_index.yaml:7: error: entry app:client: connection_timeout: is not a duration "
        '(got "10x", expected numbers with units)\n    write 10s'
    )


def test_what_is_not_known_is_left_out() -> None:
    assert Problem("warning", "odd").render() == "warning: odd"
    assert Problem("error", "odd", file="a.yaml").render() == "a.yaml: error: odd"


def test_an_app_error_renders_all_problems_by_file_and_line_and_repeats_none() -> None:
    report = Report()
    report.error("third", file="b.yaml", line=1)
    report.error("second", file="a.yaml", line=10)
    report.warning("first", file="a.yaml", line=9)
    report.error("second", file="a.yaml", line=10)
    error = AppError(report.problems)
    assert str(error) == "a.yaml:9: warning: first\na.yaml:10: error: second\nb.yaml:1: error: third"
    assert [problem.message for problem in error.errors] == ["second", "third"]


def test_nearest_ignores_case_and_gives_up_when_nothing_is_near() -> None:
    assert nearest("Adress", ["address", "auth"]) == "address"
    assert nearest("zzz", ["address", "auth"]) == ""
    assert did_you_mean("adress", ["address", "auth"]) == "did you mean address?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"


def test_long_values_are_cut() -> None:
    assert show("x" * 1000) == '"' + "x" * 78 + "…"
    assert show("Ärger\n") == '"Ärger\\n"'


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("sk-1234")
    assert "sk-1234" not in f"{secret} {secret!r} {secret!s:>10} {[secret]}"
    assert secret.reveal() == "sk-1234"
    assert secret == Secret("sk-1234") != Secret("other")
    assert secret != "sk-1234"
    assert len({secret, Secret("sk-1234")}) == 1
    assert copy.deepcopy({"key": secret})["key"] is secret
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
