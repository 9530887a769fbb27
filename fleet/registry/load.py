"""Loading an application: files to drafts to entries to checks, with everything that is wrong told at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from .app import App, content_hash
from .catalog import Catalog
from .checks import check_all
from .documents import Draft, read_drafts
from .env import EnvError, EnvRegistry
from .kinds import KINDS
from .kinds.entry import Entry
from .kinds.temporal import ClientEntry, WorkerEntry
from .placeholders import fill_in, include_files
from .problems import AppError, Report, did_you_mean, in_order, show
from .schema import Mismatch, Rejected, Scope, decode_record
from .tree import SourceTree


def load_app(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> App:
    """Reads, validates and links the application in a directory (spec/registry.md).

    Args:
        path: the directory that holds its YAML, JSON and Lua files.
        environ: stands in for the environment of the operating system; ``os.environ`` by default.

    Returns:
        The application. Nothing is started, connected or compiled.

    Raises:
        AppError: with all problems of the application, sorted by file and line.
    """
    report = Report()
    root = Path(path).resolve()
    if not root.is_dir():
        what = "is not a directory" if root.exists() else "does not exist"
        report.error(f"{root} {what}", hint="give the directory that holds the application's YAML files")
        raise AppError(report.problems)
    tree = SourceTree(root)
    drafts = read_drafts(tree, frozenset(KINDS), report)
    if not drafts and not report.failed:
        hint = "an application has at least one YAML or JSON file with namespace and entries"
        report.error(f"no entries found in {root}", hint=hint)
    catalog = Catalog(report, {draft.id: draft.kind if draft.kind in KINDS else "" for draft in drafts})
    drafts = [
        replace(draft, body=include_files(draft.body, draft.file, draft.id, tree, report))
        for draft in drafts
        if _known_kind(draft, report)
    ]
    env = _decode(drafts, catalog, root, environ)
    _add_prefixes(catalog)
    check_all(catalog)
    if report.failed:
        raise AppError(report.problems)
    return App(root, catalog.entries, env, content_hash(drafts), in_order(report.problems))


def _known_kind(draft: Draft, report: Report) -> bool:
    if draft.kind in KINDS:
        return True
    bytecode = draft.kind.endswith(".bc") and draft.kind.removesuffix(".bc") in KINDS
    report.error(
        "is not a known kind",
        file=draft.file,
        line=draft.line,
        entry=draft.id,
        field="kind",
        value=show(draft.kind),
        hint="compiled Lua is not loaded here: give the source" if bytecode else did_you_mean(draft.kind, KINDS),
    )
    return False


def _decode(drafts: list[Draft], catalog: Catalog, root: Path, environ: Mapping[str, str] | None) -> EnvRegistry:
    """Fills the catalog; the environment's own entries first, because the others take values from it."""
    env = EnvRegistry({}, environ)
    decoded: dict[str, Entry] = {}
    for first in (True, False):
        for draft in drafts:
            if draft.kind.startswith("env.") is first:
                entry = _entry(draft, catalog, root, env)
                if entry is not None:
                    decoded[entry.id] = entry
        if first:
            env = EnvRegistry(decoded, environ)
    catalog.entries.update((draft.id, decoded[draft.id]) for draft in drafts if draft.id in decoded)
    return env


def _entry(draft: Draft, catalog: Catalog, root: Path, env: EnvRegistry) -> Entry | None:
    scope = Scope(
        report=catalog.report,
        file=draft.file,
        entry=draft.id,
        namespace=draft.namespace,
        kind=draft.kind,
        root=root,
        references=catalog.references,
        variable=_lookup(env, draft.namespace),
    )
    body = fill_in(draft.body, scope)
    catalog.drafts[draft.id] = replace(draft, body=body)
    meta = body.get("meta")
    own = {"id": draft.id, "kind": draft.kind, "file": draft.file, "line": draft.line}
    try:
        return decode_record(KINDS[draft.kind], body, scope, {**own, "meta": meta.plain() if meta else {}})
    except Rejected:
        return None


def _lookup(env: EnvRegistry, namespace: str) -> Callable[[str], str | None]:
    def lookup(name: str) -> str | None:
        try:
            return env.placeholder(name, namespace)
        except EnvError as error:
            raise Mismatch(str(error)) from None

    return lookup


def _add_prefixes(catalog: Catalog) -> None:
    """Completes the task queues of workers by what their clients put in front."""
    for worker in catalog.of(WorkerEntry):
        client = catalog.get(ClientEntry, worker.client)
        if client is not None and client.tq_prefix:
            catalog.entries[worker.id] = replace(worker, task_queue=client.tq_prefix + worker.task_queue)
