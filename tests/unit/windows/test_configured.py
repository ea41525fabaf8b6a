"""`[windows]` of windlass.toml: each field that does not fit is refused by its name."""

import pytest

from windlass.errors import Refused
from windlass.windows import configured


@pytest.fixture
def root(tmp_path):
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack/compose.yaml").touch()
    return tmp_path


def read(root, **fields) -> configured.Stack:
    return configured.stack({"project": "vx11", "directory": "stack", **fields}, "windlass.toml", root)


def test_a_stack_is_read_with_its_paths_below_the_root(root):
    stack = read(root, core=["madre"], allowlist=["switch", "switch"], services={"hermes": {"max_ttl_sec": 600}})
    assert stack.files == (str(root / "stack/compose.yaml"),)
    assert stack.directory == root / "stack"
    assert (stack.core, stack.allowlist) == (("madre",), ("switch", "hermes"))
    assert (stack.place.project, stack.place.directory) == ("vx11", stack.directory)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"backend": "process"}, "windows.backend"),
        ({"backend": 3}, "windows.backend"),
        ({"project": None}, "windows.project"),
        ({"project": ""}, "windows.project"),
        ({"project": "--help"}, "windows.project"),
        ({"project": "Upper"}, "windows.project"),
        ({"directory": 3}, "windows.directory"),
        ({"directory": "nowhere"}, "windows.directory"),
        ({"directory": "a\0b"}, "windows.directory"),
        ({"files": "compose.yaml"}, "windows.files"),
        ({"files": [3]}, "windows.files"),
        ({"files": ["other.yaml"]}, r"windows\.files\[0\]"),
        ({"files": ["-"]}, r"windows\.files\[0\]"),
        ({"core": "madre"}, "windows.core"),
        ({"core": ["--all"]}, "windows.core"),
        ({"allowlist": ["a b"]}, "windows.allowlist"),
        ({"allowlist": {"a": 1}}, "windows.allowlist"),
        ({"services": []}, "windows.services"),
        ({"services": {"a": 3}}, "windows.services"),
    ],
)
def test_a_field_that_does_not_fit_is_named(root, fields, named):
    with pytest.raises(Refused, match=f"windlass.toml: {named}"):
        read(root, **fields)
