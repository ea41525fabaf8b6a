from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents import graph_structure

GRAPHS = st.integers(1, 7).flatmap(lambda size: st.tuples(st.just(size), st.lists(st.tuples(*[st.integers(0, size - 1)] * 2), max_size=16)))


def made(size: int, edges: list[tuple[int, int]]) -> dict[str, list[str]]:
    return graph_structure.arrows(map(str, range(size)), [(str(one), str(other)) for one, other in edges])


def led(graph: dict[str, list[str]], starts: set[str], without: str) -> set[str]:
    left = {node: [one for one in targets if one != without] for node, targets in graph.items() if node != without}
    return graph_structure.reachable(left, starts - {without})


def test_a_diamond_is_passed_at_its_ends_only():
    graph = made(4, [(0, 1), (0, 2), (1, 3), (2, 3)])
    assert graph_structure.on_every_path(graph, ["0"], ["3"]) == ["0", "3"]
    assert graph_structure.articulation_points(graph) == []


def test_a_chain_with_a_detour_is_passed_where_there_is_none():
    graph = made(6, [(0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 3)])
    assert graph_structure.on_every_path(graph, ["0"], ["4"]) == ["0", "1", "3", "4"]


def test_without_a_way_nothing_is_passed():
    assert graph_structure.on_every_path(made(2, []), ["0"], ["1"]) == []
    assert graph_structure.on_every_path(made(2, [(0, 1)]), [], ["1"]) == []


def test_a_long_chain_needs_no_recursion():
    graph = made(5000, [(number, number + 1) for number in range(4999)] + [(4999, 0)])
    assert len(graph_structure.cycles(graph)[0]) == 5000
    assert graph_structure.articulation_points(graph) == []
    assert len(graph_structure.on_every_path(graph, ["0"], ["4999"])) == 5000


@settings(max_examples=200, deadline=None)
@given(GRAPHS)
def test_what_all_ways_pass_is_what_no_way_goes_without(drawn):
    size, edges = drawn
    graph = made(size, edges)
    exits = {node for node, targets in graph.items() if not targets}
    passable = bool(graph_structure.reachable(graph, {"0"}) & exits)
    wanted = {node for node in graph if passable and not led(graph, {"0"}, node) & exits}
    assert set(graph_structure.on_every_path(graph, ["0"], sorted(exits))) == wanted


@settings(max_examples=200, deadline=None)
@given(GRAPHS)
def test_articulation_points_and_cycles_are_those_that_taking_out_and_going_round_find(drawn):
    size, edges = drawn
    graph = made(size, edges)
    both = made(size, [*edges, *((other, one) for one, other in edges)])
    splits = []
    for node in graph:
        around = sorted(set(both[node]) - {node})
        if around and not set(around) <= led(both, {around[0]}, node):
            splits.append(node)
    assert graph_structure.articulation_points(graph) == splits
    after = {node: graph_structure.reachable(graph, graph[node]) for node in graph}
    groups = {tuple(sorted(other for other in graph if other in after[node] and node in after[other])) for node in graph if node in after[node]}
    assert graph_structure.cycles(graph) == sorted(map(list, groups))
