"""Files of a window and of a sweep in whatever state somebody left them: refused by name, at once, and nothing outside is read."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.unit.sweep import climbing, samples

from windlass.errors import UnusableRecord, WindlassError
from windlass.sweep import conduct, evidence, show
from windlass.windows import kept, view

WINDOW: dict[str, Any] = {
    "schema_version": 1,
    "window_id": "win_1",
    "state": "open",
    "created_at": "2026-11-20T22:14:04.512Z",
    "deadline": "2026-11-20T22:19:04.512Z",
    "ttl_sec": 300,
    "grace_s": 5.0,
    "services": ["web"],
    "closed": None,
}
GARBAGE = [b"", b"garbage", b"[]", b"null", b"{}", b"[" * 100_000, b'{"a":"\xff"}']


@pytest.fixture(autouse=True)
def quickly() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5


def trap(place: Path, kind: str) -> None:
    place.unlink(missing_ok=True)
    match kind:
        case "fifo":
            os.mkfifo(place)
        case "directory":
            place.mkdir()
        case "device":
            place.symlink_to("/dev/zero")
        case _:
            with place.open("wb") as sparse:
                sparse.truncate(2**40)


TRAPS = ["fifo", "directory", "device", "terabyte"]


@pytest.mark.parametrize("kind", TRAPS)
def test_a_window_does_not_wait_for_a_trap(tmp_path: Path, kind: str) -> None:
    trap(tmp_path / "window.json", kind)
    with pytest.raises(UnusableRecord, match=r"window\.json"):
        view.read(tmp_path)
    trap(tmp_path / "web.json", kind)
    with pytest.raises(UnusableRecord, match=r"web\.json"):
        kept.read(tmp_path, "web")


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_no_window_and_no_service(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "window.json").write_bytes(content)
    (tmp_path / "web.json").write_bytes(content)
    with pytest.raises(UnusableRecord, match=r"window\.json"):
        view.read(tmp_path)
    with pytest.raises(UnusableRecord, match=r"web\.json"):
        kept.read(tmp_path, "web")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("grace_s", ["x", -1, 1e308, [], {}, True, None]),
        ("services", ["x/y", [1], ["../../etc/passwd"], ["window"], [None], [""]]),
        ("window_id", [5, None, [], {}]),
        ("state", ["x", 5, None, []]),
        ("closed", ["x", 5, True, [], {}, {"state": "x"}]),
    ],
)
def test_a_window_with_a_field_of_another_kind_is_refused_and_leads_to_no_other_file(tmp_path: Path, field: str, wrong: list[Any]) -> None:
    (tmp_path / "window.json").write_bytes(orjson.dumps(WINDOW))
    assert view.read(tmp_path).services == ("web",)
    for value in wrong:
        (tmp_path / "window.json").write_bytes(orjson.dumps({**WINDOW, field: value}))
        with pytest.raises(UnusableRecord, match=r"window\.json"):
            view.read(tmp_path)


def paths(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every value of the first few of each kind."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from paths(below, *above, key)
    elif isinstance(value, list):
        for place, below in enumerate(value[:1]):
            yield from paths(below, *above, place)
    if above:
        yield above


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return changed


def test_whatever_a_kept_sweep_holds_in_any_field_it_is_explained_or_refused(tmp_path: Path) -> None:
    """Every field in turn, with values of every other kind: no error but ours."""
    sweep = climbing.write(tmp_path, climbing.planned(), {"T": climbing.honest})
    refusals: list[str] = []
    for path in paths(sweep):
        for wrong in ("\x1b[31m\n::error::", 5, -1.5, [], {"a": 1}, None, [None]):
            (tmp_path / "sweep.json").write_bytes(orjson.dumps(put(sweep, path, wrong)))
            try:
                loaded = conduct.load(tmp_path)
                for row in loaded["rows"]:
                    list(show.explain(row, tmp_path / loaded["bodies"]))
            except WindlassError as failure:
                refusals.append(str(failure))
    assert len(refusals) > 300
    assert all(str(tmp_path) in refusal for refusal in refusals)
    (tmp_path / "sweep.json").write_bytes(orjson.dumps(sweep))
    conduct.load(tmp_path)


@pytest.mark.parametrize("sweep", [samples.sweep(), samples.failing(), samples.interrupted(), samples.hostile(["a", "\x1b[31m"])], ids=range(4))
def test_a_real_sweep_fits(tmp_path: Path, sweep: dict[str, Any]) -> None:
    (tmp_path / "sweep.json").write_bytes(orjson.dumps(sweep))
    assert conduct.load(tmp_path) == orjson.loads(orjson.dumps(sweep))


@pytest.mark.parametrize("kind", TRAPS)
@pytest.mark.parametrize("name", ["sweep.json", "expectation.json"])
def test_evidence_does_not_wait_for_a_trap(tmp_path: Path, kind: str, name: str) -> None:
    trap(tmp_path / name, kind)
    with pytest.raises(UnusableRecord, match=name.replace(".", r"\.")):
        evidence.read_json(tmp_path / name)


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "/etc/passwd", "x", "a" * 63 + "\n", ""])
def test_a_body_is_found_by_its_digest_and_by_nothing_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnusableRecord, match="the name of no body"):
        evidence.body(tmp_path, name)


@pytest.mark.parametrize("kind", TRAPS)
def test_a_trap_in_the_place_of_a_body_is_a_body_that_is_not_carried(tmp_path: Path, kind: str) -> None:
    trap(tmp_path / ("a" * 64), kind)
    assert evidence.body(tmp_path, "a" * 64) is None


def test_an_answer_nested_deeper_than_can_be_written_again_is_shown_as_it_came(tmp_path: Path) -> None:
    deep = b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"
    sweep = climbing.write(tmp_path, climbing.planned(), {"T": lambda _: (200, deep)})
    shown = "\n".join(show.explain(sweep["rows"][0], tmp_path / "bodies"))
    assert "[[[[[" in shown
