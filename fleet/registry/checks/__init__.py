"""What can only be checked with all entries at hand. Each check reports; none needs another one's result."""

from __future__ import annotations

from ..catalog import Catalog
from . import attributes, env, http, lua, references, services


def check_all(catalog: Catalog) -> None:
    """Runs every check on the catalog; findings go into its report."""
    references.check(catalog)
    lua.check(catalog)
    services.check(catalog)
    attributes.check(catalog)
    http.check(catalog)
    env.check(catalog)
