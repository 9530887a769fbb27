"""The embedded Temporal server for development, tests and demonstrations.

``embedded`` is the way in; ``binary`` finds the program, ``process`` and ``guard`` run it so that it cannot be left
behind, ``datafile`` and ``ports`` keep two servers out of each other's way, ``registration`` makes namespaces and
search attributes, ``errors`` explains what went wrong.
"""

from .datafile import Holder, default_data_file, running_server
from .embedded import EmbeddedServer, workflow_url
from .errors import PortInUseError, ServerError

__all__ = [
    "EmbeddedServer",
    "Holder",
    "PortInUseError",
    "ServerError",
    "default_data_file",
    "running_server",
    "workflow_url",
]
