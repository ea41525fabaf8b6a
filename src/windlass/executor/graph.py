"""Builds the LangGraph graph of an agent from its steps: one node per step, in order."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, TypedDict, cast

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from windlass.agents.agent import Agent, Context, Inputs, Step


@dataclass(frozen=True, kw_only=True)
class Call:
    """What the nodes of one run see: the validated inputs and the context. Lives as long as the run."""

    inputs: Inputs
    context: Context


class State(TypedDict, total=False):
    """The graph's state: plain JSON values only, so that a checkpoint can hold it."""

    work: Annotated[dict[str, Any], operator.or_]
    warnings: Annotated[list[str], operator.add]
    artifacts: Annotated[list[Any], operator.add]


Graph = CompiledStateGraph[State, Call, State, State]


def build(agent: Agent[Any]) -> Graph:
    """Compile the agent's graph; raises ValueError for an agent without steps."""
    if not agent.steps:
        raise ValueError(f"{agent.name} has no steps")
    graph = StateGraph(State, context_schema=Call)
    for step in agent.steps:
        graph.add_node(step.name, cast("Any", _node(step)))  # the overloads of LangGraph do not see that a node may take the runtime
    names = [START, *(step.name for step in agent.steps), END]
    for source, target in pairwise(names):
        graph.add_edge(source, target)
    return graph.compile(name=agent.name)


def _node(step: Step[Any]) -> Callable[[State, Runtime[Call]], State]:
    def node(state: State, runtime: Runtime[Call]) -> State:
        call = runtime.context
        call.context.check()
        found: Mapping[str, Any] = step.run(call.inputs, state.get("work", {}), call.context)
        kept = {key: value for key, value in found.items() if key not in {"warnings", "artifacts"}}
        return {"work": kept, "warnings": list(found.get("warnings", ())), "artifacts": list(found.get("artifacts", ()))}

    node.__name__ = step.name
    return node
