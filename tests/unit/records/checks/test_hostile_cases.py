"""A few of the hostile inputs, at every run of the suite; `tests/promises` tries all of them and measures."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.unit.records.checks import gates, hostile_cases
from windlass.errors import Refused


def test_random_pieces_are_judged_or_refused_in_little_time(tmp_path: Path) -> None:
    for case in hostile_cases.generated(7, 60):
        begun = time.perf_counter()
        try:
            judgement = gates.judged(tmp_path, case.check, {hostile_cases.TARGET: case.content, **case.files})
            assert judgement.failure_reason is None or len(judgement.failure_reason) <= 10_000, case.name
        except Refused:
            pass
        assert time.perf_counter() - begun < 5, case.name
        shutil.rmtree(tmp_path / "docs")
