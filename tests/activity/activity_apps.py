"""Applications made of a few lines of Lua."""

from __future__ import annotations

from pathlib import Path

from fleet.registry import App, load_app

MODULES = "[time, funcs, ctx, json, errors, channel, logger, env, hash, base64, crypto, uuid, activity, http_client]"

HEAD = """version: "1.0"
namespace: app
entries:
  - name: client
    kind: temporal.client
    address: 127.0.0.1:7233
  - name: worker
    kind: temporal.worker
    client: client
    task_queue: scripts
    lifecycle: {auto_start: true}
"""


def write_app(root: Path, sources: dict[str, str], *, extra: str = "", modules: str = MODULES) -> App:
    """An application in ``root`` whose functions (all of them activities of app:worker) have these Lua bodies.

    A source that has no ``return {`` of its own is the body of ``main``; its arguments are ``...``.
    """
    text = HEAD
    for name, source in sources.items():
        whole = "return { main" in source
        body = source if whole else f"local function main(...)\n{source}\nend\nreturn {{ main = main }}"
        (root / f"{name}.lua").write_text(body)
        text += f"""  - name: {name}
    kind: function.lua
    source: file://{name}.lua
    method: main
    modules: {modules}
    meta:
      temporal:
        activity: {{worker: "app:worker"}}
"""
    (root / "_index.yaml").write_text(text + extra)
    return load_app(root)
