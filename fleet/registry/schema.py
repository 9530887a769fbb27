"""How a kind of entry is described, and how a map is read by such a description.

A kind is a frozen dataclass whose fields are made by ``setting``: type, default, place in the YAML and the message for
a missing value stand beside the name, once. ``decode_record`` reads any map by it, reports everything that is wrong
and warns about unknown fields. What concerns several fields of one record is the record's ``flaws`` method.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, dataclass_transform

from .nodes import Node
from .problems import Report, Severity, did_you_mean

T = TypeVar("T")


class Mismatch(Exception):
    """A value that its field does not take. ``shown`` replaces the value in the message (None: show it as it is)."""

    def __init__(self, message: str, *, expected: str = "", hint: str = "", shown: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.hint = hint
        self.shown = shown


class Rejected(Exception):
    """The value is bad and everything about it has been reported."""


class ValueType(Protocol):
    """Turns a node into a value; raises Mismatch, or Rejected when it has reported the reasons itself."""

    def decode(self, node: Node, scope: Scope) -> Any: ...


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong in a record that is not the fault of one value alone; ``field`` is relative to the record."""

    field: str
    message: str
    expected: str = ""
    hint: str = ""
    show: bool = False
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Setting:
    """The description of one field.

    Attributes:
        type: what the value may be.
        path: dotted place in the record's map; the field's own name unless said otherwise.
        required: the message when there is no value; "" for optional fields.
        env: name of the companion field that holds the name of an environment variable with the value, or "".
        conflict: the message when both the field and its companion are given.
    """

    type: ValueType
    path: str = ""
    required: str = ""
    env: str = ""
    conflict: str = ""


def setting(
    type: ValueType,
    *,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    path: str = "",
    required: str = "",
    env: str = "",
    conflict: str = "",
) -> Any:
    """A dataclass field that is read from YAML; see ``Setting`` for the arguments."""
    metadata = {"setting": Setting(type, path, required, env, conflict)}
    return dataclasses.field(default=default, default_factory=default_factory, metadata=metadata)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(setting, dataclasses.field))
def record(cls: type[T]) -> type[T]:
    """Makes a class with ``setting`` fields a frozen, keyword-only dataclass."""
    return dataclass(frozen=True, kw_only=True)(cls)


_described: dict[type, dict[str, Setting]] = {}


def settings_of(cls: type) -> dict[str, Setting]:
    """The settings of a record by attribute name, paths filled in."""
    if cls not in _described:
        settings = {field.name: field.metadata.get("setting") for field in dataclasses.fields(cls)}
        _described[cls] = {
            name: dataclasses.replace(found, path=found.path or name) for name, found in settings.items() if found
        }
    return _described[cls]


@dataclass(frozen=True, slots=True)
class Reference:
    """A mention of another entry, to be checked when all entries are known."""

    scope: Scope
    node: Node
    target: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where decoding stands: entry, field, and what it may ask for or add to.

    Attributes:
        report: takes the findings.
        file, entry, namespace, kind: of the entry that is read.
        root: directory of the application.
        references: collects mentions of other entries.
        variable: looks up an environment variable by name, or returns None (placeholders.py).
        field: dotted path from the entry to the value at hand.
    """

    report: Report
    file: str
    entry: str
    namespace: str
    kind: str
    root: Path
    references: list[Reference]
    variable: Callable[[str], str | None]
    field: str = ""

    def at(self, field: str) -> Scope:
        """The scope of a value below this one."""
        return dataclasses.replace(self, field=self._path(field))

    def error(
        self, message: str, line: int, *, field: str = "", value: str = "", expected: str = "", hint: str = ""
    ) -> None:
        """Reports an error about this value, or about ``field`` below it."""
        self._add("error", message, line, field, value, expected, hint)

    def warning(
        self, message: str, line: int, *, field: str = "", value: str = "", expected: str = "", hint: str = ""
    ) -> None:
        """Reports a warning about this value, or about ``field`` below it."""
        self._add("warning", message, line, field, value, expected, hint)

    def mismatch(self, problem: Mismatch, node: Node) -> None:
        """Reports that ``node`` is not what this field takes."""
        value = node.shown() if problem.shown is None else problem.shown
        self.error(problem.message, node.line, value=value, expected=problem.expected, hint=problem.hint)

    def flaw(self, flaw: Flaw, node: Node) -> None:
        """Reports what a record says about itself; ``node`` is the record's map."""
        below = node.get(flaw.field) if flaw.field else None
        value = below.shown() if flaw.show and below is not None else ""
        line = node.line_of(flaw.field) if flaw.field else node.line
        self._add(flaw.severity, flaw.message, line, flaw.field, value, flaw.expected, flaw.hint)

    def _path(self, field: str) -> str:
        return f"{self.field}.{field}" if self.field and field else self.field or field

    def _add(
        self, severity: Severity, message: str, line: int, field: str, value: str, expected: str, hint: str
    ) -> None:
        add = self.report.error if severity == "error" else self.report.warning
        add(
            message,
            file=self.file,
            line=line,
            entry=self.entry,
            field=self._path(field),
            value=value,
            expected=expected,
            hint=hint,
        )


def decode_record(cls: type[T], node: Node, scope: Scope, given: dict[str, Any] | None = None) -> T:
    """Reads the map ``node`` as a record of class ``cls``.

    Args:
        cls: a class made by ``record``.
        given: values of attributes that are not settings.

    Raises:
        Rejected: something is wrong; all of it has been reported.
    """
    assert isinstance(node.value, dict)
    values = dict(given or {})
    failed = False
    for name, described in settings_of(cls).items():
        try:
            found = _find(described, node, scope)
            if described.required and (found is None or found.value == ""):
                scope.error(described.required, node.line_of(described.path), field=described.path)
                failed = True
            elif found is not None:
                values[name] = _decode(described.type, found, scope.at(described.path))
        except Rejected:
            failed = True
    _warn_about_unknown(cls, node, scope)
    if failed:
        raise Rejected
    built = cls(**values)
    errors = False
    for flaw in _flaws(built):
        scope.flaw(flaw, node)
        errors = errors or flaw.severity == "error"
    if errors:
        raise Rejected
    return built


def decode_all(type: ValueType, items: Iterable[tuple[str, Node]], scope: Scope) -> list[Any]:
    """Decodes each of several values, each under its name; reports all that are wrong before raising Rejected."""
    values = []
    failed = False
    for name, node in items:
        try:
            values.append(_decode(type, node, scope.at(name)))
        except Rejected:
            failed = True
    if failed:
        raise Rejected
    return values


def _decode(type: ValueType, node: Node, scope: Scope) -> Any:
    if node.broken:
        raise Rejected
    try:
        return type.decode(node, scope)
    except Mismatch as problem:
        scope.mismatch(problem, node)
        raise Rejected from None


def _find(described: Setting, record: Node, scope: Scope) -> Node | None:
    node = _walk(described.path, record, scope)
    if not described.env:
        return node
    companion = _walk(described.env, record, scope)
    if companion is None:
        return node
    inside = scope.at(described.env)
    if node is not None:
        inside.error(described.conflict or f"{described.path} and {described.env} are both given", companion.line)
        raise Rejected
    if companion.broken:
        raise Rejected
    if not isinstance(companion.value, str):
        inside.mismatch(Mismatch("must be the name of a variable", expected="a string"), companion)
        raise Rejected
    try:
        text = scope.variable(companion.value)
    except Mismatch as problem:
        inside.mismatch(problem, companion)
        raise Rejected from None
    if text is None:
        inside.error(
            f"environment variable {companion.value} is not set",
            companion.line,
            hint=f"set {companion.value}, or declare it as an env.variable with a default",
        )
        raise Rejected
    return Node(text, companion.line, text, companion.line, placeholder=f"${{env:{companion.value}}}")


def _walk(path: str, record: Node, scope: Scope) -> Node | None:
    """The node at ``path``, None when it is absent or null (as in ``lifecycle:`` with nothing behind it)."""
    node = record
    steps = path.split(".")
    for depth, step in enumerate(steps):
        if node.broken:
            raise Rejected
        if not isinstance(node.value, dict):
            if node.value is None:
                return None
            inside = scope.at(".".join(steps[:depth]))
            inside.mismatch(Mismatch("has the wrong type", expected="a map"), node)
            raise Rejected
        below = node.value.get(step)
        if below is None:
            return None
        node = below
    return None if node.value is None and not node.broken else node


def _warn_about_unknown(cls: type, node: Node, scope: Scope) -> None:
    known: dict[str, set[str]] = {"": set() if scope.field else {"meta"}}
    for described in settings_of(cls).values():
        for path in filter(None, (described.path, described.env)):
            above, _, key = path.rpartition(".")
            while key:
                known.setdefault(above, set()).add(key)
                above, _, key = above.rpartition(".")
    for place, names in known.items():
        inside = node.get(place) if place else node
        # meta is free; what it holds for us (meta.temporal and below) is not.
        if place == "meta" or inside is None or not isinstance(inside.value, dict):
            continue
        for key, below in inside.value.items():
            if key not in names:
                field = f"{place}.{key}" if place else key
                hint = did_you_mean(key, names) or "remove it"
                scope.warning("unknown field, it has no effect", below.line, field=field, hint=hint)


def _flaws(built: object) -> Iterator[Flaw]:
    flaws: Callable[[], Iterator[Flaw]] | None = getattr(built, "flaws", None)
    if flaws is not None:
        yield from flaws()
