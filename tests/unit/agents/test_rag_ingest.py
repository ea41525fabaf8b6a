from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windlass.agents.chunking import spans
from windlass.agents.reference.rag_ingest import AGENT

from . import probing, runs


def rows(store: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store / "rag" / "chunks.sqlite3")) as connection:
        return connection.execute("SELECT collection, doc_id, start, text FROM chunk ORDER BY 1, 2, 3").fetchall()


def ingest(store: Path, *documents: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    return runs.outputs(AGENT, {"documents": list(documents), **inputs}, store)


def test_a_document_is_kept_as_verbatim_chunks_with_spans_hashes_and_ids(tmp_path):
    text = "  Statins reduced mortality by 12% over five years. " * 20
    found = ingest(tmp_path, {"doc_id": "d", "text": text, "title": "T", "metadata": {"year": 2020}}, collection="c", chunk_size=100, overlap=20)
    (document,) = found["documents"]
    assert document["content_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert rows(tmp_path) == [("c", "d", chunk["start"], text[chunk["start"] : chunk["end"]]) for chunk in document["chunks"]]
    assert found["stored_chunks"] == found["collection_chunks"] == len(rows(tmp_path)) > 10


def test_the_same_document_again_changes_nothing_and_another_text_replaces_it(tmp_path):
    first = ingest(tmp_path, {"doc_id": "d", "text": "one " * 500})
    again = ingest(tmp_path, {"doc_id": "d", "text": "one " * 500})
    assert (again["documents"][0]["change"], again["chunk_ids"]) == ("unchanged", first["chunk_ids"])
    other = ingest(tmp_path, {"doc_id": "d", "text": "two"})
    assert (other["documents"][0]["change"], other["collection_documents"], other["collection_chunks"]) == ("replaced", 1, 1)
    assert [row[3] for row in rows(tmp_path)] == ["two"]


def test_other_metadata_replace_a_document_too(tmp_path):
    ingest(tmp_path, {"doc_id": "d", "text": "one", "metadata": {"year": 2019}})
    assert ingest(tmp_path, {"doc_id": "d", "text": "one", "metadata": {"year": 2020}})["documents"][0]["change"] == "replaced"


def test_a_document_without_an_id_is_named_after_its_text(tmp_path):
    found = ingest(tmp_path, {"text": "hé 水"})
    assert found["document_ids"] == ["doc-" + hashlib.sha256("hé 水".encode()).hexdigest()[:24]]


def test_collections_are_apart(tmp_path):
    ingest(tmp_path, {"doc_id": "d", "text": "one"}, collection="a")
    assert ingest(tmp_path, {"doc_id": "d", "text": "two"}, collection="b")["collection_documents"] == 1
    assert [row[::3] for row in rows(tmp_path)] == [("a", "one"), ("b", "two")]


def test_an_ephemeral_ingestion_leaves_nothing_and_touches_nothing(tmp_path):
    ingest(tmp_path, {"doc_id": "mine", "text": "kept"}, collection="c")
    found = ingest(tmp_path, {"doc_id": "other", "text": "passing"}, collection="c", ephemeral=True)
    assert (found["stored_chunks"], found["collection_documents"]) == (1, 1)
    assert rows(tmp_path) == [("c", "mine", 0, "kept")]


def test_what_a_killed_ephemeral_run_left_is_forgotten_after_an_hour(tmp_path):
    ingest(tmp_path, {"text": "first"})
    with closing(sqlite3.connect(tmp_path / "rag" / "chunks.sqlite3")) as connection, connection:
        connection.execute("INSERT INTO document SELECT 'p#left', doc_id, title, metadata, sha256, stored_at - 3700 FROM document")
        connection.execute(
            "INSERT INTO document SELECT 'p#now', doc_id, title, metadata, sha256, stored_at FROM document WHERE collection = 'default'"
        )
    ingest(tmp_path, {"text": "second"})
    with closing(sqlite3.connect(tmp_path / "rag" / "chunks.sqlite3")) as connection:
        assert connection.execute("SELECT DISTINCT collection FROM document ORDER BY 1").fetchall() == [("default",), ("p#now",)]


def test_a_document_given_twice_is_stored_once_and_that_is_said(tmp_path):
    answer = runs.answer(AGENT, {"documents": [{"text": "same"}, {"text": "same"}]}, tmp_path)
    assert answer["outputs"]["stored_documents"] == 1
    assert "more than once" in answer["warnings"][0]


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": [{"text": " \n"}]}, "documents.0.text"),
        ({"documents": [{"text": "a", "doc": "b"}]}, "documents.0.doc"),
        ({"documents": [{"text": "a", "doc_id": "x"}, {"text": "b", "doc_id": "x"}]}, "documents.1.doc_id"),
        ({"documents": [{"text": "a"}], "collection": "../etc"}, "collection"),
        ({"documents": [{"text": "a"}], "collection": "p#left"}, "collection"),
        ({"documents": [{"text": "a"}], "collection": "c\n"}, "collection"),
        ({"documents": [{"text": "a"}], "collection": "x" * 65}, "collection"),
        ({"documents": [{"text": "a"}], "chunk_size": 5}, "chunk_size"),
        ({"documents": [{"text": "a b " * 600_000}], "chunk_size": 20, "overlap": 0}, "chunk_size"),
        ({"documentz": [{"text": "a"}]}, "documentz"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name_and_nothing_is_stored(tmp_path, inputs, field):
    error = runs.refusal(AGENT, inputs, tmp_path)
    assert error["code"] == "VALIDATION_ERROR"
    assert field in error["details"]["fieldErrors"]
    assert not (tmp_path / "rag").exists()


def test_an_overlap_of_more_than_half_a_chunk_is_refused(tmp_path):
    assert "overlap is at most half" in runs.refusal(AGENT, {"documents": [{"text": "a"}], "chunk_size": 100, "overlap": 51}, tmp_path)["message"]


def test_a_store_that_cannot_be_used_is_an_error_of_its_own(tmp_path):
    (tmp_path / "rag").mkdir()
    (tmp_path / "rag" / "chunks.sqlite3").write_bytes(b"not a database " * 100)
    assert runs.refusal(AGENT, AGENT.example, tmp_path)["code"] == "STORE_UNAVAILABLE"


def test_a_store_of_a_newer_version_is_left_alone(tmp_path):
    ingest(tmp_path, {"text": "a"})
    with closing(sqlite3.connect(tmp_path / "rag" / "chunks.sqlite3")) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert runs.refusal(AGENT, AGENT.example, tmp_path)["code"] == "STORE_VERSION"


def test_ten_megabytes_are_ingested(tmp_path):
    found = ingest(tmp_path, {"text": "word " * 1_000_000}, {"text": "x" * 5_000_000})
    assert found["stored_chunks"] > 8000


def test_runs_in_many_threads_at_once_on_a_new_store_lose_nothing(tmp_path):
    start = threading.Barrier(8)
    changes: list[list[str]] = []

    def one(number: int) -> None:
        start.wait()
        found = ingest(tmp_path, {"doc_id": f"d{number}", "text": f"text {number}"}, {"doc_id": "shared", "text": "the same"})
        changes.append([document["change"] for document in found["documents"]])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(changes) == [["added", "added"], *[["added", "unchanged"]] * 7]
    assert [row[1] for row in rows(tmp_path)] == [*(f"d{number}" for number in range(8)), "shared"]


_WRITER = """
import sys, time
from pathlib import Path
from windlass.agents.agent import Context
from windlass.agents.reference.rag_ingest import RagIngestInputs, cut, store
context = Context(request_id="r", mode="DEMO", risk_tier="PHI", store=Path(sys.argv[1]), deadline=time.monotonic() + 60, timeout_ms=60_000)
for number in range(15):
    shared = {"doc_id": "shared", "text": f"{sys.argv[2]} {number} " * 300}
    inputs = RagIngestInputs(documents=[shared, {"doc_id": f"{sys.argv[2]}-{number}", "text": "t"}])
    store(inputs, cut(inputs, {}, context), context)
"""


def test_processes_that_write_at_once_on_a_new_store_never_mix_a_document(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), name]) for name in ("a", "b", "c")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    shared = [row[3] for row in rows(tmp_path) if row[1] == "shared"]
    assert len({piece.split()[0] for piece in shared}) == 1
    assert len({row[1] for row in rows(tmp_path)}) == 3 * 15 + 1


def test_readiness_says_when_the_store_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("")
    assert AGENT.needs(tmp_path / "not" / "yet") is None
    assert "not a directory" in (AGENT.needs(tmp_path / "file") or "")


def test_the_probe_passes_for_real_work_and_leaves_nothing(tmp_path):
    probing.passes(AGENT, tmp_path)
    assert rows(tmp_path) == []


def test_the_probe_rejects_canned_answers(tmp_path):
    probing.rejects_canned_answers(AGENT, tmp_path)


def test_the_probe_needs_every_step(tmp_path):
    probing.needs_every_step(AGENT, tmp_path)


def test_the_probe_notices_a_document_that_is_not_cut(tmp_path):
    inputs = AGENT.probe.make(1)

    def whole(result):
        documents = {doc_id: {**one, "pieces": [one["pieces"][0]]} for doc_id, one in result["documents"].items()}
        return {**result, "documents": documents}

    assert probing.fails(AGENT, "cut", whole, 1, inputs, tmp_path)


@settings(max_examples=30, deadline=None)
@given(text=st.text(alphabet="ab \n水", max_size=400), size=st.integers(4, 60), share=st.floats(0, 0.5))
def test_chunks_cover_every_character_within_their_size_and_overlap(text, size, share):
    overlap = int(size * share)
    found = list(spans(text, size, overlap))
    covered = {place for start, end in found for place in range(start, end)}
    assert all(0 < end - start <= size and text[start:end] == text[start:end].strip() for start, end in found)
    assert all(place in covered or character.isspace() for place, character in enumerate(text))
    assert all(before[0] < after[0] and before[1] - after[0] <= overlap for before, after in pairwise(found))
