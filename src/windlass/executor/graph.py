"""Builds the LangGraph graph of an agent from its steps: one node per step, in order; with a model, one that admits and one that asks it."""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, TypedDict, cast

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langsmith.run_trees import configure

from windlass.agents.agent import Agent, Context, Inputs, Step
from windlass.agents.modelling import ModelEngine
from windlass.executor import model_turn
from windlass.executor.model_turn import Allowed


@dataclass(frozen=True, kw_only=True)
class Call:
    """What the nodes of one run see: the validated inputs and the context. Lives as long as the run."""

    inputs: Inputs
    context: Context
    task_type: str
    max_output_tokens: int | None
    max_model_calls: int


class State(TypedDict, total=False):
    """The graph's state: plain JSON values only, so that a checkpoint can hold it."""

    work: Annotated[dict[str, Any], operator.or_]
    warnings: Annotated[list[str], operator.add]
    artifacts: Annotated[list[Any], operator.add]
    drafted: dict[str, Any]
    """How the turn with the model ended: `model` (the name, where its draft was taken), `degraded`, `tokens`, `warnings` (all of them)."""


ADMIT = "admit_for_model"
ASK = "ask_model"

Graph = CompiledStateGraph[State, Call, State, State]


def build(agent: Agent[Any], allowed: Allowed | None = None) -> Graph:
    """Compile the agent's graph; raises ValueError for an agent without steps.

    With a model that the operator allows, an agent that has a use for one first admits the run's risk tier, before any step, and asks
    the model when its steps are done.
    """
    if not agent.steps:
        raise ValueError(f"{agent.name} has no steps")
    graph = StateGraph(State, context_schema=Call)
    for step in agent.steps:
        graph.add_node(step.name, cast("Any", _node(step)))  # the overloads of LangGraph do not see that a node may take the runtime
    names = [START, *(step.name for step in agent.steps), END]
    if allowed is not None and agent.model is not None:
        graph.add_node(ADMIT, cast("Any", _admitting(allowed)))
        graph.add_node(ASK, cast("Any", _asking(agent, agent.model, allowed)))
        names = [START, ADMIT, *names[1:-1], ASK, END]
    for source, target in pairwise(names):
        graph.add_edge(source, target)
    return graph.compile(name=agent.name)


def untraced() -> None:
    """Switch LangSmith's tracing off for the process, whatever the environment asks for: it sends away a run's inputs, protected text included."""
    configure(enabled=False)


def length(graph: Graph) -> int:
    """How many nodes a run of the graph goes through."""
    return len(graph.nodes) - 1  # LangGraph counts the start as one


def _node(step: Step[Any]) -> Callable[[State, Runtime[Call]], State]:
    def node(state: State, runtime: Runtime[Call]) -> State:
        call = runtime.context
        call.context.check()
        found: Mapping[str, Any] = step.run(call.inputs, state.get("work", {}), call.context)
        kept = {key: value for key, value in found.items() if key not in {"warnings", "artifacts"}}
        return {"work": kept, "warnings": list(found.get("warnings", ())), "artifacts": list(found.get("artifacts", ()))}

    node.__name__ = step.name
    return node


def _admitting(allowed: Allowed) -> Callable[[State, Runtime[Call]], State]:
    def node(_state: State, runtime: Runtime[Call]) -> State:
        if runtime.context.max_model_calls:
            allowed.admit(runtime.context.task_type, runtime.context.context.risk_tier)
        return {}

    return node


def _asking(agent: Agent[Any], engine: ModelEngine[Any], allowed: Allowed) -> Callable[[State, Runtime[Call]], Awaitable[State]]:
    async def node(state: State, runtime: Runtime[Call]) -> State:
        call = runtime.context
        call.context.check()
        if not call.max_model_calls:
            return {}
        allowed.admit(call.task_type, call.context.risk_tier)  # again, beside the sending: no other order of nodes may send what was not admitted
        ask = model_turn.Ask(
            agent=agent,
            engine=engine,
            inputs=call.inputs,
            work=state.get("work", {}),
            context=call.context,
            max_output_tokens=call.max_output_tokens,
            turns=call.max_model_calls,
        )
        turned = await model_turn.turn(ask, allowed.chat)
        tokens, before = dict(turned.tokens), state.get("warnings", [])
        if turned.result is None:
            warnings = [*before, *(model_turn.fallback_warnings(allowed.chat, turned.faults) if turned.faults else [])]
            return {"drafted": {"model": None, "degraded": bool(turned.faults), "tokens": tokens, "warnings": warnings}}
        standing = [warning for warning in before if not engine.moot(warning)]
        kept = {key: value for key, value in turned.result.items() if key not in {"warnings", "artifacts"}}
        return {
            "work": kept,
            "artifacts": list(turned.result.get("artifacts", ())),
            "drafted": {
                "model": allowed.chat.name,
                "degraded": False,
                "tokens": tokens,
                "warnings": list(dict.fromkeys([*standing, *turned.result.get("warnings", ())])),
            },
        }

    return node
