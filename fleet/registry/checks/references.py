"""Every id that an entry mentions exists and has the right kind."""

from __future__ import annotations

from ..catalog import Catalog
from ..problems import nearest
from ..schema import Reference


def check(catalog: Catalog) -> None:
    """Reports references to what is not there or is something else."""
    for reference in catalog.references:
        kind = catalog.kinds.get(reference.target)
        wanted = " or ".join(reference.kinds)
        if kind is None:
            message = f"refers to {reference.target}, which does not exist"
            reference.scope.error(message, reference.node.line, expected=wanted, hint=_hint(reference, catalog))
        elif kind and reference.kinds and kind not in reference.kinds:
            message = f"refers to {reference.target}, which is a {kind}"
            reference.scope.error(message, reference.node.line, expected=wanted, hint=_hint(reference, catalog))


def _hint(reference: Reference, catalog: Catalog) -> str:
    right = [id for id, kind in catalog.kinds.items() if not reference.kinds or kind in reference.kinds]
    if not right:
        return f"the application has no {' or '.join(reference.kinds)}"
    same_name = [id for id in right if id.partition(":")[2] == reference.target.partition(":")[2]]
    guess = same_name[0] if len(same_name) == 1 else nearest(reference.target, right)
    if guess:
        return f"did you mean {guess}?"
    shown = ", ".join(sorted(right)[:5])
    return f"known: {shown}{', …' if len(right) > 5 else ''}"
