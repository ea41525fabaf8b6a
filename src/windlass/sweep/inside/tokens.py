"""Finds one secret for a deployment: in the environment, else as that single key of its `.env.production`, then of its `.env`.

The files are read and never sourced: no other line of them is kept, and none is run.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from windlass.errors import Refused

FILES = (".env.production", ".env")
_LARGEST = 1024 * 1024


def found(variable: str, environment: Mapping[str, str], directory: Path) -> str:
    """The value; raises Refused that says where it was looked for."""
    given = environment.get(variable, "").strip()
    if given:
        return given
    for name in FILES:
        value = _in_file(variable, directory / name)
        if value:
            return value
    raise Refused(f"{variable} is not set: it is neither in the environment nor in {' or '.join(str(directory / name) for name in FILES)}")


def _in_file(variable: str, path: Path) -> str | None:
    """The last value that a file gives the variable; what else stands in it may be meant for other programs, and is not looked at."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as failure:
        raise Refused(f"{path}: can't be read: {failure.strerror}") from failure
    if len(content) > _LARGEST:
        raise Refused(f"{path}: is larger than {_LARGEST} bytes")
    from dotenv import parser  # noqa: PLC0415  # only where there is a file and no variable

    value: str | None = None
    for line in parser.parse_stream(io.StringIO(content.decode("utf-8-sig", "replace"))):
        if line.key == variable and line.value is not None:
            value = line.value.strip()
    return value or None
