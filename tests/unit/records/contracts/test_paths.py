"""Globs: what matches, in one order, beneath the directory only, in bounded work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from windlass.records.contracts import paths


def expanded(root: Path, template: str, *, slug: str = "s", artifact_path: str = ".") -> list[str]:
    """What a template means beneath `root`."""
    held = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return paths.expanded(held, paths.segments(template, slug=slug, artifact_path=artifact_path))
    finally:
        os.close(held)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small tree, with a link out of it."""
    for name in (
        "a/one.md",
        "a/two.txt",
        "a/b/three.md",
        "a/b/c/four.md",
        "a/.hidden.md",
        "app/[slug]/page.md",
        "app/x*y/star.md",
        "app/xzy/star.md",
    ):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text("x")
    (tmp_path / "outside.md").write_text("secret")
    (tmp_path / "root/a/out").symlink_to(tmp_path)
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("a/*.md", ["a/one.md"]),
        ("a/*", ["a/one.md", "a/out", "a/two.txt"]),
        ("a/**/*.md", ["a/b/c/four.md", "a/b/three.md", "a/one.md"]),
        ("**/c/**", ["a/b/c/four.md"]),
        ("**/b/**/*.md", ["a/b/c/four.md", "a/b/three.md"]),
        ("a/???.md", ["a/one.md"]),
        ("a/.*.md", ["a/.hidden.md"]),
        ("a/out/*", []),
        ("app/[slug]/*.md", ["app/[slug]/page.md"]),
        ("app/x*y/*.md", ["app/x*y/star.md", "app/xzy/star.md"]),
        ("none/*", []),
    ],
)
def test_what_a_glob_means(root: Path, template: str, found: list[str]) -> None:
    assert expanded(root, template) == found


def test_what_a_variable_stands_for_is_never_a_wildcard(root: Path) -> None:
    assert expanded(root, "{artifact_path}/*.md", artifact_path="app/[slug]") == ["app/[slug]/page.md"]
    assert expanded(root, "{artifact_path}/*.md", artifact_path="app/x*y") == ["app/x*y/star.md"]


@pytest.mark.parametrize("name", [b"\xff.md", b"back\\slash.md"])
def test_a_name_that_no_record_can_hold_is_said_and_not_skipped(root: Path, name: bytes) -> None:
    (root / os.fsdecode(name)).write_text("x")
    with pytest.raises(paths.NotExpanded) as refused:
        expanded(root, "*.md")
    assert refused.value.code == "UNREADABLE"
    assert expanded(root, "a/*.md") == ["a/one.md"]


def test_a_tree_that_is_too_deep_is_said(tmp_path: Path) -> None:
    (tmp_path / "/".join("d" * (paths.MAX_LEVELS + 5))).mkdir(parents=True)
    with pytest.raises(paths.NotExpanded) as refused:
        expanded(tmp_path, "**/*.md")
    assert refused.value.code == "TOO_LARGE"


def test_nothing_stays_open(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # the names themselves
    expanded(root, "**/*.md")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  # as above
