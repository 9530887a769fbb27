"""Cycles in a graph of ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


def cycles(edges: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Cycles of a directed graph, at least one of every group of nodes that reach each other.

    Args:
        edges: node -> nodes that it points to; nodes without an entry have no edges.

    Yields:
        The nodes of a cycle in the order of its edges, the first one repeated at the end.
    """
    done: set[str] = set()
    for start in edges:
        # A stack of our own: a chain of imports may be longer than Python recurses.
        path: list[str] = []
        on_path: set[str] = set()
        ways: list[Iterator[str]] = [iter([start])]
        while ways:
            node = next(ways[-1], None)
            if node is None:
                ways.pop()
                if path:
                    finished = path.pop()
                    on_path.discard(finished)
                    done.add(finished)
            elif node in on_path:
                yield [*path[path.index(node) :], node]
            elif node not in done:
                path.append(node)
                on_path.add(node)
                ways.append(iter(edges.get(node, ())))


def show_cycle(nodes: list[str]) -> str:
    """``a -> b -> a``."""
    return " -> ".join(nodes)
