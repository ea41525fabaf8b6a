"""A gate's contract as a value: what must lie where, what is checked in it, and whose approval it takes."""

from __future__ import annotations

from dataclasses import dataclass

from windlass.records.checks.check import Check, Severity
from windlass.records.events import Depth

__all__ = ["ApprovalRule", "Check", "Contract", "Output", "Severity", "required_outputs"]

LOCAL_VERSION = "local-dev"
"""What a contract or workflow without a version of its own is called."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output of a gate; `path` is a template, perhaps with wildcards. The two lists of depths go before `required`."""

    path: str
    description: str | None = None
    required: bool = True
    required_for_depth: tuple[Depth, ...] = ()
    optional_for_depth: tuple[Depth, ...] = ()

    def required_at(self, depth: Depth) -> bool:
        """Whether a run of this depth must have it."""
        if self.required_for_depth:
            return depth in self.required_for_depth
        return self.required and depth not in self.optional_for_depth


@dataclass(frozen=True, kw_only=True)
class ApprovalRule:
    """How many distinct persons must approve, in which roles, and how long each approval counts."""

    quorum: int
    roles: tuple[str, ...]
    expires_in_s: int


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A contract as it was read; lives as long as the attempts that are held to it. `warnings`: each as `<file> <pointer>: reason`."""

    gate: str
    name: str
    blocking: bool
    description: str
    any_of: tuple[Output, ...]
    all_of: tuple[Output, ...]
    validations: tuple[Check, ...]
    notes: str | None
    approvals: ApprovalRule | None
    schema_version: int | None
    version: str
    content: bytes
    sha256: str
    path: str
    warnings: tuple[str, ...]


def required_outputs(contract: Contract, depth: Depth) -> tuple[Output, ...]:
    """The outputs that a run of this depth must have, in the contract's order; of those in `any_of`, one is enough."""
    return contract.any_of + tuple(output for output in contract.all_of if output.required_at(depth))
