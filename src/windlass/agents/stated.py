"""A number as somebody stated it: its value, and how far rounding may have moved it. Pure."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Annotated

from pydantic import Field

LARGEST = 1e12

Finite = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
Figure = Annotated[int, Field(ge=-(10**12), le=10**12)] | Finite | Annotated[str, Field(pattern=r"^[-+−]?(\d{1,12}(\.\d{0,15})?|\.\d{1,15})$")]
"""A number, or its digits as text: `"2.20"` says that it was rounded to two decimals, which the number 2.2 can't."""


def value(figure: Figure) -> float:
    """The number itself."""
    return float(str(figure).replace("−", "-"))


def decimals(figure: Figure) -> int:
    """The decimals that were stated; 0 for a whole number."""
    exponent = Decimal(str(figure).replace("−", "-")).as_tuple().exponent
    whole_float = isinstance(figure, float) and figure.is_integer()
    return 0 if whole_float or not isinstance(exponent, int) else max(0, -exponent)


def half_unit(figure: Figure) -> float:
    """How far the unrounded number may lie from the stated one: half a unit of its last decimal; 0 for a whole number."""
    places = decimals(figure)
    return 0.5 * 10.0**-places if places else 0.0


def may_round_to(low: float, high: float, stated: Figure) -> bool:
    """Whether some number from `low` to `high` may have been stated like this, rounded in either direction at the half."""
    slack = 0.5 * 10.0 ** -decimals(stated)
    slack += 1e-9 * max(slack, math.fabs(value(stated)))
    return low <= value(stated) + slack and high >= value(stated) - slack
