"""YAML and JSON text to nodes that know their lines.

Composed here from libyaml's events rather than by PyYAML's composer, because a file that people or programs wrote
must give a message whatever is in it: the stock composer drops duplicate keys silently, loses the place of a value,
and recurses in C until the process dies on deep nesting.

Untagged scalars follow the YAML 1.2 core schema, as the reference runtime's parser does: only ``true`` and ``false``
are booleans, so ``country: NO`` is a string, and so are dates and ``12:30``. Octal numbers may be ``0o644`` or
``0644``. Fields that are booleans by their kind take ``yes``/``no``/``on``/``off`` too (types.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from .nodes import Node, Scalar

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MAX_DEPTH = 100
_MAX_NODES = 200_000  # counted with aliases expanded: a few lines of nested aliases could ask for billions

_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o?([0-7]+)")
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}

_JSON_ESCAPE = re.compile(
    r"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?P<lone>u[dD][89a-fA-F]..)|.)"
)

_TAG = "tag:yaml.org,2002:"
_BLOCK_STYLES = ("|", ">")


class SyntaxProblem(Exception):
    """A file that is not YAML or JSON, or not in a form that has one meaning."""

    def __init__(self, message: str, line: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.hint = hint


def parse_yaml(text: str) -> Node | None:
    """Reads one YAML document.

    Returns:
        The tree, or None for a file without content.

    Raises:
        SyntaxProblem: with the line.
    """
    try:
        return _Composer(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        begun = f" {error.context}" if error.context else ""
        if error.context_mark and mark and error.context_mark.line != mark.line:
            begun += f" that begins on line {error.context_mark.line + 1}"
        # At the end of the input the mark is one past the last line.
        line = min(mark.line + 1, text.count("\n") + 1) if mark else 1
        if "nesting depth" in (error.problem or ""):
            # libyaml has a limit of its own, above ours, and reads ahead of what it hands out.
            raise _too_deep(line) from None
        raise SyntaxProblem(f"not valid YAML: {error.problem}{begun}", line, _yaml_hint(error.problem or "")) from None
    except yaml.reader.ReaderError as error:
        # libyaml counts bytes where PyYAML counts characters; near enough to find a control character.
        line = text.count("\n", 0, max(error.position, 0)) + 1
        raise SyntaxProblem(f"not valid YAML: {error.reason}", line) from None


def parse_json(text: str) -> Node | None:
    """Reads a JSON document; the same result and errors as ``parse_yaml``."""
    if not text.strip():
        return None
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise SyntaxProblem(f"not valid JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise _too_deep(1) from None
    # JSON is YAML but for two things: tabs between tokens (JSON allows none inside strings), and characters that are
    # escaped as two surrogates.
    return parse_yaml(_JSON_ESCAPE.sub(_join_surrogates, text.replace("\t", " ")))


def parse_scalar(text: str) -> Scalar:
    """The value of a plain (unquoted) YAML scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if match := _OCTAL.fullmatch(text):
        return int(match[1], 8)
    if _INTEGER.fullmatch(text):
        return int(text)
    if match := _HEXADECIMAL.fullmatch(text):
        return int(match[1], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _join_surrogates(escape: re.Match[str]) -> str:
    if escape["pair"]:
        return str(json.loads(f'"{escape[0]}"'))
    return "\ufffd" if escape["lone"] else escape[0]


def _yaml_hint(problem: str) -> str:
    if "cannot start any token" in problem:
        return "indent with spaces, not tabs, and put quotes around values that begin with @, ` or %"
    if "mapping values are not allowed" in problem:
        return "check the indentation, and put quotes around values that contain a colon and a space"
    return ""


def _too_deep(line: int) -> SyntaxProblem:
    return SyntaxProblem(f"nested deeper than {_MAX_DEPTH} levels", line)


@dataclass(slots=True)
class _Anchor:
    node: Node | None = None  # None while the node is being read
    size: int = 1  # nodes in it
    height: int = 0  # levels below it


@dataclass(slots=True)
class _Composer:
    """Builds nodes out of parser events, within ``_MAX_DEPTH`` and ``_MAX_NODES``; an alias counts as what it names."""

    events: Iterator[Any]
    anchors: dict[str, _Anchor] = field(default_factory=dict)
    count: int = 0
    deepest: int = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise SyntaxProblem("more than one YAML document", _line(event), "split it into files")
                root = self.node(next(self.events), 0)
        return None if root is None or root.value is None else root

    def node(self, event: Any, depth: int) -> Node:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(str(event.anchor), line, depth)
        if event.anchor is None:
            return self.fresh(event, line, depth)
        anchor = self.anchors[event.anchor] = _Anchor()
        count, deepest, self.deepest = self.count, self.deepest, depth
        node = self.fresh(event, line, depth)
        anchor.node, anchor.size, anchor.height = node, self.count - count, self.deepest - depth
        self.deepest = max(deepest, self.deepest)
        return node

    def fresh(self, event: Any, line: int, depth: int) -> Node:
        self.grow(1, depth, line)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            _refuse_tag(event, "seq")
            return Node(list(self.items(depth)), line)
        _refuse_tag(event, "map")
        return self.mapping(line, depth)

    def alias(self, name: str, line: int, depth: int) -> Node:
        anchor = self.anchors.get(name)
        if anchor is None:
            raise SyntaxProblem(f"alias *{name} has no anchor &{name} above it", line)
        if anchor.node is None:
            raise SyntaxProblem(f"anchor &{name} contains itself", line)
        self.grow(anchor.size, depth + anchor.height, line)
        return anchor.node.at(line)

    def grow(self, nodes: int, deepest: int, line: int) -> None:
        self.count += nodes
        self.deepest = max(self.deepest, deepest)
        if self.deepest > _MAX_DEPTH:
            raise _too_deep(line)
        if self.count > _MAX_NODES:
            raise SyntaxProblem(f"more than {_MAX_NODES} values once aliases are expanded", line)

    def items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            yield self.node(event, depth + 1)

    def mapping(self, line: int, depth: int) -> Node:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key_line = _line(event)
            key = self.key(event)
            value = self.node(next(self.events), depth + 1)
            if key == "<<" and not event.style:
                for source in _merge_sources(value, key_line):
                    merged = {**source, **merged}
                continue
            if key in own:
                raise SyntaxProblem(
                    f'key "{key}" stands twice in the same map, on lines {own[key].line} and {key_line}',
                    key_line,
                    "keep one of them: YAML gives no rule for which one counts",
                )
            own[key] = value.at(key_line)
        return Node({**merged, **own}, line)

    def key(self, event: Any) -> str:
        if isinstance(event, yaml.AliasEvent):
            value = self.alias(str(event.anchor), _line(event), 0)
            if isinstance(value.value, str):
                return value.value
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor is not None:
                self.anchors[event.anchor] = _Anchor(_scalar(event))
            return str(event.value)
        raise SyntaxProblem("a map key must be a plain text, not a map or a list", _line(event))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: Any) -> Node:
    line = _line(event)
    text: str = event.value
    text_line = line + 1 if event.style in _BLOCK_STYLES else line
    plain, quoted = event.implicit
    if plain:
        return Node(parse_scalar(text), line, text, text_line)
    if quoted or event.tag in (_TAG + "str", "!"):
        return Node(text, line, text, text_line)
    value = parse_scalar(text)
    kinds = {"null": type(None), "bool": bool, "int": int, "float": (int, float)}
    wanted = kinds.get(event.tag.removeprefix(_TAG)) if event.tag.startswith(_TAG) else None
    if wanted is None:
        raise _unknown_tag(event)
    if not isinstance(value, wanted):  # type: ignore[arg-type]
        raise SyntaxProblem(f'"{text}" is not what its tag {event.tag.replace(_TAG, "!!")} says', line)
    return Node(value, line, text, text_line)


def _refuse_tag(event: Any, allowed: str) -> None:
    if event.tag is not None and event.tag != _TAG + allowed:
        raise _unknown_tag(event)


def _unknown_tag(event: Any) -> SyntaxProblem:
    return SyntaxProblem(f"tag {event.tag.replace(_TAG, '!!')} has no meaning here", _line(event), "remove the tag")


def _merge_sources(value: Node, line: int) -> list[dict[str, Node]]:
    sources = value.value if isinstance(value.value, list) else [value]
    maps = [source.value for source in sources if isinstance(source.value, dict)]
    if len(maps) != len(sources):
        raise SyntaxProblem("<< takes a map or a list of maps", line)
    return maps
