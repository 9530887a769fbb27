"""Applications with processes, made of a few lines of Lua, and a node that runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from temporalio.client import Client

from fleet.activity import Functions
from fleet.process import Node
from fleet.registry import App, load_app

MODULES = ["time", "funcs", "ctx", "json", "errors", "channel"]


def as_module(text: str) -> str:
    """A text without `return { main` is the body of main(...)."""
    if "return { main" in text:
        return text
    return f"local function main(...)\n{text}\nend\nreturn {{ main = main }}\n"


async def unreachable(client_id: str) -> Client:
    """The connector where there is no server."""
    raise ConnectionError("there is no server")


class Apps:
    """An application in ``root`` that grows until it is opened."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries: list[dict[str, Any]] = [{"name": "host", "kind": "process.host"}]

    def add(self, kind: str, name: str, text: str, **more: Any) -> None:
        """An entry whose file is ``text``, or whose main has it as its body."""
        (self.root / f"{name}.lua").write_text(as_module(text))
        source = {"source": f"file://{name}.lua", "method": "main", "modules": MODULES}
        self.entries.append({"name": name, "kind": kind, **source, **more})

    def load(self) -> App:
        """Write it and load it."""
        document = {"version": "1.0", "namespace": "app", "entries": self.entries}
        (self.root / "_index.yaml").write_text(yaml.safe_dump(document))
        return load_app(self.root)


class LocalBench:
    """A node with functions and processes; ``functions`` and ``processes`` are bodies by name."""

    def __init__(self, root: Path) -> None:
        self.apps = Apps(root)

    def function(self, name: str, text: str) -> None:
        """Add a function.lua entry."""
        self.apps.add("function.lua", name, text)

    def process(self, name: str, text: str) -> None:
        """Add a process.lua entry."""
        self.apps.add("process.lua", name, text)

    def open(self) -> None:
        """Load the application."""
        self.functions = Functions(self.apps.load())
        self.node = Node(self.functions, unreachable)

    async def call(self, text: str, *args: Any, **processes: str) -> Any:
        """The result of a function with this body, in an application with these processes."""
        self.function("main", text)
        for name, body in processes.items():
            self.process(name, body)
        self.open()
        return await self.functions.call_json("app:main", args)

    async def close(self) -> None:
        """End everything."""
        if hasattr(self, "node"):
            await self.node.close(0.2)
            await self.functions.close()
