"""The types of values that fields have. Each decodes a node, or says what it would have taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from .durations import parse_duration
from .nodes import Node
from .problems import did_you_mean, nearest
from .schema import Mismatch, Reference, Rejected, Scope, ValueType, decode_all, decode_record
from .secret import Secret

_YES_NO = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}


def _wrong_type(expected: str, hint: str = "") -> Mismatch:
    return Mismatch("has the wrong type", expected=expected, hint=hint)


def _words(scope: Scope) -> str:
    """The field's name as words, for messages such as ``connection timeout must be >= 0``."""
    return scope.field.rpartition(".")[2].replace("_", " ")


@dataclass(frozen=True)
class Text:
    """A string. With ``scalars``, numbers and booleans are taken as they are written."""

    empty: bool = True
    scalars: bool = False

    def decode(self, node: Node, scope: Scope) -> str:
        value: Any = node.value
        if not isinstance(value, str):
            # A placeholder's value is typed as YAML would, but a text field wants the text ("00123" stays so).
            if isinstance(value, dict | list) or not (self.scalars or node.placeholder):
                quotable = not isinstance(value, dict | list) and node.text
                raise _wrong_type("a string", f'put it in quotes: "{node.text}"' if quotable else "")
            value = node.text
        if not value and not self.empty:
            raise Mismatch(f"{_words(scope)} cannot be empty")
        return str(value)


@dataclass(frozen=True)
class SecretText:
    """A string that is hidden from then on, also from the messages about it."""

    def decode(self, node: Node, scope: Scope) -> Secret:
        if isinstance(node.value, dict | list):
            raise Mismatch("has the wrong type", expected="a string", shown="")
        return Secret(node.text)


@dataclass(frozen=True)
class Bool:
    """true or false; yes/no and on/off as well, as the reference's parser takes them where a boolean is wanted."""

    def decode(self, node: Node, scope: Scope) -> bool:
        value = node.value
        if isinstance(value, str) and value.lower() in _YES_NO:
            return _YES_NO[value.lower()]
        if not isinstance(value, bool):
            raise _wrong_type("true or false")
        return value


@dataclass(frozen=True)
class Integer:
    """A whole number of at least ``minimum``; with ``replace``, numbers of 0 and below become that number."""

    minimum: int | None = None
    replace: int | None = None

    def decode(self, node: Node, scope: Scope) -> int:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type("a whole number")
        if self.replace is not None and value <= 0:
            return self.replace
        if self.minimum is not None and value < self.minimum:
            raise _too_small(scope, self.minimum)
        return value


@dataclass(frozen=True)
class Number:
    """A finite number of at least ``minimum``."""

    minimum: float | None = None

    def decode(self, node: Node, scope: Scope) -> float:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type("a number")
        if value != value or value in (float("inf"), float("-inf")):
            raise Mismatch(f"{_words(scope)} must be finite", expected="a number")
        if self.minimum is not None and value < self.minimum:
            raise _too_small(scope, self.minimum)
        return float(value)


def _too_small(scope: Scope, minimum: float) -> Mismatch:
    if minimum == 0:
        return Mismatch(f"{_words(scope)} cannot be negative", expected="0 or more")
    return Mismatch(f"{_words(scope)} must be at least {minimum}")


@dataclass(frozen=True)
class Duration:
    """A Go duration string, not negative."""

    def decode(self, node: Node, scope: Scope) -> timedelta:
        value = node.value
        if not isinstance(value, str):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            raise _wrong_type('a duration string such as "30s"', f'write "{node.text}s" for seconds' if number else "")
        try:
            duration = parse_duration(value)
        except ValueError:
            raise Mismatch("is not a duration", expected="numbers with units, such as 250ms, 1.5s or 1h30m") from None
        if duration < timedelta():
            raise Mismatch(f"{_words(scope)} must be >= 0")
        return duration


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def decode(self, node: Node, scope: Scope) -> str:
        if not isinstance(node.value, str) or node.value not in self.words:
            guess = nearest(str(node.text), self.words)
            expected = " or ".join(word or '""' for word in self.words)
            raise Mismatch("is not a known value", expected=expected, hint=f"did you mean {guess}?" if guess else "")
        return node.value


@dataclass(frozen=True)
class ListOf:
    """A list of values of one type, as a tuple."""

    item: ValueType
    needed: str = ""  # the message when it is empty

    def decode(self, node: Node, scope: Scope) -> tuple[Any, ...]:
        if not isinstance(node.value, list):
            one = isinstance(node.value, str) and node.value
            raise _wrong_type("a list", f"write [{node.value}]" if one else "")
        if self.needed and not node.value:
            raise Mismatch(self.needed)
        return tuple(decode_all(self.item, ((str(i), item) for i, item in enumerate(node.value)), scope))


@dataclass(frozen=True)
class MapOf:
    """A map from strings to values of one type."""

    item: ValueType

    def decode(self, node: Node, scope: Scope) -> dict[str, Any]:
        if not isinstance(node.value, dict):
            raise _wrong_type("a map")
        return dict(zip(node.value, decode_all(self.item, node.value.items(), scope), strict=True))


@dataclass(frozen=True)
class Anything:
    """Any value, as plain Python data."""

    def decode(self, node: Node, scope: Scope) -> Any:
        if any(scalar.broken for scalar in node.scalars()):
            raise Rejected
        return node.plain()


@dataclass(frozen=True)
class Record:
    """A map with the fields of a record; ``secret`` when a misplaced value could be one."""

    cls: type
    secret: bool = False

    def decode(self, node: Node, scope: Scope) -> Any:
        if not isinstance(node.value, dict):
            raise Mismatch("has the wrong type", expected="a map", shown="" if self.secret else None)
        return decode_record(self.cls, node, scope)


@dataclass(frozen=True)
class PathText:
    """A path of a file that is opened at run time; relative ones start at the application's directory."""

    def decode(self, node: Node, scope: Scope) -> Path:
        path = Text(empty=False).decode(node, scope)
        if "\0" in path:
            raise Mismatch("is not a path: it holds a zero byte")
        return scope.root / path


@dataclass(frozen=True)
class FileMode:
    """Permission bits: ``0644``, ``0o644`` or ``"0644"``."""

    def decode(self, node: Node, scope: Scope) -> int:
        value = node.value
        if isinstance(value, str):
            try:
                value = int(value, 8)
            except ValueError:
                value = -1
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0o7777:
            raise Mismatch("is not a file mode", expected="permission bits such as 0644")
        return value


@dataclass(frozen=True)
class EntryId:
    """The id of another entry, one of ``kinds`` (all when empty); a relative one is completed where that is allowed."""

    kinds: tuple[str, ...] = ()
    relative: bool = True

    def decode(self, node: Node, scope: Scope) -> str:
        target = Text(empty=False).decode(node, scope)
        if ":" not in target:
            full = f"{scope.namespace}:{target}"
            if not self.relative:
                raise Mismatch("must be a full entry id", expected="namespace:name", hint=f"write {full}")
            target = full
        scope.references.append(Reference(scope, node, target, self.kinds))
        return target


@dataclass(frozen=True)
class Word:
    """One of a few words in any case and with ``-`` or ``_`` or neither; gives the word as the table spells it."""

    words: tuple[str, ...]

    def decode(self, node: Node, scope: Scope) -> str:
        folded = {_fold(word): word for word in self.words}
        written = _fold(node.value) if isinstance(node.value, str) else ""
        if written not in folded:
            raise Mismatch(
                "is not a known value", expected=" or ".join(self.words), hint=did_you_mean(node.text, self.words)
            )
        return folded[written]


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
