"""Dividing permits: among the claims on a budget, and a queue's permits among the workers."""

from __future__ import annotations

from collections.abc import Sequence


def fill(budget: int, have: Sequence[int], want: Sequence[int], order: Sequence[int] | None = None) -> list[int]:
    """Raise who has least first, until all have what they want or the sum is `budget`.

    Max-min fair: nobody gets more than another who still wants more and began with no more. have, want: one number for
    each; who wants less than it has keeps what it has. order: indices, who comes first when the rest cannot be divided
    evenly; by index when None. A budget below the sum of `have` changes nothing.
    """
    spare = budget - sum(have)
    if sum(max(0, w - h) for h, w in zip(have, want, strict=True)) <= spare:
        return [max(h, w) for h, w in zip(have, want, strict=True)]

    def up_to(level: int) -> list[int]:
        return [max(h, min(w, level)) for h, w in zip(have, want, strict=True)]

    low, high = 0, max(want, default=0)
    while low < high:
        level = (low + high + 1) // 2
        if sum(up_to(level)) <= max(budget, sum(have)):
            low = level
        else:
            high = level - 1
    shares = up_to(low)
    rest = max(0, budget - sum(shares))
    for index in range(len(shares)) if order is None else order:
        if rest and shares[index] == low < want[index]:
            shares[index] += 1
            rest -= 1
    return shares


def spread(permits: int, most: Sequence[int], committed: Sequence[int]) -> list[int]:
    """A queue's permits for each worker, evenly, without ever more in the hands of all together.

    most: the limit of each worker by the options of its entry. committed: what each may hold or still holds; a worker
    gets more only out of what the others have given back already.
    """
    even = fill(permits, [0] * len(most), most)
    reachable = fill(permits, committed, [max(c, e) for c, e in zip(committed, even, strict=True)])
    return [min(e, r) for e, r in zip(even, reachable, strict=True)]
