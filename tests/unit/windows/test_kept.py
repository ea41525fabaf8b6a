import json
from dataclasses import replace

import pytest

from windlass.errors import UnusableRecord
from windlass.windows import kept
from windlass.windows.kept import Kept
from windlass.windows.processes import Process

STATE = Kept(
    window_id="win_1",
    service="web",
    state="open",
    keeper=Process(pid=11, started="b/1"),
    process=Process(pid=12, started="b/2"),
    deadline="2026-01-19T14:30:12.000Z",
    deadline_uptime=12.5,
    stop_grace_s=1.0,
    started_at="2026-01-19T14:29:12.000Z",
)


def test_a_state_is_read_as_it_was_written(tmp_path):
    for state in (STATE, replace(STATE, process=None, state="closed", exit_code=3, ended="exited", closed_at="x", log_tail="ü\n")):
        kept.write(tmp_path, state)
        assert kept.read(tmp_path, "web") == state
    assert [path.name for path in tmp_path.iterdir()] == ["web.json"]


def test_nothing_written_is_nothing_read(tmp_path):
    assert kept.read(tmp_path, "web") is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"state": "closed!"},
        {"keeper": {"pid": 1, "started": "b/1"}},
        {"keeper": {"pid": -1, "started": "b/1"}},
        {"keeper": {"pid": "11", "started": "b/1"}},
        {"keeper": None},
        {"process": {"pid": 0, "started": ""}},
        {"process": []},
        {"deadline_uptime": None},
        {"more": 1},
    ],
)
def test_a_file_that_is_no_state_is_said_to_be_none(tmp_path, change):
    """Pids of 1, 0 and below above all: a signal to them would reach everyone."""
    kept.write(tmp_path, STATE)
    place = kept.path(tmp_path, "web")
    place.write_text(json.dumps({**json.loads(place.read_text()), **change}))
    with pytest.raises(UnusableRecord, match=r"web\.json"):
        kept.read(tmp_path, "web")


def test_a_returncode_says_how_a_service_ended():
    assert replace(STATE, exit_code=3).returncode == 3
    assert replace(STATE, signal=9).returncode == -9
    assert STATE.returncode is None
