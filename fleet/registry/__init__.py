"""YAML to validated entries: knows every kind and field of an application, runs nothing.

``load_app`` is the way in. A change to a kind's fields goes to ``kinds/``, to a type of value to ``types.py``, to a
rule between entries to ``checks/``, to what YAML means to ``yamlfile.py``.
"""

from __future__ import annotations

from .app import App
from .durations import format_duration, parse_duration
from .env import EnvNotFound, EnvRegistry
from .env_storage import EnvError, EnvReadOnly
from .kinds import KINDS
from .kinds.entry import Entry, Lifecycle, RestartPolicy, ServiceEntry
from .kinds.env import (
    FileStorageEntry,
    MemoryStorageEntry,
    OsStorageEntry,
    RouterStorageEntry,
    StaticStorageEntry,
    StorageEntry,
    VariableEntry,
)
from .kinds.http import HttpEndpointEntry, HttpRouterEntry, HttpServiceEntry
from .kinds.lua import (
    ActivityBinding,
    CallableEntry,
    FunctionEntry,
    LibraryEntry,
    LuaEntry,
    LuaSource,
    ProcessEntry,
    WorkflowEntry,
)
from .kinds.process import ProcessHostEntry, ProcessServiceEntry
from .kinds.temporal import AuthConfig, ClientEntry, HealthCheck, TlsConfig, WorkerEntry, WorkerOptions
from .load import load_app
from .problems import AppError, Problem
from .secret import Secret

__all__ = [
    "KINDS",
    "ActivityBinding",
    "App",
    "AppError",
    "AuthConfig",
    "CallableEntry",
    "ClientEntry",
    "Entry",
    "EnvError",
    "EnvNotFound",
    "EnvReadOnly",
    "EnvRegistry",
    "FileStorageEntry",
    "FunctionEntry",
    "HealthCheck",
    "HttpEndpointEntry",
    "HttpRouterEntry",
    "HttpServiceEntry",
    "LibraryEntry",
    "Lifecycle",
    "LuaEntry",
    "LuaSource",
    "MemoryStorageEntry",
    "OsStorageEntry",
    "Problem",
    "ProcessEntry",
    "ProcessHostEntry",
    "ProcessServiceEntry",
    "RestartPolicy",
    "RouterStorageEntry",
    "Secret",
    "ServiceEntry",
    "StaticStorageEntry",
    "StorageEntry",
    "TlsConfig",
    "VariableEntry",
    "WorkerEntry",
    "WorkerOptions",
    "WorkflowEntry",
    "format_duration",
    "load_app",
    "parse_duration",
]
