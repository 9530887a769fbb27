"""The middleware of an http.router and its options (spec/registry.md, section 5).

Options are texts under keys such as ``cors.allow.origins``; underscores may stand for the dots.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .durations import parse_duration
from .problems import did_you_mean
from .schema import Flaw

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ABSENT = {
    "token_auth": "there are no security tokens here: check the caller in the handler, such as with crypto.jwt.verify",
    "endpoint_firewall": "there are no security policies here: check the caller in the handler",
    "resource_firewall": "there are no security policies here: check the caller in the handler",
    "sendfile": "there are no files here: send the content, or let the proxy in front serve them",
}
"""Middleware that would be missed if it were left out silently, each with what to do instead."""

WITHOUT_EFFECT = {"metrics": "requests are not counted per router"}

_PRIVATE = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,127.0.0.0/8,169.254.0.0/16,::1/128,fc00::/7,fe80::/10"
_LEVELS = {"default": 6, "fastest": 1, "best": 9}


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a whole number")
    return int(text)


def _positive(text: str) -> int:
    if not _whole(text):
        raise ValueError("a whole number above 0")
    return int(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def _seconds(text: str) -> float:
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise ValueError("a duration above 0, such as 1m")
    return seconds


def _key(text: str) -> str:
    if text != "ip" and not (text.startswith(("header:", "query:")) and text.partition(":")[2]):
        raise ValueError("ip, header:NAME or query:NAME")
    return text


def _level(text: str) -> int:
    if text not in _LEVELS:
        raise ValueError(" or ".join(_LEVELS))
    return _LEVELS[text]


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(word) for word in _words(text))
    except ValueError:
        raise ValueError("networks such as 10.0.0.0/8, separated by commas") from None


@dataclass(frozen=True)
class _Option:
    read: Callable[[str], Any]
    default: str


_OPTIONS: dict[str, dict[str, _Option]] = {
    "cors": {
        "allow.origins": _Option(_words, "*"),
        "allow.methods": _Option(_words, "GET,POST,PUT,DELETE,OPTIONS,PATCH"),
        "allow.headers": _Option(_words, "Origin,Content-Type,Accept,Authorization,X-Requested-With"),
        "expose.headers": _Option(_words, ""),
        "allow.credentials": _Option(_boolean, "false"),
        "max.age": _Option(_whole, "86400"),
        "allow.private.network": _Option(_boolean, "false"),
    },
    "ratelimit": {
        "requests": _Option(_positive, "100"),
        "window": _Option(_seconds, "1m"),
        "burst": _Option(_positive, "20"),
        "key": _Option(_key, "ip"),
        "cleanup_interval": _Option(_seconds, "5m"),  # entries leave when their time comes: nothing to set
        "entry_ttl": _Option(_seconds, "10m"),
        "max_entries": _Option(_positive, "100000"),
    },
    "compress": {"level": _Option(_level, "default"), "min.length": _Option(_whole, "1024")},
    "real_ip": {"trusted.subnets": _Option(_networks, _PRIVATE), "trust_all": _Option(_boolean, "false")},
}


def settings_of(middleware: str, options: Mapping[str, str]) -> dict[str, Any]:
    """The settings of one middleware, by option name with underscores (``allow_origins``); checked before.

    cors: texts and lists of texts; ratelimit: numbers, seconds; compress: zlib's level, bytes; real_ip: networks.
    """
    given = {_folded(key): value for key, value in options.items()}
    return {
        name.replace(".", "_"): option.read(given.get(_folded(f"{middleware}.{name}"), option.default))
        for name, option in _OPTIONS[middleware].items()
    }


def flaws(middleware: Sequence[str], options: Mapping[str, str]) -> Iterator[Flaw]:
    """What is wrong with the middleware of a router and with its options."""
    for number, name in enumerate(middleware):
        if name in ABSENT:
            yield Flaw(f"middleware.{number}", f"{name} is not available", hint=ABSENT[name])
        elif name in WITHOUT_EFFECT:
            message = f"{name} has no effect: {WITHOUT_EFFECT[name]}"
            yield Flaw(f"middleware.{number}", message, severity="warning")
    known = {
        _folded(f"{owner}.{name}"): (owner, option)
        for owner, found in _OPTIONS.items()
        for name, option in found.items()
    }
    for key, value in options.items():
        owner, option = known.get(_folded(key), ("", None))
        if option is None:
            names = [f"{owner}.{name}" for owner, found in _OPTIONS.items() for name in found]
            hint = did_you_mean(key, names)
            yield Flaw("options", f"unknown option {key}, it has no effect", hint=hint, severity="warning")
            continue
        try:
            option.read(value)
        except ValueError as error:
            yield Flaw("options", f"{key} has a value that it cannot have", expected=str(error))
            return
        if owner not in middleware:
            message = f"{key} has no effect: {owner} is not among the middleware"
            yield Flaw("options", message, severity="warning")
    if "cors" in middleware:
        cors = settings_of("cors", options)
        if cors["allow_credentials"] and "*" in cors["allow_origins"]:
            message = "every site could act with the credentials of its visitors"
            yield Flaw("options", message, hint="name the origins that may, in cors.allow.origins")


def _folded(key: str) -> str:
    return key.replace("_", ".")
