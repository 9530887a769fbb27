"""The names of a node: ``process.registry`` and the names that processes are spawned with."""

from __future__ import annotations


class Names:
    """Names of processes. A name is gone when its owner has ended."""

    def __init__(self) -> None:
        self._pids: dict[str, str] = {}
        self._owned: dict[str, set[str]] = {}
        self._owners: dict[str, str] = {}

    def register(self, name: str, pid: str, owner: str) -> str | None:
        """Give ``pid`` the name ``name``, until the process ``owner`` has ended.

        None when it has it now, else the PID that has it.
        """
        holder = self._pids.get(name)
        if holder is not None:
            return None if holder == pid else holder
        self._pids[name] = pid
        self._owners[name] = owner
        self._owned.setdefault(owner, set()).add(name)
        return None

    def lookup(self, name: str) -> str | None:
        """The PID that has the name."""
        return self._pids.get(name)

    def unregister(self, name: str) -> bool:
        """Take the name away; False when nobody has it."""
        if self._pids.pop(name, None) is None:
            return False
        owner = self._owners.pop(name)
        self._owned[owner].discard(name)
        if not self._owned[owner]:
            del self._owned[owner]
        return True

    def owner_ended(self, owner: str) -> None:
        """Free the names of a process that has ended."""
        for name in list(self._owned.get(owner, ())):
            self.unregister(name)
