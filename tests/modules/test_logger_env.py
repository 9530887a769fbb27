"""logger and env (spec/lua_api.md, section 14)."""

from __future__ import annotations

import logging
from typing import Any

import pytest

VARIABLES = """  - name: memory
    kind: env.storage.memory
  - name: color
    kind: env.variable
    variable: COLOR
    storage: app:memory
    default: blue
  - name: fixed
    kind: env.variable
    variable: FIXED
    storage: app:memory
    default: "1"
    readonly: true
  - name: unset
    kind: env.variable
    variable: UNSET
    storage: app:memory
"""


async def test_env(run_lua: Any) -> None:
    got = await run_lua(
        """
        local function kind(v, err) return {v == nil, err:kind(), err:message()} end
        local before = {env.get('COLOR'), env.get('app:color'), (env.get('color'))}
        local out = {before, env.set('COLOR', 'red'), env.get('COLOR'), 0, 0}
        out[6] = env.get_all()
        out[7] = {kind(env.get('')), kind(env.get('NOPE')), kind(env.get('UNSET')), kind(env.set('FIXED', '2')),
            kind(env.set('', 'x'))}
        return out
        """,
        extra=VARIABLES,
    )
    assert got[:3] == [["blue", "blue", "blue"], True, "red"]
    assert got[5] == {"COLOR": "red", "FIXED": "1"}
    assert got[6] == [
        [True, "INVALID", "variable name cannot be empty"],
        [True, "NOT_FOUND", "variable NOPE is not declared"],
        [True, "NOT_FOUND", "variable UNSET is not set"],
        [True, "PERMISSION_DENIED", "variable FIXED is read-only"],
        [True, "INVALID", "variable name cannot be empty"],
    ]


async def test_logger_writes_structured_lines(run_lua: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "fleet.script")
    await run_lua("""
        logger:info('plain')
        local child = logger:with({order = 5, [1] = 'left out'}):named('shop'):named('till')
        child:warn('paid', {order = 6, when = {deep = {1, 2}}, err = errors.new('bad'), f = print})
        logger:debug('d')
        logger:error('e', {})
    """)
    lines = [(r.levelname, r.getMessage(), r.fleet) for r in caplog.records if r.name == "fleet.script"]
    assert [line[:2] for line in lines] == [("INFO", "plain"), ("WARNING", "paid"), ("DEBUG", "d"), ("ERROR", "e")]
    assert lines[0][2] == {"entry": "app:script", "location": "script.lua:3"}
    fields = lines[1][2]
    assert fields["logger"] == "shop.till" and fields["order"] == 6 and fields["err"] == "bad"
    assert fields["when"] == {"deep": [1, 2]} and fields["location"] == "script.lua:5"
    assert str(fields["f"]).startswith("function") and 1 not in fields


async def test_logger_survives_any_fields(run_lua: Any) -> None:
    assert (
        await run_lua("""
        local t = {} t.self = t
        for i = 1, 300 do t['k' .. i] = t end
        logger:info('cycle', t)
        logger:info('bytes \\xff', {raw = '\\xfe'})
        return 'fine'
    """)
        == "fine"
    )


async def test_logger_is_called_with_a_colon(run_lua: Any) -> None:
    assert await run_lua("local ok, err = pcall(logger.info, 'text') return err") == (
        "bad argument to 'info' (logger expected; call it with ':', as in logger:info(...))"
    )
    assert "name cannot be empty" in await run_lua("local ok, err = pcall(logger.named, logger, '') return err")
    assert await run_lua("return type(logger)") == "userdata"


async def test_print_logs_its_arguments(run_lua: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fleet.script")
    await run_lua("print('a', 1, 2.5, nil, true, errors.new('e'))")
    assert [r.getMessage() for r in caplog.records if r.name == "fleet.script"] == ["a 1 2.5 nil true e"]
