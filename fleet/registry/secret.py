"""A value that must not appear in logs, messages or tracebacks."""

from __future__ import annotations

import hmac


class Secret:
    """Holds a secret text; only ``reveal`` gives it away, ``str`` and ``repr`` do not."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(****)"

    def __str__(self) -> str:
        return "****"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> str:
        # Pickled objects end up in files and pipes, where nobody looks for secrets.
        raise TypeError("a Secret is not pickled")
