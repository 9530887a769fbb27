"""Namespaces and search attributes of an embedded server, made to exist through its own API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from .errors import ServerError

RETENTION = timedelta(days=3)
_PATIENCE = 15.0
_PAUSE = 0.05

SEARCH_ATTRIBUTE_TYPES: Mapping[str, IndexedValueType.ValueType] = {
    "Text": IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "Double": IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
    "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}
"""The types a search attribute can have, by the names the ``temporal`` CLI gives them."""

_TYPE_NAMES = {value: name for name, value in SEARCH_ATTRIBUTE_TYPES.items()}
_BY_LOWER = {name.lower(): value for name, value in SEARCH_ATTRIBUTE_TYPES.items()}


async def ensure_namespace(client: Client, namespace: str) -> None:
    """Register ``namespace`` unless it exists, and come back when the server knows it.

    :raises ServerError: the server refuses the name.
    """
    deadline = time.monotonic() + _PATIENCE
    if await _knows(client, namespace):
        return
    request = RegisterNamespaceRequest(
        namespace=namespace,
        workflow_execution_retention_period=Duration(seconds=int(RETENTION.total_seconds())),
    )
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise ServerError(f"cannot register the namespace {namespace!r}: {error.message}") from error
    while not await _usable(client, namespace):
        if time.monotonic() > deadline:
            raise ServerError(f"the namespace {namespace!r} was registered, but the server does not show it")
        await asyncio.sleep(_PAUSE)


async def ensure_search_attributes(client: Client, namespace: str, wanted: Mapping[str, str]) -> None:
    """Register the search attributes that ``namespace`` lacks; ``wanted`` is ``{name: type}``.

    Types are those of :data:`SEARCH_ATTRIBUTE_TYPES`, whatever their case and underscores. The server's own start
    option would do this for a new data file only, and say nothing about an old one.

    :raises ServerError: an unknown type, an attribute that exists with another type, or more attributes of a type than
        the server has room for.
    """
    types = {name: _type_of(name, text) for name, text in wanted.items()}
    if not types:
        return
    missing = await _missing(client, namespace, types)
    if not missing:
        return
    request = AddSearchAttributesRequest(namespace=namespace, search_attributes=missing)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        names = ", ".join(f"{name} ({_TYPE_NAMES[kind]})" for name, kind in missing.items())
        raise ServerError(
            f"cannot register search attributes in namespace {namespace!r}: {error.message}\n    asked for: {names}"
        ) from error
    deadline = time.monotonic() + _PATIENCE
    while missing := await _missing(client, namespace, types):
        if time.monotonic() > deadline:
            raise ServerError(f"search attributes were registered, but the server does not show them: {list(missing)}")
        await asyncio.sleep(_PAUSE)


async def _knows(client: Client, namespace: str) -> bool:
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise ServerError(f"cannot look up the namespace {namespace!r}: {error.message}") from error
    return True


async def _usable(client: Client, namespace: str) -> bool:
    # A description comes from the store; everything else goes by a cache that follows later.
    try:
        await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise ServerError(f"cannot use the namespace {namespace!r}: {error.message}") from error
    return True


async def _missing(
    client: Client, namespace: str, types: Mapping[str, IndexedValueType.ValueType]
) -> dict[str, IndexedValueType.ValueType]:
    try:
        have = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
    except RPCError as error:
        raise ServerError(f"cannot list the search attributes of {namespace!r}: {error.message}") from error
    known = {**have.system_attributes, **have.custom_attributes}
    for name, kind in types.items():
        if name in known and known[name] != kind:
            raise ServerError(
                f"search attribute {name!r} in namespace {namespace!r} is {_name(known[name])}, not {_name(kind)}\n"
                "    its type cannot be changed: declare it as it is, choose another name, or start with an empty"
                " data file"
            )
    return {name: kind for name, kind in types.items() if name not in known}


def _name(kind: IndexedValueType.ValueType) -> str:
    return _TYPE_NAMES.get(kind, str(kind))


def _type_of(name: str, text: str) -> IndexedValueType.ValueType:
    kind = _BY_LOWER.get(text.replace("_", "").lower())
    if kind is None:
        raise ServerError(
            f"search attribute {name!r} has the unknown type {text!r}\n"
            f"    expected one of {', '.join(SEARCH_ATTRIBUTE_TYPES)}"
        )
    return kind
