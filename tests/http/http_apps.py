"""Applications with an HTTP service, made of a few lines of Lua."""

from __future__ import annotations

from pathlib import Path

from fleet.registry import App, load_app

MODULES = "[http, json, time, funcs, errors, ctx]"

HEAD = """version: "1.0"
namespace: app
entries:
  - name: gateway
    kind: http.service
    addr: 127.0.0.1:0
    {service}
  - name: api
    kind: http.router
    prefix: /api
    meta: {{server: gateway}}
    {router}
"""


def write_http_app(
    root: Path, handlers: dict[str, str], *, service: str = "", router: str = "", extra: str = ""
) -> App:
    """An application in ``root``; keys of ``handlers`` are ``"GET /path"`` below ``/api``, values bodies of functions."""
    text = HEAD.format(service=service, router=router)
    for number, (route, body) in enumerate(handlers.items()):
        method, _, path = route.partition(" ")
        (root / f"h{number}.lua").write_text(f"local function main()\n{body}\nend\nreturn {{ main = main }}")
        text += f"""  - name: h{number}
    kind: function.lua
    source: file://h{number}.lua
    method: main
    modules: {MODULES}
  - name: e{number}
    kind: http.endpoint
    meta: {{router: api}}
    func: h{number}
    method: {method}
    path: '{path}'
"""
    (root / "_index.yaml").write_text(text + extra)
    return load_app(root)
