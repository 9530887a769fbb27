"""JSON arguments of ``fleet run`` and ``fleet call``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .exit import UsageError

HELP = "argument as JSON; @FILE reads it from a file, - from stdin"


def add_json_arguments(parser: argparse.ArgumentParser) -> None:
    """``[JSON ...]``."""
    parser.add_argument("arguments", metavar="JSON", nargs="*", help=HELP)


def json_texts(arguments: Sequence[str]) -> list[str]:
    """The JSON texts that the arguments stand for, each known to be JSON.

    Texts and not values: the payload carries the very digits that were given. Raises UsageError.
    """
    return [_text(position, argument) for position, argument in enumerate(arguments, 1)]


def _text(position: int, argument: str) -> str:
    if argument == "-":
        return _valid(f"argument {position} (stdin)", sys.stdin.read(), quote=False)
    if argument.startswith("@"):
        try:
            text = Path(argument[1:]).read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"argument {position}: cannot read {argument[1:]}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UsageError(f"argument {position}: {argument[1:]} is not UTF-8 text") from None
        return _valid(f"argument {position} ({argument[1:]})", text, quote=False)
    return _valid(f"argument {position}", argument, quote=True)


def _valid(what: str, text: str, *, quote: bool) -> str:
    try:
        json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise UsageError(f"{what} is nested too deeply for JSON") from None
    except ValueError as error:
        if quote and text[:1] not in ("{", "[", '"', "'"):
            as_string = shlex.quote(json.dumps(text, ensure_ascii=False))
            raise UsageError(
                f"{what} is not JSON: {text}\n    a string is written with its quotes inside the shell's: {as_string}"
            ) from None
        where = f"line {error.lineno}, column {error.colno}: " if isinstance(error, json.JSONDecodeError) else ""
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        hint = "\n    put the whole argument in single quotes, strings inside it in double quotes" if quote else ""
        shown = text if len(text) <= 80 else text[:79] + "…"
        raise UsageError(f"{what} is not JSON: {where}{reason}: {shown}{hint}") from None
    return text.strip()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
