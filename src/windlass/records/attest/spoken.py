"""Durations, sizes and costs as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from windlass.records.attest.told import Cost


def duration(milliseconds: float | None) -> str:
    """`250 ms`, `1.92 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`; a dash where nothing was measured."""
    if milliseconds is None:
        return "–"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1000:.2f}".rstrip("0").rstrip(".") + " s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def size(octets: int | None) -> str:
    """`812 B`, `3.4 KiB`, `1.2 GiB`; a dash where there is none."""
    if octets is None:
        return "–"
    value = float(octets)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def dollars(amount: Decimal | None) -> str:
    """`$0.0123`: cents and as many more digits as there are, six at most; a dash where nobody said."""
    if amount is None:
        return "–"
    whole, _, fraction = f"{amount:.6f}".partition(".")
    return f"${int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"


def tokens(number: int | None) -> str:
    """`12,345`; a dash where nobody said."""
    return "–" if number is None else f"{number:,}"


def counted(number: int, what: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def cost(spent: Cost) -> str:
    """`3 invocations, 1,200 tokens in, 340 out, $0.02`: what was told; empty when nothing was invoked."""
    return ", ".join(_cost(spent))


def _cost(spent: Cost) -> Iterator[str]:
    if not spent.invocations:
        return
    yield counted(spent.invocations, "invocation")
    if spent.failed:
        yield f"{spent.failed} of them failed"
    if spent.tokens_in is not None:
        yield f"{spent.tokens_in:,} tokens in"
    if spent.tokens_out is not None:
        yield f"{spent.tokens_out:,} tokens out"
    if spent.cost_usd is not None:
        yield dollars(spent.cost_usd)
