"""Every error that Windlass raises on purpose. The first split is what the caller does next.

WindlassError
├── Refused              change something and ask again: bad input, usage, configuration (exit 2)
│   ├── InvalidFleet     a fleet file or its endpoints do not fit; lists every problem
│   └── UnusableRecord   a record or evidence directory is not what it should be
├── Unavailable          try again later: a service does not answer (exit 1)
│   └── NotOpened        a service of a window did not come up; `results` says how each was found stopped
└── GivenUp              the work was done as far as it goes, and its answer is no (exit 1)
    └── AgentError       an agent's own refusal, answered as `status: "error"` with a code
        └── BudgetExceeded   a run used up what `budgets` allows
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class WindlassError(Exception):
    """Something that Windlass noticed and can say in one line."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class Refused(WindlassError):
    """The request does not fit; change it and ask again."""


class InvalidFleet(Refused):
    """The fleet does not fit; `problems` lists everything that is wrong with it, each naming its field."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        listed = self.problems[0] if len(self.problems) == 1 else "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{source}: {listed}")


class UnusableRecord(Refused):
    """The record or evidence can't be read."""


class Unavailable(WindlassError):
    """A service does not answer."""


class NotOpened(Unavailable):
    """A service of the window did not come up; all that did start was stopped, and `results` says how each service was found."""

    def __init__(self, message: str, service: str, results: Sequence[Any]) -> None:
        self.service = service
        self.results = tuple(results)
        super().__init__(message)


class GivenUp(WindlassError):
    """The work ended without the result that was asked for."""


class AgentError(GivenUp):
    """An agent refuses or cannot do its work; becomes the answer's `error` object."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        self.code = code
        self.message = message
        self.details = dict(details or {})
        super().__init__(f"{code}: {message}")


class BudgetExceeded(AgentError):
    """A run used more than its `budgets` allow."""

    def __init__(self, budget: str, limit: int, message: str) -> None:
        super().__init__("BUDGET_EXCEEDED", message, {"budget": budget, "limit": limit})
