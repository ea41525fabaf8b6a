"""The program of a bundle says what `windlass verify` says, alone, with the standard library of an old Python."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.unit.records import worlds
from windlass.infra import chain
from windlass.records.attest import verify_record
from windlass.records.verify import verify

PROGRAM = Path(verify_record.__file__)
GOLDEN = sorted((Path(__file__).parents[3] / "golden" / "records").glob("v*/*"))

RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
"""Section 7.1: tests 1 to 3 (public key, message, signature)."""


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_signatures_of_the_rfc_hold_and_no_bit_of_them_can_change(public: str, message: str, signature: str):
    key, text, sig = (bytes.fromhex(part) for part in (public, message, signature))
    assert verify_record.signature_holds(key, sig, text)
    for bit in Random(1).sample(range(512), 24):
        changed = bytearray(sig)
        changed[bit // 8] ^= 1 << bit % 8
        assert not verify_record.signature_holds(key, bytes(changed), text)
    assert not verify_record.signature_holds(key, sig, text + b"x")
    beyond = (int.from_bytes(sig[32:], "little") + verify_record.L).to_bytes(32, "little")
    assert not verify_record.signature_holds(key, sig[:32] + beyond, text), "S must be reduced"


def test_a_signature_of_another_library_holds():
    for number in range(8):
        key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        message = bytes([number]) * number
        assert verify_record.signature_holds(key.public_key().public_bytes_raw(), key.sign(message), message)


def test_it_is_written_for_python_3_8_and_imports_the_standard_library_only():
    tree = ast.parse(PROGRAM.read_text("utf-8"), feature_version=(3, 8))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in modules} <= sys.stdlib_module_names
    later = {"removeprefix", "removesuffix", "bit_count", "file_digest", "is_relative_to"}
    assert later.isdisjoint(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))


def program(record: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "-S", str(PROGRAM), str(record), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize("directory", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_corpus_is_intact_by_the_program_alone(directory: Path):
    head = verify(directory).head
    told = program(directory, "--head", head)
    assert (told.returncode, told.stdout.splitlines()[-1].partition(":")[0]) == (0, "intact")
    assert program(directory, "--head", "a" * 64).returncode == 1
    assert program(directory, "--head", "none").returncode == 2
    assert program(directory.parent).returncode == 2


def test_the_program_finds_damage_and_exits_1(tmp_path: Path):
    directory = worlds.passed(tmp_path)
    (directory / "record" / "evidence" / "note.txt").write_text("other")
    told = program(directory)
    assert (told.returncode, told.stdout.splitlines()[-1].partition(":")[0]) == (1, "damaged")
    assert "evidence/note.txt" in told.stdout


def test_numbers_of_a_view_are_those_of_the_journal():
    values = [0.1, 1e-07, 1.5e300, 1e16, 123.0, -0.0, 2**60, 1e21]
    line, _ = chain.seal(0, chain.GENESIS, {"values": values, "text": "a\x7f\u2028\x00漢😀"})
    entry = verify_record.scan(line).entries[0]
    assert verify_record.document(entry.fields) == orjson.dumps(
        {"values": values, "text": "a\x7f\u2028\x00漢😀"}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    )
    assert [str(verify_record.decimal(value)) for value in (0, 3, 10**20)] == [orjson.dumps(float(value)).decode() for value in (0, 3, 10**20)]
