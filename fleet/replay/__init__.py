"""Replays recorded histories against an application, and says where the code does not fit them any more.

``histories`` reads files, ``session`` replays, ``divergence`` finds the command and the event that do not fit,
``batch`` spreads many histories over processes, ``fetch`` gets them from a server.
"""

from __future__ import annotations

from .batch import Job, replay_all
from .fetch import fetch_histories
from .histories import HistoryError, history_files, read_history
from .session import ReplayReport

__all__ = ["HistoryError", "Job", "ReplayReport", "fetch_histories", "history_files", "read_history", "replay_all"]
