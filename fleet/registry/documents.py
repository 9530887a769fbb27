"""Application files to drafts of entries: namespaces, ids, kinds, merged ``meta`` (spec/registry.md, section 1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .nodes import Node
from .problems import Report, did_you_mean
from .tree import FileProblem, SourceTree
from .yamlfile import SyntaxProblem, parse_json, parse_yaml

_FILE_FIELDS = ("version", "namespace", "entries", "meta")
_SINGLE_ENTRY_FIELDS = ("version", "namespace")
_ENTRY_FIELDS = ("name", "kind", "meta", "data")

_NOT_IN_WORDS = re.compile(r"[\s:\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before its kind's rules are applied: ``body`` is the map of its own fields and its merged ``meta``."""

    namespace: str
    name: str
    kind: str
    file: str
    line: int
    body: Node

    @property
    def id(self) -> str:
        """``namespace:name``."""
        return f"{self.namespace}:{self.name}"


def read_drafts(tree: SourceTree, kinds: frozenset[str], report: Report) -> list[Draft]:
    """Reads all files of an application; what is wrong goes into ``report``.

    Returns:
        The drafts by file and position. Of entries with the same id only the first.
    """
    drafts: dict[str, Draft] = {}
    try:
        files = tree.registry_files()
    except FileProblem as problem:
        report.error(str(problem))
        return []
    for file in files:
        document = _parse(tree, file, report)
        if document is None:
            continue
        for draft in _entries(document, file, kinds, report):
            first = drafts.setdefault(draft.id, draft)
            if first is not draft:
                report.error(
                    f"the id is taken already by the entry at {first.file}:{first.line}",
                    file=file,
                    line=draft.line,
                    entry=draft.id,
                    hint="rename one of the two",
                )
    return list(drafts.values())


def _parse(tree: SourceTree, file: str, report: Report) -> Node | None:
    try:
        text = tree.read(file)
        return parse_json(text) if file.endswith(".json") else parse_yaml(text)
    except FileProblem as problem:
        report.error(str(problem), file=file)
    except SyntaxProblem as problem:
        hint = problem.hint or "correct it, or move it out of the application's directory if it is no part of it"
        report.error(problem.message, file=file, line=problem.line, hint=hint)
    return None


def _entries(document: Node, file: str, kinds: frozenset[str], report: Report) -> Iterator[Draft]:
    fields = document.value
    if not isinstance(fields, dict):
        return
    if "namespace" not in fields:
        _report_missing_namespace(document, file, kinds, report)
        return
    namespace = _word(fields["namespace"])
    if namespace is None:
        node = fields["namespace"]
        report.error(
            "is not a namespace",
            file=file,
            line=node.line,
            field="namespace",
            value=node.shown(),
            expected="a word without spaces and colons, such as app or app.orders",
        )
        return
    if "entries" not in fields:
        if "name" in fields and "kind" in fields:
            own = {key: node for key, node in fields.items() if key not in _SINGLE_ENTRY_FIELDS}
            yield from _draft(Node(own, document.line), namespace, None, "", file, report)
            return
        guess = did_you_mean(next((key for key in fields if key not in _FILE_FIELDS), ""), ("entries",))
        hint = guess if guess.startswith("did") else "add entries, or name and kind for a single entry"
        report.error("a file with a namespace has a list of entries", file=file, line=document.line, hint=hint)
        return
    yield from _listed(document, namespace, file, report)


def _listed(document: Node, namespace: str, file: str, report: Report) -> Iterator[Draft]:
    assert isinstance(document.value, dict)
    for key, node in document.value.items():
        if key not in _FILE_FIELDS:
            hint = did_you_mean(key, _FILE_FIELDS)
            report.warning("unknown field, it has no effect", file=file, line=node.line, field=key, hint=hint)
    entries = document.value["entries"]
    shared = document.value.get("meta")
    if shared is not None and shared.value is not None and not isinstance(shared.value, dict):
        _report_type(shared, "meta", "a map", file, report)
        shared = None
    if entries.value is None:
        return
    if not isinstance(entries.value, list):
        _report_type(entries, "entries", "a list", file, report)
        return
    for index, entry in enumerate(entries.value):
        yield from _draft(entry, namespace, shared, f"entry[{index}]", file, report)


def _draft(entry: Node, namespace: str, shared: Node | None, place: str, file: str, report: Report) -> Iterator[Draft]:
    fields = entry.value
    if not isinstance(fields, dict):
        _report_type(entry, place, "a map with name and kind", file, report)
        return
    name = _required_word(entry, "name", place, file, report)
    kind = _required_word(entry, "kind", place, file, report)
    if name is None or kind is None:
        return
    meta = fields.get("meta") or Node(None, entry.line)
    if meta.value is not None and not isinstance(meta.value, dict):
        report.error(
            "has the wrong type",
            file=file,
            line=meta.line,
            entry=f"{namespace}:{name}",
            field="meta",
            value=meta.shown(),
            expected="a map",
        )
        return
    below = shared.value if shared is not None and isinstance(shared.value, dict) else {}
    above = meta.value if isinstance(meta.value, dict) else {}
    own = {key: node for key, node in fields.items() if key not in _ENTRY_FIELDS}
    data = fields.get("data")
    if data is not None and isinstance(data.value, dict):
        for key, node in own.items():
            report.warning(
                "has no effect: data replaces the fields beside it",
                file=file,
                line=node.line,
                entry=f"{namespace}:{name}",
                field=key,
                hint="move it into data",
            )
        own = {key: node for key, node in data.value.items() if key != "meta"}
    elif data is not None:
        _report_type(data, f"{place}.data" if place else "data", "a map", file, report)
        return
    body = replace(entry, value={**own, "meta": Node({**below, **above}, meta.line)})
    yield Draft(namespace, name, kind, file, entry.line, body)


def _required_word(entry: Node, field: str, place: str, file: str, report: Report) -> str | None:
    assert isinstance(entry.value, dict)
    node = entry.value.get(field)
    word = _word(node) if node is not None else None
    if word is None:
        given = node is not None and isinstance(node.value, str) and node.value != ""
        rule = "cannot contain spaces or colons" if given else "is required and must be a non-empty string"
        report.error(
            f"{field} {rule}",
            file=file,
            line=entry.line if node is None else node.line,
            field=f"{place}.{field}" if place else field,
            value="" if node is None else node.shown(),
        )
    return word


def _word(node: Node) -> str | None:
    text = node.value
    return text if isinstance(text, str) and text and not _NOT_IN_WORDS.search(text) else None


def _report_missing_namespace(document: Node, file: str, kinds: frozenset[str], report: Report) -> None:
    """Files of other programs lie about in every project and are passed over; what holds entries is not."""
    assert isinstance(document.value, dict)
    kind = document.value.get("kind")
    single = "name" in document.value and kind is not None and kind.value in kinds
    if "entries" in document.value or single:
        guess = next((key for key in document.value if did_you_mean(key, ("namespace",)).startswith("did")), "")
        hint = f"{guess} was probably meant to be namespace" if guess else "add namespace: app at the top of the file"
        report.error("a file with entries needs a namespace", file=file, line=document.line, hint=hint)


def _report_type(node: Node, field: str, expected: str, file: str, report: Report) -> None:
    report.error("has the wrong type", file=file, line=node.line, field=field, value=node.shown(), expected=expected)
