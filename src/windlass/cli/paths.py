"""Paths as options take them."""

from __future__ import annotations

import os
from pathlib import Path

import click


class GivenPath(click.Path):
    """A path, but not the empty one: that is what a variable gives that is not set, and would mean the working directory.

    Lives as long as its option.
    """

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> str | bytes | os.PathLike[str]:
        """The path; a usage error for an empty one."""
        if value == "":
            self.fail("an empty path can't be read or written", param, ctx)
        return super().convert(value, param, ctx)
