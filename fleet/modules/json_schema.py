"""JSON Schema for the Lua module ``json`` (spec/lua_api.md, section 12)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson


def _no_fetch(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}, and schemas are not fetched from anywhere")


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    # Patterns in linear time: a script's schema must not be able to hold up a worker.
    return jsonschema_rs.validator_for(
        orjson.loads(schema), retriever=_no_fetch, pattern_options=jsonschema_rs.RegexOptions()
    )


def json_schema(schema: str, data: str) -> str | None:
    """What is wrong with the JSON text ``data`` by the JSON text ``schema``, or None. A bad schema is wrong as well."""
    try:
        validator = _validator(schema)
    except (ValueError, orjson.JSONDecodeError) as error:
        return f"invalid schema: {_first_line(error)}"
    for finding in validator.iter_errors(orjson.loads(data)):
        path = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in finding.instance_path)
        return f"{finding.message} (at {path or 'the top'})"
    return None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


HOST: dict[str, Any] = {"json_schema": json_schema}
