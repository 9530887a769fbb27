"""The dotenv format of ``env.storage.file``: ``NAME=value`` lines, comments, quotes."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z0-9_.\-]+)\s*=[ \t]*
    (?:"(?P<double>(?:[^"\\]|\\.)*)"
      |'(?P<single>[^']*)'
      |(?P<plain>(?:(?<==)\#|[^"'\#\s])[^\n]*?)?)
    [ \t]*(?:(?<=[\s"'])\#[^\n]*)?""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_SAFE = re.compile(r"[A-Za-z0-9_./:@%+,\-]*")


class DotenvError(ValueError):
    """A line that is not ``NAME=value``; ``line`` is its 1-based number."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is not NAME=value")
        self.line = line


def parse(text: str) -> dict[str, str]:
    """The values of a dotenv text; the last of several lines for a name counts.

    Unquoted values end at `` #`` and are trimmed (``#fff`` is a value); ``'single'`` quotes keep everything;
    ``"double"`` ones know the escapes ``\\n``, ``\\r``, ``\\t``, ``\\"`` and ``\\\\``. A value is on one line.

    Raises:
        DotenvError: a line that is none of that.
    """
    values = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise DotenvError(number)
        values[match["name"]] = _value(match)
    return values


def with_value(text: str, name: str, value: str) -> str:
    """The dotenv text with ``name`` set to ``value``: its last line is replaced, everything else stays as it is."""
    lines = text.splitlines()
    new = f"{name}={_quote(value)}"
    for index in range(len(lines) - 1, -1, -1):
        match = _LINE.fullmatch(lines[index])
        if match is not None and match["name"] == name and not lines[index].lstrip().startswith("#"):
            lines[index] = new
            break
    else:
        lines.append(new)
    return "\n".join(lines) + "\n"


def _value(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), match["double"])
    if match["single"] is not None:
        return match["single"]
    return (match["plain"] or "").strip()


def _quote(value: str) -> str:
    if _SAFE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'
