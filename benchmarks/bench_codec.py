"""How fast JSON becomes Lua values and back, against orjson alone (to Python values) and against orjson with lupa."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import lupa.lua55
import orjson
import pytest

from fleet import _core

ENGINE = """
local core = ...
local text, value
local operations = {
    load = function(event) text, value = event.text, core.json_decode(event.text) end,
    decode = function(event) for _ = 1, event.times do core.json_decode(text) end end,
    encode = function(event) for _ = 1, event.times do core.json_encode(value) end end,
}
return {
    apply = function(event) operations[event.operation](event) end,
    flush = function() end,
    failed = function() end,
}
"""

BATCH = 1_000_000  # bytes of JSON that one timed call goes through, so that entering Lua does not count


def order(dice: random.Random, number: int) -> dict[str, Any]:
    """A document as the applications of the examples exchange it, of about 350 bytes."""
    return {
        "order_id": f"ord-{number:06d}",
        "customer": {"name": "Alice Example", "email": "alice@example.com", "vip": number % 2 == 0},
        "items": [
            {"sku": f"SKU-{i}", "quantity": i + 1, "price": round(dice.uniform(1, 100), 2), "tags": ["new", "sale"]}
            for i in range(3)
        ],
        "total": round(dice.uniform(1, 1000), 2),
        "currency": "EUR",
        "created": 1_700_000_000 + number,
    }


def text_heavy(dice: random.Random) -> list[str]:
    """Paragraphs, a fifth of them not ASCII."""
    latin = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. "
    return [
        "注文を受け付けました。" * dice.randint(1, 20) if i % 5 == 0 else latin * dice.randint(1, 10)
        for i in range(200)
    ]


def nested(levels: int) -> dict[str, Any]:
    """An object in an object in an object ..."""
    value: dict[str, Any] = {"level": 0}
    for level in range(1, levels):
        value = {"level": level, "inner": value}
    return value


def documents() -> dict[str, bytes]:
    """The texts, by what they are."""
    dice = random.Random(1)
    values: dict[str, Any] = {
        "small (350 B)": order(dice, 1),
        "medium (50 KB)": [order(dice, i) for i in range(140)],
        "large (2 MB)": [order(dice, i) for i in range(5600)],
        "numbers (75 KB)": [[dice.random() for _ in range(50)] + [dice.getrandbits(40) for _ in range(50)]] * 50,
        "text (65 KB)": text_heavy(dice),
        "nested (2 KB)": nested(100),
        "one object of 1000 members (26 KB)": {f"customer-{dice.getrandbits(40):x}": i for i in range(1000)},
    }
    return {name: orjson.dumps(value) for name, value in values.items()}


DOCUMENTS = documents()
SUITES = pytest.mark.parametrize("name", DOCUMENTS)


class Codec:
    """A Lua state that decodes and encodes one document again and again."""

    def __init__(self, text: bytes) -> None:
        self.state = _core.LuaState(engine="bench_codec_engine", memory_limit=1 << 30)
        self.state.set_program(_core.Program({}, None))
        self.step({"operation": "load", "text": text})

    def step(self, event: dict[str, Any]) -> None:
        self.state.step(event, 60.0, flush=False)


@pytest.fixture
def codec(name: str) -> Iterator[Codec]:
    _core.set_modules({"bench_codec_engine": _core.compile_lua(ENGINE.encode(), "@bench_codec_engine")})
    codec = Codec(DOCUMENTS[name])
    yield codec
    codec.state.close()


def times(name: str) -> int:
    """How often one timed call goes through the document."""
    return max(1, BATCH // len(DOCUMENTS[name]))


def repeat(work: Callable[[], Any], count: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(count):
            work()

    return run


@SUITES
def test_decode(measure: Any, codec: Codec, name: str) -> None:
    event = {"operation": "decode", "times": times(name)}
    measure(f"JSON to values: {name}", "fleet", lambda: codec.step(event), operations=times(name))


@SUITES
def test_decode_orjson(measure: Any, name: str) -> None:
    text = DOCUMENTS[name]
    work = repeat(lambda: orjson.loads(text), times(name))
    measure(f"JSON to values: {name}", "orjson.loads", work, operations=times(name))


@SUITES
def test_decode_orjson_and_lupa(measure: Any, name: str) -> None:
    text, runtime = DOCUMENTS[name], lupa.lua55.LuaRuntime()
    count = max(1, times(name) // 20)
    work = repeat(lambda: runtime.table_from(orjson.loads(text), recursive=True), count)
    measure(f"JSON to values: {name}", "orjson.loads, lupa table_from", work, operations=count)


@SUITES
def test_encode(measure: Any, codec: Codec, name: str) -> None:
    event = {"operation": "encode", "times": times(name)}
    measure(f"values to JSON: {name}", "fleet", lambda: codec.step(event), operations=times(name))


@SUITES
def test_encode_orjson(measure: Any, name: str) -> None:
    value = orjson.loads(DOCUMENTS[name])
    work = repeat(lambda: orjson.dumps(value, option=orjson.OPT_SORT_KEYS), times(name))
    measure(f"values to JSON: {name}", "orjson.dumps, keys sorted", work, operations=times(name))


def plain(value: Any) -> Any:
    """A lupa table as Python lists and dicts."""
    if lupa.lua55.lua_type(value) != "table":
        return value
    if len(value):
        return [plain(item) for item in value.values()]
    return {key: plain(item) for key, item in value.items()}


@SUITES
def test_encode_lupa_and_orjson(measure: Any, name: str) -> None:
    table = lupa.lua55.LuaRuntime().table_from(orjson.loads(DOCUMENTS[name]), recursive=True)
    count = max(1, times(name) // 20)
    work = repeat(lambda: orjson.dumps(plain(table), option=orjson.OPT_SORT_KEYS), count)
    measure(f"values to JSON: {name}", "lupa to Python, orjson.dumps", work, operations=count)
