from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.registry.nodes import Node
from fleet.registry.yamlfile import SyntaxProblem, parse_json, parse_yaml


def tree(text: str) -> Node:
    node = parse_yaml(text)
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-3", -3),
        ("0644", 0o644),
        ("0o644", 0o644),
        ("0xff", 255),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        # YAML 1.1 would make a boolean, a date and a number in base 60 of these.
        ("NO", "NO"),
        ("on", "on"),
        ("2024-01-31", "2024-01-31"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("!!float 1", 1),
        (":8080", ":8080"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    read = tree(f"a: {text}\nb: 1").plain()["a"]
    assert read == value and type(read) is type(value)


def test_every_value_knows_the_line_where_a_person_looks_for_it() -> None:
    root = tree("a: 1\nb:\n  c:\n    - x\n    - y: 2\n      z:\n        deep: true\n")
    assert root.line_of("a") == 1
    assert root.line_of("b") == 2
    assert root.line_of("b.c") == 3
    items = root.get("b.c")
    assert items is not None and isinstance(items.value, list)
    assert [item.line for item in items.value] == [4, 5]
    assert items.value[1].line_of("z.deep") == 7
    assert items.value[1].line_of("z.nothing") == 6


def test_the_text_of_a_block_begins_below_its_key() -> None:
    root = tree('inline: "x"\nblock: |\n  first\n  second\nplain:\n  text\n')
    lines = {key: node.text_line for key, node in root.value.items()}  # type: ignore[union-attr]
    assert lines == {"inline": 1, "block": 3, "plain": 6}


def test_anchors_aliases_and_merge_keys_work() -> None:
    text = "base: &base {a: 1, b: 1}\nmore: &more {b: 2, c: 2}\nx:\n  <<: [*base, *more]\n  c: 3\ny: *base\n"
    root = tree(text)
    assert root.plain()["x"] == {"a": 1, "b": 1, "c": 3}
    assert root.plain()["y"] == {"a": 1, "b": 1}
    assert root.line_of("y") == 6
    assert tree("x: &key name\ny: {*key : 1}\n&k2 z: *k2\n").plain() == {
        "x": "name",
        "y": {"name": 1},
        "z": "z",
    }
    assert tree('x: {"<<": 1}').plain() == {"x": {"<<": 1}}


def test_a_file_without_content_is_nothing() -> None:
    assert parse_yaml("") is None
    assert parse_yaml("# only a comment\n---\n") is None
    assert parse_json(" \n") is None


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3", 3, 'key "a" stands twice in the same map, on lines 1 and 3'),
        ('{"a": 1,\n "a": 2}', 2, 'key "a" stands twice in the same map, on lines 1 and 2'),
        ("a: b: c", 1, "not valid YAML: mapping values are not allowed"),
        ("a:\n\t- b", 2, "not valid YAML: found character that cannot start any token"),
        ('x: 1\na: "open\n', 3, "found unexpected end of stream while scanning a quoted scalar that begins on line 2"),
        ("a: 1\nb: *none", 2, "alias *none has no anchor &none above it"),
        ("a: &a\n  - *a", 2, "anchor &a contains itself"),
        ("a: 1\n---\nb: 2", 2, "more than one YAML document"),
        ("a: &a [1]\n*a : 3", 2, "a map key must be a plain text"),
        ("? [1, 2]\n: 3", 1, "a map key must be a plain text"),
        ("a: !python/object:os.system x", 1, "tag !python/object:os.system has no meaning here"),
        ("a: !!python/name:os.system x", 1, "has no meaning here"),
        ("a: !!set {x}", 1, "tag !!set has no meaning here"),
        ("a: !!int x", 1, '"x" is not what its tag !!int says'),
        ("a: 1\nb: \x01", 2, "not valid YAML: control characters are not allowed"),
        ("a: {<<: 1}", 1, "<< takes a map or a list of maps"),
        ("[" * 100_000, 1, "nested deeper than 100 levels"),
        ("- " * 100_000, 1, "nested deeper than 100 levels"),
    ],
)
def test_what_has_no_single_meaning_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        parse_yaml(text)
    assert message in caught.value.message
    assert caught.value.line == line


def test_aliases_cannot_make_a_tree_that_fills_memory_or_stack() -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
    with pytest.raises(SyntaxProblem, match="more than 200000 values once aliases are expanded"):
        parse_yaml(laughs)
    deep = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 5000))
    with pytest.raises(SyntaxProblem, match="nested deeper than 100 levels"):
        parse_yaml(deep)


def test_json_is_read_as_json_with_lines() -> None:
    text = '{\n\t"a": [1, 2.5, null, true],\n\t"b": "\\ud83d\\ude00 \\/ \\u00e4 \\\\ud83d",\n\t"c": {}\n}\n'
    root = parse_json(text)
    assert root is not None
    assert root.plain() == json.loads(text)
    assert root.line_of("b") == 3


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("{\n  a: 1}", 2, "not valid JSON: Expecting property name"),
        ('{"a": 1,\n // no\n "b": 2}', 2, "not valid JSON"),
        ('{"a": 1,\n "a": 2}', 2, 'key "a" stands twice'),
        ("[" * 100_000, 1, "nested deeper than 100 levels"),
    ],
)
def test_broken_json_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        parse_json(text)
    assert message in caught.value.message
    assert caught.value.line == line
