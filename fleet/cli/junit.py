"""JUnit XML, as build servers read it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from fleet.worker.suite import TestResult

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, name: str, results: Sequence[TestResult]) -> None:
    """Write the results of the application `name` to `path`, one suite per `meta.suite`. Raises OSError."""
    root = ET.Element("testsuites", {"name": name, **_counts(results)})
    for suite in dict.fromkeys(result.suite for result in results):
        members = [result for result in results if result.suite == suite]
        element = ET.SubElement(root, "testsuite", {"name": _clean(suite), **_counts(members)})
        for result in members:
            _case(element, result)
    ET.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _case(suite: ET.Element, result: TestResult) -> None:
    entry = result.entry
    case = ET.SubElement(
        suite,
        "testcase",
        name=entry.id,
        classname=_clean(result.suite),
        time=f"{result.seconds:.3f}",
        file=entry.source.file,
        line=str(entry.source.line),
    )
    if result.failure is not None:
        message, kind = _clean(result.failure.message), _clean(result.failure.kind)
        ET.SubElement(case, "failure", message=message, type=kind).text = _clean(result.failure.render())


def _counts(results: Sequence[TestResult]) -> dict[str, str]:
    failed = sum(1 for result in results if result.failure is not None)
    seconds = sum(result.seconds for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0", "time": f"{seconds:.3f}"}


def _clean(text: str) -> str:
    """`text` without the characters that XML does not allow."""
    return _FORBIDDEN.sub("\ufffd", text)
