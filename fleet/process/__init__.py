"""Processes outside Temporal: what calls of functions and process.lua entries are to each other and to workflows.

A ``Node`` holds those of one operating system process.
"""

from __future__ import annotations

from .delivery import Deliveries
from .node import Node
from .services import process_services
from .spawning import Spawn

__all__ = ["Deliveries", "Node", "Spawn", "process_services"]
