"""A graph of services or of LangGraph nodes as its author describes it: who calls whom, and with which timeouts, retries and fallbacks. Values only.

What is not stated is null, and never taken for granted in either direction.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from windlass.agents.agent import Item

UNBOUNDED = -1
"""Retries without end."""
MOST_NODES, MOST_EDGES = 5_000, 50_000

Id = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Seconds = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Retries = Annotated[int, Field(ge=UNBOUNDED, le=1_000_000)]

_EXTERNAL = frozenset({"external", "api", "llm", "model", "tool", "saas", "third_party"})
_PASSIVE = frozenset({"start", "end", "schema"})


class Node(Item):
    """A service, agent or step; `timeout_s`, `retries`, `backoff` and `circuit_breaker` are those of calls to it, unless an edge says otherwise."""

    id: Id
    type: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    timeout_s: Seconds | None = None
    retries: Retries | None = None
    backoff: Literal["none", "fixed", "exponential", "exponential_jitter"] | None = None
    idempotent: bool | None = None
    replicas: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    fallback: Id | None = None
    circuit_breaker: bool | None = None
    external: bool | None = None
    max_iterations: Annotated[int, Field(ge=1)] | None = None
    data: Any = None
    metadata: Any = None

    @property
    def passive(self) -> bool:
        """Whether nothing runs there: a start, an end, a schema."""
        return (self.type or "").casefold() in _PASSIVE or self.id in {"__start__", "__end__"}

    @property
    def outside(self) -> bool:
        """Whether it belongs to somebody else: said so, or of a type such as `external`, `api`, `llm` or `tool`."""
        return self.external if self.external is not None else (self.type or "").casefold() in _EXTERNAL


class Edge(Item):
    """A call. A caller does not wait for an `asynchronous` one, and is done before a `conditional` one, a workflow's next step."""

    source: Id
    target: Id
    timeout_s: Seconds | None = None
    retries: Retries | None = None
    asynchronous: bool = False
    conditional: bool = False
    max_iterations: Annotated[int, Field(ge=1)] | None = None
    data: Any = None


class ServiceGraph(Item):
    """Nodes and edges; `entry_points` are those that nothing leads to, unless named. A `recursion_limit` bounds every cycle."""

    nodes: Annotated[list[Node], Field(min_length=1, max_length=MOST_NODES)]
    edges: Annotated[list[Edge], Field(max_length=MOST_EDGES)] = Field(default_factory=list)
    entry_points: Annotated[list[Id], Field(max_length=MOST_NODES)] = Field(default_factory=list)
    recursion_limit: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> ServiceGraph:
        ids = {node.id for node in self.nodes}
        if len(ids) < len(self.nodes):
            twice = Counter(node.id for node in self.nodes).most_common(1)[0][0]
            raise ValueError(f"nodes: the id {twice!r} stands there twice")
        named = [
            *(("edges", end) for edge in self.edges for end in (edge.source, edge.target)),
            *(("fallback", node.fallback) for node in self.nodes if node.fallback is not None),
            *(("entry_points", entry) for entry in self.entry_points),
        ]
        strange = next(((where, end) for where, end in named if end not in ids), None)
        if strange:
            raise ValueError(f"{strange[0]}: {strange[1]!r} is the id of no node")
        return self
