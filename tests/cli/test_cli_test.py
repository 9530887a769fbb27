"""fleet test."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from fleet_command import INDEX, Fleet

TESTS = {
    "passes": "return true",
    "says_nothing": "local x = 1",
    "calls": 'local charge, err = funcs.call("shop:charge", {amount = 3}) return not err and charge.amount == 3',
    "is_false": "return false",
    "says_why": 'return nil, "expected 1, got 2"',
    "has_error": 'return nil, errors.new({kind = errors.CONFLICT, message = "twice"})',
    "raises": 'error("boom")',
}


def with_tests(fleet: Fleet) -> str:
    entries = "".join(
        f"""  - name: {name}
    kind: function.lua
    method: main
    modules: [funcs, errors]
    meta: {{type: test, suite: {"good" if name in ("passes", "says_nothing", "calls") else "bad"}, tags: [x, "{name}"]}}
    source: |
      return {{ main = function() {body} end }}
"""
        for name, body in TESTS.items()
    )
    return str(fleet.app(_index__yaml=INDEX + entries))


def test_lines_summary_and_junit(fleet: Fleet) -> None:
    app = with_tests(fleet)
    done = fleet("test", app, "--junit", "out/report.xml")
    assert done.code == 1
    for name in ("passes", "says_nothing", "calls"):
        assert f"ok    shop:{name}  " in done.out
    for name, why in (
        ("is_false", "FAILED: main returned false"),
        ("says_why", "INTERNAL: expected 1, got 2"),
        ("has_error", "CONFLICT: twice"),
        ("raises", "boom"),
    ):
        line, reason = done.out[done.out.index(f"FAIL  shop:{name}  ") :].splitlines()[:2]
        assert "_index.yaml:" in line
        assert why in reason
    assert "3 passed, 4 failed in " in done.out
    root = ET.parse(fleet.home / "out/report.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("7", "4")
    assert {suite.get("name"): suite.get("failures") for suite in root} == {"good": "0", "bad": "4"}
    failure = root.find(".//testcase[@name='shop:has_error']/failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("CONFLICT", "twice")


def test_filters(fleet: Fleet) -> None:
    app = with_tests(fleet)
    done = fleet("test", app, "--filter", "suite=good", "--filter", "tags=passes")
    assert (done.code, done.out.count("ok    ")) == (0, 1)
    done = fleet("test", app, "--filter", "suite=god")
    assert done.code == 2
    assert "no test matches --filter suite=god" in done.err
    assert "there are: shop:passes, " in done.err
    done = fleet("test", app, "--filter", "good")
    assert (done.code, "'good' is not KEY=VALUE" in done.err) == (2, True)


def test_application_without_tests(fleet: Fleet) -> None:
    done = fleet("test", fleet.app())
    assert done.code == 2
    assert "the application has no tests\n    a test is a function.lua entry with meta.type: test" in done.err


def test_test_that_hangs(fleet: Fleet) -> None:
    app = fleet.app(
        _index__yaml=INDEX
        + """\
  - name: hangs
    kind: function.lua
    method: main
    modules: [time]
    meta: {type: test}
    source: |
      return { main = function() time.sleep("1h") end }
"""
    )
    done = fleet("test", app, "--timeout", "500ms")
    assert done.code == 1
    assert "TIMEOUT: not done after 0.5 s" in done.out


def test_unreachable_server(fleet: Fleet) -> None:
    done = fleet("test", with_tests(fleet), "--address", "127.0.0.1:1")
    assert done.code == 4
    assert "cannot connect to Temporal at 127.0.0.1:1" in done.err
