"""The options of an ``http_client`` request, read and judged (spec/lua_api.md, section 16)."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from .caller import RequestFailed, raw, text

if TYPE_CHECKING:
    import aiohttp

DEFAULT_TIMEOUT = 30.0
MAX_RESPONSE_BODY = 120 << 20
MAX_REDIRECTS = 10

_METHOD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True)
class TlsOptions:
    """How a server's certificate is judged and how the client proves itself; files are PEM."""

    insecure_skip_verify: bool = False
    ca: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""

    def context(self) -> ssl.SSLContext:
        """The SSL context. Raises RequestFailed (INVALID) for files that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None, cadata=self.ca or None)
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file or None)
        except (OSError, ValueError) as error:
            raise _invalid(f"tls: {error}") from None
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True)
class RequestOptions:
    """One request, ready to be made.

    Attributes:
        method, url, headers: of the request; ``url`` has the query.
        body: bytes, a form for aiohttp to write, or None.
        timeout: seconds; of the whole exchange, or with ``stream`` of the head and of each read.
        stream: the body is read by the script, piece by piece.
        max_response_body: bytes.
        max_redirects: 0 follows none.
        proxy: URL of an HTTP proxy, or None.
        tls: None for the usual.
        unix_socket: path of the socket to connect to, or "".
    """

    method: str
    url: URL
    headers: list[tuple[str, str]]
    body: bytes | aiohttp.FormData | None
    timeout: float
    stream: bool
    max_response_body: int
    max_redirects: int
    proxy: str | None
    tls: TlsOptions | None
    unix_socket: str


def _invalid(message: str) -> RequestFailed:
    return RequestFailed("INVALID", message)


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict() | list():
            return "a table"
        case str() | bytes():
            return f'"{text(value)[:80]}"'
    return str(value)


def read_options(method: str | bytes, address: str | bytes, given: Any) -> RequestOptions:
    """The request that the arguments of a script describe. Raises RequestFailed (INVALID) with what is wrong.

    ``given`` is the script's table of options; ``timeout`` in it has been made seconds.
    """
    options: dict[str, Any] = given if isinstance(given, dict) else {}
    for name in options:
        if name not in _KNOWN:
            known = ", ".join(sorted(_KNOWN))
            raise _invalid(f"unknown option {name}: known are {known}")
    if options.get("overlay_network"):
        raise _invalid("option overlay_network is not supported")
    if not _METHOD.fullmatch(text(method)):
        raise _invalid(f"invalid method {_shown(method)}")
    headers = _headers(options.get("headers"))
    _add_cookies(headers, options.get("cookies"))
    _add_authorization(headers, options.get("auth"))
    return RequestOptions(
        method=text(method).upper(),
        url=_url(address, options.get("query")),
        headers=headers,
        body=_body(options),
        timeout=_number(options, "timeout", DEFAULT_TIMEOUT, "a positive number of seconds or a duration string"),
        stream=_flag(options, "stream"),
        max_response_body=int(_number(options, "max_response_body", MAX_RESPONSE_BODY, "a positive number of bytes")),
        max_redirects=_redirects(options.get("max_redirects")),
        proxy=_proxy(options.get("proxy"), address),
        tls=_tls(options.get("tls")),
        unix_socket=_string(options, "unix_socket"),
    )


_KNOWN = frozenset(
    (
        "headers",
        "query",
        "cookies",
        "body",
        "form",
        "files",
        "auth",
        "timeout",
        "stream",
        "max_response_body",
        "tls",
        "unix_socket",
        "overlay_network",
        "max_redirects",
        "proxy",
    )
)


def _url(address: str | bytes, query: Any) -> URL:
    try:
        url = URL(text(address))
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError
        pairs = [(name, value) for name, value in _pairs("query", query)]
        return url.extend_query(pairs) if pairs else url
    except (ValueError, TypeError):
        raise _invalid(f"invalid URL {_shown(address)}: expected http://... or https://...") from None


def _pairs(option: str, given: Any) -> list[tuple[str, str]]:
    """The names and texts of a string map; a list of texts gives its name several times."""
    if given is None:
        return []
    if not isinstance(given, dict):
        raise _invalid(f"option {option}: expected a table of strings, got {_shown(given)}")
    pairs = []
    for name, value in given.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(name, str) and isinstance(item, bool):
                pairs.append((name, str(item).lower()))
            elif isinstance(name, str) and isinstance(item, str | int | float):
                pairs.append((name, str(item)))
            else:
                raise _invalid(f"option {option}.{text(str(name))}: expected a string, got {_shown(item)}")
    return pairs


def _headers(given: Any) -> list[tuple[str, str]]:
    headers = _pairs("headers", given)
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name):
            raise _invalid(f"option headers: invalid name {_shown(name)}")
        if any(char in value for char in "\r\n\0"):
            raise _invalid(f"option headers.{name}: a header cannot have line breaks")
    return headers


def _add_cookies(headers: list[tuple[str, str]], given: Any) -> None:
    cookies = _pairs("cookies", given)
    for name, value in cookies:
        if not _HEADER_NAME.fullmatch(name) or any(char in value for char in "\r\n\0;"):
            raise _invalid(f"option cookies: {_shown(name)} cannot be sent as a cookie")
    if cookies:
        headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies)))


def _add_authorization(headers: list[tuple[str, str]], given: Any) -> None:
    if given is None:
        return
    if not isinstance(given, dict) or not isinstance(given.get("user"), str):
        raise _invalid("option auth: expected {user = ..., pass = ...}")
    password = given.get("pass", "")
    if ":" in given["user"] or not isinstance(password, str | bytes):
        raise _invalid("option auth: user cannot have a colon, and pass must be a string")
    credentials = base64.b64encode(given["user"].encode() + b":" + raw(password)).decode()
    headers.append(("Authorization", f"Basic {credentials}"))


def _body(options: dict[str, Any]) -> bytes | aiohttp.FormData | None:
    body, form, files = options.get("body"), options.get("form"), options.get("files")
    if body is not None:
        if form is not None or files is not None:
            raise _invalid("option body cannot be combined with form or files")
        if not isinstance(body, str | bytes):
            raise _invalid(f"option body: expected a string, got {_shown(body)} (encode tables with json.encode)")
        return raw(body)
    if form is None and files is None:
        return None
    import aiohttp

    data = aiohttp.FormData(default_to_multipart=files is not None)
    for name, value in _pairs("form", form):
        data.add_field(name, value)
    for name, file in _files(files):
        content = file.get("content", file.get("data"))
        if not isinstance(content, str | bytes):
            raise _invalid(f"option files: {name} has no content (expected a string)")
        filename, kind = file.get("filename", name), file.get("content_type", "application/octet-stream")
        if not isinstance(filename, str) or not isinstance(kind, str):
            raise _invalid(f"option files: filename and content_type of {name} must be strings")
        data.add_field(name, raw(content), filename=filename, content_type=kind)
    return data


def _files(given: Any) -> list[tuple[str, dict[str, Any]]]:
    """A list of {name=, filename=, content=, content_type=}, or a table of these without name by field."""
    if not given:
        return []
    named = [(None, file) for file in given] if isinstance(given, list) else list(given.items())
    files = []
    for field, file in named:
        name = file.get("name", field) if isinstance(file, dict) else None
        if not isinstance(name, str):
            raise _invalid("option files: expected {name = ..., filename = ..., content = ...} for each file")
        files.append((name, file))
    return files


def _number(options: dict[str, Any], name: str, default: float, expected: str) -> float:
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise _invalid(f"option {name}: expected {expected}, got {_shown(value)}")
    return value


def _flag(options: dict[str, Any], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise _invalid(f"option {name}: expected a boolean, got {_shown(value)}")
    return value


def _string(options: dict[str, Any], name: str) -> str:
    value = options.get(name, "")
    if not isinstance(value, str):
        raise _invalid(f"option {name}: expected a string, got {_shown(value)}")
    return value


def _redirects(value: Any) -> int:
    if value is None:
        return MAX_REDIRECTS
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _invalid(f"option max_redirects: expected an integer of at least 0, got {_shown(value)}")
    return value


def _proxy(value: Any, address: str | bytes) -> str | None:
    """A proxy is used when the script asks for it: by its URL, or with true for the one that the environment names."""
    if value is None or value is False:
        return None
    if value is True:
        url = URL(text(address))
        return None if url.host and proxy_bypass(url.host) else getproxies().get(url.scheme)
    if isinstance(value, str) and value.startswith("http://"):
        return value
    raise _invalid(f"option proxy: expected true or http://..., got {_shown(value)}")


_TLS_FIELDS: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "insecure_skip_verify": _flag,
    "ca": _string,
    "ca_file": _string,
    "cert_file": _string,
    "key_file": _string,
    "server_name": _string,
}


def _tls(given: Any) -> TlsOptions | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise _invalid(f"option tls: expected a table, got {_shown(given)}")
    for name in given:
        if name not in _TLS_FIELDS:
            raise _invalid(f"unknown option tls.{name}: known are {', '.join(_TLS_FIELDS)}")
    return TlsOptions(**{name: read(given, name) for name, read in _TLS_FIELDS.items() if name in given})
