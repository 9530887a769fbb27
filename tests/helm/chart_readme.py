"""Writes the chart's README.md: its values with defaults and meanings, from the comments of values.yaml."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "lua-fleet"

HEAD = """\
# lua-fleet

A fleet of workers that run durable Lua workflows on Temporal. How to install, size, scale, upgrade and roll back, and
what each alert means, is in `docs/kubernetes.md` of the project.

```
helm install shop . --namespace shop --create-namespace --values shop.yaml
helm test shop --namespace shop --logs
```

A value that is wrong or unknown fails the render, with its path. This table is made of `values.yaml`.

| Value | Default | Meaning |
|---|---|---|
"""


def readme() -> str:
    """The text of README.md."""
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    rows, path, meaning = [], [], ""
    for line in text.splitlines():
        if match := re.match(r" *# -- (.+)", line):
            meaning = match[1]
        elif match := re.match(r"( *)([A-Za-z]\w*):", line):
            path[len(match[1]) // 2 :] = [match[2]]
            if meaning:
                rows.append(f"| `{'.'.join(path)}` | {_default(defaults, path)} | {_cell(meaning)} |")
            meaning = ""
    return HEAD + "\n".join(rows) + "\n"


def _default(defaults: Any, path: list[str]) -> str:
    for name in path:
        defaults = defaults[name]
    return f"`{_cell(json.dumps(defaults))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme())
