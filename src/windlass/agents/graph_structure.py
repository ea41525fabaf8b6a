"""What the shape of a directed graph says: cycles, articulation points, and what every path goes through. Pure; linear in nodes and edges."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

Arrows = Mapping[str, Sequence[str]]
"""Node → the nodes that it leads to; every node is a key."""


def arrows(nodes: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The arrows of these edges, each once, in order."""
    found: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in dict.fromkeys(edges):
        found[source].append(target)
    return found


def cycles(graph: Arrows) -> list[list[str]]:
    """The sets of nodes that lead back to themselves (strongly connected components with an edge inside), each sorted, in order."""
    order = _finishing_order(graph)
    back: dict[str, list[str]] = {node: [] for node in graph}
    for source, targets in graph.items():
        for target in targets:
            back[target].append(source)
    seen: set[str] = set()
    found: list[list[str]] = []
    for root in reversed(order):
        if root in seen:
            continue
        component, waiting = [], [root]
        seen.add(root)
        while waiting:
            node = waiting.pop()
            component.append(node)
            fresh = [one for one in back[node] if one not in seen]
            seen.update(fresh)
            waiting += fresh
        if len(component) > 1 or root in graph[root]:
            found.append(sorted(component))
    return sorted(found)


def reachable(graph: Arrows, roots: Iterable[str]) -> set[str]:
    """The roots and all that they lead to."""
    waiting = [*roots]
    found = set(waiting)
    while waiting:
        fresh = [one for one in graph[waiting.pop()] if one not in found]
        found.update(fresh)
        waiting += fresh
    return found


def on_every_path(graph: Arrows, entries: Iterable[str], exits: Iterable[str]) -> list[str]:
    """The nodes that every path from an entry to an exit goes through, in order of the way; empty where there is no path.

    Along one shortest way, a node is passed by all unless some detour leaves the way before it and comes back after it.
    """
    ends = set(exits)
    way = _shortest_way(graph, entries, ends)
    place: dict[str | None, int] = {node: number for number, node in enumerate(way)}
    goal = place[None] = len(way)
    seen: set[str] = set()

    def furthest(starts: Iterable[str | None]) -> int:
        """The furthest place on the way that these lead to over nodes beside it that were not seen yet."""
        best, waiting = -1, [*starts]
        while waiting:
            node = waiting.pop()
            if node in place:
                best = max(best, place[node])
            elif node is not None and node not in seen:
                seen.add(node)
                waiting += _next(graph, node, ends)
        return best

    found: list[str] = []
    ahead = furthest(entries)
    for number, node in enumerate(way):
        if ahead <= number:
            found.append(node)
        ahead = max(ahead, furthest(_next(graph, node, ends)))
    return found if goal else []


def articulation_points(graph: Arrows) -> list[str]:
    """The nodes without which a connected part of the graph, arrows taken both ways, falls apart; sorted."""
    ways: dict[str, list[str]] = {node: [] for node in graph}
    for source, targets in graph.items():
        for target in targets:
            if source != target:
                ways[source].append(target)
                ways[target].append(source)
    depth: dict[str, int] = {}
    low: dict[str, int] = {}
    found: set[str] = set()
    for root in graph:
        if root in depth:
            continue
        depth[root] = low[root] = 0
        children = 0
        stack: list[tuple[str, str | None, Iterator[str]]] = [(root, None, iter(ways[root]))]
        while stack:
            node, parent, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                if parent is not None:
                    low[parent] = min(low[parent], low[node])
                    if parent != root and low[node] >= depth[parent]:
                        found.add(parent)
                    children += parent == root
            elif following in depth:
                if following != parent:
                    low[node] = min(low[node], depth[following])
            else:
                depth[following] = low[following] = depth[node] + 1
                stack.append((following, node, iter(ways[following])))
        if children > 1:
            found.add(root)
    return sorted(found)


def _next(graph: Arrows, node: str, ends: set[str]) -> list[str | None]:
    """Where a node leads; None stands for the goal behind every exit."""
    return [*graph[node], *([None] if node in ends else [])]


def _shortest_way(graph: Arrows, entries: Iterable[str], ends: set[str]) -> list[str]:
    before: dict[str, str | None] = dict.fromkeys(entries)
    waiting = deque(before)
    while waiting:
        node = waiting.popleft()
        if node in ends:
            way: list[str] = []
            step: str | None = node
            while step is not None:
                way.append(step)
                step = before[step]
            return way[::-1]
        for following in graph[node]:
            if following not in before:
                before[following] = node
                waiting.append(following)
    return []


def _finishing_order(graph: Arrows) -> list[str]:
    """The nodes in the order in which a depth-first walk leaves them."""
    order: list[str] = []
    seen: set[str] = set()
    for root in graph:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(graph[root]))]
        while stack:
            node, rest = stack[-1]
            following = next((one for one in rest if one not in seen), None)
            if following is None:
                order.append(node)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(graph[following])))
    return order
