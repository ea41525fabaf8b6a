"""(being written) One read of each file for all its watchers."""

from __future__ import annotations

from windlass.records.checks.check import Problem, Read, Watcher

__all__ = ["Problem", "Read", "Watcher"]
