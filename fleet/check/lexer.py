"""Lua 5.5 source text to tokens (reference manual, section 3.1), by one compiled expression."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME, STRING, NUMBER, EOF = "<name>", "<string>", "<number>", "<eof>"

_KEYWORDS = (
    "and break do else elseif end false for function goto if in local nil not or repeat return then true until while"
)
KEYWORDS = frozenset(_KEYWORDS.split())

# Possessive quantifiers (Python 3.11) keep a string or comment that never ends linear.
_SHORT = r"(?:[^{q}\\\n]++|\\(?:z[ \t\v\f\n]*+|[\s\S]))*+"
_TOKEN = re.compile(
    r"(?P<space>[ \t\v\f\n]++)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*+)"
    r"|(?P<string>\"" + _SHORT.format(q='"') + r"\"|'" + _SHORT.format(q="'") + r"')"
    r"|(?P<number>(?:0[xX](?:[pP][+-]?|[0-9a-fA-F.])*+|\.?[0-9](?:[eE][+-]?|[0-9a-fA-F.])*+)[A-Za-z_]?)"
    r"|(?P<comment>--(?!\[=*\[)[^\n]*+|--\[(?P<comment_level>=*)\[[\s\S]*?\](?P=comment_level)\])"
    r"|(?P<long>\[(?P<level>=*)\[[\s\S]*?\](?P=level)\])"
    r"|(?P<unfinished>(?:--)?\[=*\[|\[=+|[\"'])"
    r"|(?P<operator>\.\.\.|\.\.|==|~=|<=|>=|//|::|<<|>>|[-+*/%^#&~|<>=(){}\[\];:,.])"
)
_DECIMAL = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEXADECIMAL = re.compile(r"0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?")
_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\\"'\n])|(?P<decimal>[0-9]{1,3})|x(?P<hex>[0-9a-fA-F]{2})"
    r"|u\{(?P<code>[0-9a-fA-F]+)\}|(?P<skip>z[ \t\v\f\n]*)|(?P<bad>[\s\S]))"
)
_SIMPLE_ESCAPES = dict(zip("abfnrtv\\\"'\n", "\a\b\f\n\r\t\v\\\"'\n", strict=True))
_MAX_CODE = 0x7FFFFFFF

# What people bring along from other languages; the text is the hint of the error.
_FOREIGN = {
    "!": "Lua writes 'not x' and 'x ~= y'",
    "&&": "Lua writes 'and'",
    "||": "Lua writes 'or'",
    "\\": "a backslash may only stand inside a string",
    "$": "names consist of letters, digits and '_'",
    "@": "names consist of letters, digits and '_'",
    "?": "Lua has no '?' operator; 'a and b or c' or an if statement does it",
    "`": "Lua writes long strings as [[…]]",
}


class LuaSyntaxError(Exception):
    """Source text that Lua 5.5 would not compile. `line` and `column` are 1-based, `hint` may be empty."""

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint


@dataclass(slots=True)
class Tokens:
    """Parallel lists, one item per token; the last token is `EOF`.

    `kinds` holds NAME, STRING, NUMBER, EOF, or for keywords and operators their text.
    """

    kinds: list[str]
    values: list[str | int | float]
    lines: list[int]
    columns: list[int]


def tokenize(text: str) -> Tokens:
    """Split Lua source into tokens; comments are dropped.

    Raises LuaSyntaxError for what no token starts with, unfinished strings and comments, malformed numbers and
    bad escapes.
    """
    if "\r" in text:  # any of \n \r \r\n \n\r is one line end, inside strings too
        text = re.sub(r"\r\n|\n\r|\r", "\n", text)
    tokens = Tokens([], [], [], [])
    kinds, values, lines, columns = tokens.kinds, tokens.values, tokens.lines, tokens.columns
    line, line_start, position, end = 1, 0, 0, len(text)
    match_at = _TOKEN.match
    while position < end:
        match = match_at(text, position)
        if match is None:
            raise _unexpected(text, position, line, position - line_start + 1)
        kind = match.lastgroup
        found = match.group()
        start, position = position, match.end()
        if kind == "name":
            kinds.append(found if found in KEYWORDS else NAME)
            values.append(found)
        elif kind == "operator":
            kinds.append(found)
            values.append(found)
        elif kind == "string":
            kinds.append(STRING)
            body = found[1:-1]
            values.append(_unescape(body, line, start - line_start + 1) if "\\" in body else body)
        elif kind == "number":
            kinds.append(NUMBER)
            values.append(_number(found, line, start - line_start + 1))
        elif kind == "long":
            kinds.append(STRING)
            level = len(match["level"]) + 2
            body = found[level:-level]
            values.append(body[1:] if body.startswith("\n") else body)
        elif kind == "unfinished":
            raise _unfinished(text, start, line, start - line_start + 1)
        if kind != "space" and kind != "comment":
            lines.append(line)
            columns.append(start - line_start + 1)
        if "\n" in found:
            line += found.count("\n")
            line_start = start + found.rfind("\n") + 1
    kinds.append(EOF)
    values.append(EOF)
    lines.append(line)
    columns.append(end - line_start + 1)
    return tokens


def _number(text: str, line: int, column: int) -> int | float:
    if _DECIMAL.fullmatch(text):
        if text.isdigit():
            significant = text.lstrip("0") or "0"  # int() itself refuses very long texts
            if len(significant) <= 19 and int(significant) < 1 << 63:
                return int(significant)
        return float(text)
    if _HEXADECIMAL.fullmatch(text):
        digits = text[2:]
        if "." in digits or "p" in digits or "P" in digits:
            return _hex_float(text)
        value = int(digits, 16) & 0xFFFFFFFFFFFFFFFF  # Lua: hexadecimals wrap around
        return value - (1 << 64) if value >= 1 << 63 else value
    raise LuaSyntaxError(f"malformed number near '{text}'", line, column)


def _hex_float(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:
        return float("inf")


def _unescape(body: str, line: int, column: int) -> str:
    """Resolve the escapes of a short string; the position is that of the opening quote."""

    def replace(match: re.Match[str]) -> bytes:
        kind, escape = match.lastgroup, match.group()
        if kind == "simple":
            return _SIMPLE_ESCAPES[escape[1]].encode()
        if kind == "skip":
            return b""
        if kind == "decimal" and int(escape[1:]) <= 255:
            return bytes([int(escape[1:])])
        if kind == "hex":
            return bytes.fromhex(escape[2:])
        if kind == "code" and int(escape[3:-1], 16) <= _MAX_CODE:
            return _encode_code_point(int(escape[3:-1], 16))
        before = body[: match.start()]
        at = len(before) - before.rfind("\n") if "\n" in before else column + 1 + len(before)
        raise _bad_escape(kind or "", escape, line + before.count("\n"), at)

    parts: list[bytes] = []
    position = 0
    for match in _ESCAPE.finditer(body):
        parts.append(body[position : match.start()].encode("utf-8", "surrogateescape"))
        parts.append(replace(match))
        position = match.end()
    parts.append(body[position:].encode("utf-8", "surrogateescape"))
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _encode_code_point(code: int) -> bytes:
    """UTF-8 as Lua writes it: the original scheme with up to six bytes, surrogates allowed."""
    if code < 0x80:
        return bytes([code])
    tail: list[int] = []
    room = 0x3F  # the largest value that still fits into the first byte
    while code > room:
        tail.append(0x80 | (code & 0x3F))
        code >>= 6
        room >>= 1
    return bytes([(~room << 1) & 0xFF | code, *reversed(tail)])


def _bad_escape(kind: str, escape: str, line: int, column: int) -> LuaSyntaxError:
    if kind == "decimal":
        return LuaSyntaxError(f"decimal escape too large near '{escape}'", line, column, "a byte is \\0 to \\255")
    if kind == "code":
        return LuaSyntaxError(f"UTF-8 value too large near '{escape}'", line, column, "the largest is \\u{7FFFFFFF}")
    if escape == "\\x":
        return LuaSyntaxError("hexadecimal digit expected after '\\x'", line, column, "two digits: \\x0A")
    if escape == "\\u":
        return LuaSyntaxError("malformed '\\u' escape", line, column, "hexadecimal digits in braces: \\u{20AC}")
    return LuaSyntaxError(
        f"invalid escape sequence '{escape}'", line, column, "write \\\\ for a backslash, or use a long string [[…]]"
    )


def _unfinished(text: str, start: int, line: int, column: int) -> LuaSyntaxError:
    opening = re.match(r"(--)?(\[=*\[?|[\"'])", text[start:])
    assert opening is not None
    if opening[2] in "\"'":
        found = text[start:].split("\n", 1)[0]
        return LuaSyntaxError(
            f"unfinished string near {found[:30]}",
            line,
            column,
            f"close it with {opening[2]} on the same line, or use a long string [[…]]",
        )
    if not opening[2].endswith("[") or opening[2] == "[":
        return LuaSyntaxError(f"invalid long string delimiter near '{opening[2]}'", line, column)
    what = "comment" if opening[1] else "string"
    closing = opening[2].replace("[", "]")
    return LuaSyntaxError(f"unfinished long {what}", line, column, f"it starts here; close it with {closing}")


def _unexpected(text: str, position: int, line: int, column: int) -> LuaSyntaxError:
    found = text[position]
    hint = _FOREIGN.get(text[position : position + 2], _FOREIGN.get(found, ""))
    if found == "\ufeff":
        return LuaSyntaxError("the file starts with a byte order mark", line, column, "save it as UTF-8 without BOM")
    if not found.isascii():
        hint = "outside strings and comments only ASCII is allowed"
    return LuaSyntaxError(f"unexpected symbol near {found!r}", line, column, hint)
