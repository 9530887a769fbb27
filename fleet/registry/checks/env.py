"""Variables and storages: names that are free, routers without circles, files that can be read."""

from __future__ import annotations

from ..catalog import Catalog, place
from ..env_storage import EnvError, FileStorage
from ..kinds.env import FileStorageEntry, RouterStorageEntry, VariableEntry
from .graph import cycles, show_cycle


def check(catalog: Catalog) -> None:
    """Reports public names that two variables claim, circles of routers, and unreadable files."""
    _public_names(catalog)
    _router_cycles(catalog)
    for storage in catalog.of(FileStorageEntry):
        _file(storage, catalog)


def _public_names(catalog: Catalog) -> None:
    taken: dict[str, VariableEntry] = {}
    for variable in catalog.of(VariableEntry):
        first = taken.setdefault(variable.variable, variable) if variable.variable else variable
        if first is not variable:
            catalog.error(
                variable,
                "variable",
                f"the name is taken already by {place(first)}",
                hint="give one of them another name, or none to reach it by its entry id",
            )


def _router_cycles(catalog: Catalog) -> None:
    routers = {router.id: router for router in catalog.of(RouterStorageEntry)}
    for cycle in cycles({id: router.storages for id, router in routers.items()}):
        message = f"storages refer to each other in a circle: {show_cycle(cycle)}"
        catalog.error(routers[cycle[-2]], "storages", message, show=False, hint="remove one of them")


def _file(storage: FileStorageEntry, catalog: Catalog) -> None:
    try:
        FileStorage(storage.id, storage.file_path, storage.auto_create).check()
    except EnvError as error:
        hint = "create it, correct it, or set auto_create: true for a file that is written at run time"
        catalog.error(storage, "file_path", str(error), show=False, hint=hint)
