"""Whether a namespace has the search attributes that its ``temporal.client`` declares (spec/decisions.md, 35).

A server refuses every workflow task that sets an attribute it does not know, so serving does not begin without them.
"""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from fleet.registry import ClientEntry
from fleet.server.registration import SEARCH_ATTRIBUTE_TYPES

_CANNOT_TELL = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.UNAUTHENTICATED)
_NAMES = {value: name for name, value in SEARCH_ATTRIBUTE_TYPES.items()}


class MissingSearchAttributes(Exception):
    """A namespace lacks declared search attributes, or has them with another type; the text has the commands to run."""


async def check_search_attributes(client: Client, entry: ClientEntry) -> list[str]:
    """Compare what `entry` declares with what the namespace of `client` has.

    Returns warnings: where an API key may not ask, that it could not be checked. Raises MissingSearchAttributes,
    temporalio.service.RPCError.
    """
    if not entry.search_attributes:
        return []
    place = f"{entry.file}:{entry.line}: entry {entry.id}"
    try:
        found = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status not in _CANNOT_TELL:
            raise
        return [
            f"{place}: the server does not say which search attributes the namespace {client.namespace} has"
            f" ({error.message}): see that it has {', '.join(sorted(entry.search_attributes))}"
        ]
    there = {**found.system_attributes, **found.custom_attributes}
    problems = [
        *_missing(client, {name: kind for name, kind in entry.search_attributes.items() if name not in there}),
        *(
            f"{name} is {_name(there[name])} there, declared as {kind}: declare it as it is, or under another name"
            for name, kind in sorted(entry.search_attributes.items())
            if name in there and there[name] != SEARCH_ATTRIBUTE_TYPES[kind]
        ),
    ]
    if problems:
        raise MissingSearchAttributes(
            f"{place}: the namespace {client.namespace} at {client.service_client.config.target_host} does not have the"
            " search attributes that are declared" + "".join(f"\n    {problem}" for problem in problems)
        )
    return []


def _missing(client: Client, wanted: dict[str, str]) -> list[str]:
    if not wanted:
        return []
    words = " ".join(f"--name {name} --type {kind}" for name, kind in sorted(wanted.items()))
    address = client.service_client.config.target_host
    return [
        f"not there: {', '.join(sorted(wanted))}; add them with",
        f"    temporal operator search-attribute create --address {address} --namespace {client.namespace} {words}",
    ]


def _name(kind: IndexedValueType.ValueType) -> str:
    return _NAMES.get(kind, str(kind))
