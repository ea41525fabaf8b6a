from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from windlass.infra.chain import GENESIS, ChainedLog, scan, seal


def _content(number: int) -> bytes:
    lines, head = [], GENESIS
    for seq in range(number):
        line, head = seal(seq, head, {"word": f"w{seq}", "nested": {"hash": "a" * 64}})
        lines.append(line)
    return b"".join(lines)


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_what_is_appended_is_read_back_in_order(log_path: Path):
    with ChainedLog(log_path) as log:
        hashes = [log.append({"n": 1}), *log.append_all([{"n": 2}, {"n": 3}])]
    found = scan(log_path.read_bytes())
    assert [entry.fields for entry in found.entries] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [entry.hash for entry in found.entries] == hashes
    assert (found.breaks, found.torn, found.head) == ((), 0, hashes[-1])


def test_a_dozen_lines_of_standard_library_can_check_a_chain():
    prev = GENESIS
    for seq, line in enumerate(_content(5).splitlines()):
        body, claimed = re.fullmatch(rb'(.*),"hash":"([0-9a-f]{64})"\}', line).groups()  # type: ignore[union-attr]
        assert hashlib.sha256(body).hexdigest() == claimed.decode()
        fields = json.loads(line)
        assert (fields["seq"], fields["prev"]) == (seq, prev)
        prev = claimed.decode()


@pytest.mark.parametrize("name", ["seq", "prev", "hash"])
def test_the_chains_own_names_are_refused(log_path: Path, name: str):
    with ChainedLog(log_path) as log, pytest.raises(ValueError, match=name):
        log.append({name: "x"})
    assert log_path.read_bytes() == b""


def test_every_flipped_bit_breaks_the_chain_at_its_byte():
    content = _content(4)
    for offset in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[offset] ^= 1 << bit
            found = scan(bytes(changed))
            assert found.breaks, (offset, bit)
            first = found.breaks[0]
            assert first.start <= offset < first.end, (offset, bit)


def test_a_flip_is_one_break_and_the_lines_behind_it_are_still_read():
    content = bytearray(_content(5))
    content[content.index(b"w1")] ^= 1
    found = scan(bytes(content))
    assert [broken.line for broken in found.breaks] == [2]
    assert [entry.seq for entry in found.entries] == [0, 2, 3, 4]


def test_a_changed_newline_in_the_middle_is_one_break_over_both_lines():
    content = bytearray(_content(4))
    content[content.index(b"\n")] ^= 1
    assert [(broken.line, broken.start) for broken in scan(bytes(content)).breaks] == [(1, 0)]


@pytest.mark.parametrize("change", ["delete", "swap", "double", "foreign"])
def test_a_missing_swapped_doubled_or_foreign_line_breaks_the_chain(change: str):
    lines = _content(5).splitlines(keepends=True)
    match change:
        case "delete":
            del lines[2]
        case "swap":
            lines[1], lines[2] = lines[2], lines[1]
        case "double":
            lines.insert(2, lines[2])
        case _:
            lines[2] = seal(2, "f" * 64, {"word": "foreign"})[0]
    assert scan(b"".join(lines)).breaks


def test_every_cut_inside_the_last_line_is_a_torn_tail_and_no_break():
    content = _content(3)
    start = len(_content(2))
    for end in range(start + 1, len(content)):
        found = scan(content[:end])
        assert (found.breaks, found.torn, len(found.entries)) == ((), end - start, 2)


def test_scanning_on_from_an_entry_gives_the_same_entries_and_places():
    content = _content(5)
    whole = scan(content)
    later = scan(content[whole.entries[1].end :], after=whole.entries[1])
    assert later.entries == whole.entries[2:]
    broken = scan(content[whole.entries[1].start :], after=whole.entries[1])
    assert broken.breaks[0].start == whole.entries[1].end


def test_arbitrary_bytes_never_raise():
    for content in (b"", b"\n", b"\n\n", b"{}\n", b"null\n", b"\xff" * 200 + b"\n", b'x,"hash":"' + b"0" * 64 + b'"}\n', b"[" * 5000 + b"\n"):
        scan(content)


def test_a_torn_tail_is_cut_by_the_next_append(log_path: Path):
    log_path.write_bytes(_content(3)[:-10])
    with ChainedLog(log_path) as log:
        log.append({"word": "after"})
    found = scan(log_path.read_bytes())
    assert ([entry.seq for entry in found.entries], found.breaks, found.torn) == ([0, 1, 2], (), 0)
    assert found.entries[-1].fields == {"word": "after"}


def test_an_entry_that_lacks_only_its_newline_is_kept(log_path: Path):
    log_path.write_bytes(_content(3)[:-1])
    with ChainedLog(log_path) as log:
        log.append({"word": "after"})
    found = scan(log_path.read_bytes())
    assert ([entry.seq for entry in found.entries], found.breaks, found.torn) == ([0, 1, 2, 3], (), 0)


def test_mending_brings_a_torn_tail_in_order_without_appending(log_path: Path):
    log_path.write_bytes(_content(3)[:-1])
    with ChainedLog(log_path) as log:
        log.mend()
        assert log.read() == _content(3)
        assert log.head == scan(_content(3)).head


def test_nothing_is_appended_when_the_last_newline_was_changed_and_nothing_is_cut(log_path: Path):
    damaged = _content(3)[:-1] + b"\x0b"
    log_path.write_bytes(damaged)
    with ChainedLog(log_path) as log, pytest.raises(OSError, match="damaged"):
        log.append({"word": "after"})
    assert log_path.read_bytes() == damaged


def test_nothing_is_appended_behind_a_damaged_last_entry(log_path: Path):
    damaged = bytearray(_content(3))
    damaged[-20] ^= 1
    log_path.write_bytes(damaged)
    with ChainedLog(log_path) as log, pytest.raises(OSError, match="damaged"):
        log.append({"word": "after"})
    assert log_path.read_bytes() == damaged


def test_nothing_is_appended_to_a_log_that_was_cut_under_its_writer(log_path: Path):
    with ChainedLog(log_path) as log:
        log.append({"n": 1})
        os.truncate(log_path, 10)
        with pytest.raises(OSError, match="shorter"):
            log.append({"n": 2})


def test_two_writers_see_each_others_entries(log_path: Path):
    with ChainedLog(log_path) as one, ChainedLog(log_path) as other:
        for n in range(6):
            (one, other)[n % 2].append({"n": n})
    found = scan(log_path.read_bytes())
    assert ([entry.fields["n"] for entry in found.entries], found.breaks) == (list(range(6)), ())


def test_an_append_that_the_disk_refuses_leaves_no_trace(log_path: Path):
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ChainedLog(log_path) as log:
        log.append({"n": 1})
        before = log_path.read_bytes()
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, limits[1]))
            with pytest.raises(OSError, match="File too large"):
                log.append({"n": 2, "long": "x" * 500})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, previous)
        assert log_path.read_bytes() == before
        log.append({"n": 3})
    found = scan(log_path.read_bytes())
    assert ([entry.fields["n"] for entry in found.entries], found.breaks, found.torn) == ([1, 3], (), 0)


_APPENDER = """
import sys
from pathlib import Path
from windlass.infra.chain import ChainedLog
with ChainedLog(Path(sys.argv[1])) as log:
    for n in range(int(sys.argv[3])):
        log.append({"who": sys.argv[2], "n": n})
"""


def test_writers_in_four_processes_lose_nothing(log_path: Path):
    writers = [subprocess.Popen([sys.executable, "-c", _APPENDER, str(log_path), str(who), "50"]) for who in range(4)]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0, 0]
    found = scan(log_path.read_bytes())
    assert (found.breaks, found.torn) == ((), 0)
    for who in range(4):
        assert [entry.fields["n"] for entry in found.entries if entry.fields["who"] == str(who)] == list(range(50))


_BLOCK = 64 * 1024


@pytest.mark.parametrize("torn", [b"", b"x", b"x" * _BLOCK, b"x" * (5 * _BLOCK)], ids=len)
@pytest.mark.parametrize("length", [0, _BLOCK - 200, _BLOCK, 7 * _BLOCK], ids=str)
def test_a_writer_goes_on_behind_a_last_entry_and_a_torn_tail_of_any_length(log_path: Path, length: int, torn: bytes):
    with ChainedLog(log_path) as log:
        for n in range(3):
            log.append({"n": n, "long": "x" * length})
    with log_path.open("ab") as other:
        other.write(torn)
    with ChainedLog(log_path) as log:
        log.append_after(lambda last: {"n": 3, "before": last})
    found = scan(log_path.read_bytes())
    assert ([entry.fields["n"] for entry in found.entries], found.breaks, found.torn) == ([0, 1, 2, 3], (), 0)
    assert found.entries[-1].fields["before"] == {"n": 2, "long": "x" * length}


def test_an_entry_may_be_made_of_the_one_before_it_whoever_wrote_that(log_path: Path):
    def counted(last):
        return {"n": 1 if last is None else last["n"] + 1}

    with ChainedLog(log_path) as one, ChainedLog(log_path) as other:
        made = [(one, other)[n % 3 == 0].append_after(counted) for n in range(9)]
        one.append_all([{"n": 100}, {"n": 200}])
        made.append(other.append_after(counted))
    assert [fields["n"] for fields in made] == [*range(1, 10), 201]


def test_an_entry_that_can_not_be_made_leaves_the_log_as_it_was_and_free(log_path: Path):
    def bug(_last):
        raise KeyError("n")

    with ChainedLog(log_path) as log, ChainedLog(log_path) as other:
        log.append({"n": 1})
        with pytest.raises(KeyError):
            log.append_after(bug)
        with pytest.raises(TypeError):
            log.append({"n": object()})
        other.append({"n": 2})
        log.append({"n": 3})
    found = scan(log_path.read_bytes())
    assert ([entry.fields["n"] for entry in found.entries], found.breaks) == ([1, 2, 3], ())
