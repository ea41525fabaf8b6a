"""Where a project's windows are configured and kept, from the command line, the environment and windlass.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass import settings
from windlass.errors import Refused
from windlass.infra import files
from windlass.settings import Settings
from windlass.windows.power import log
from windlass.windows.power.configured import Configured, configured

_LARGEST = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Place:
    """A project's windows: what may be opened, and the directory of ledger and audit. Lives as long as the command."""

    configured: Configured
    directory: Path
    root: Path
    """Where the configuration lies."""
    settings: Settings

    @property
    def audit(self) -> Path:
        """The file of the audit."""
        return (self.configured.audit_dir or self.directory) / log.FILE_NAME


def table(config: Path) -> dict[str, Any]:
    """The table `[windows]` of a file; raises Refused that names it."""
    try:
        document = tomllib.loads(files.content(config, _LARGEST).decode())
    except OSError as failure:
        raise Refused(f"{config}: {failure.strerror}") from failure
    except (ValueError, RecursionError) as failure:  # a number of thousands of digits, a list of thousands of levels
        raise Refused(f"{config}: is not TOML: {failure}") from failure
    found = document.get("windows")
    if not isinstance(found, dict):
        raise Refused(f"{config}: windows: there is no such table; it names the project, its core and its allowlist")
    return found


def place(config: Path) -> Place:
    """The windows that a file configures; their state lies in the state directory beside it."""
    root = config.absolute().parent
    known = configured(table(config), str(config), root)
    found = Settings.load(root)
    state = root / found.required(settings.STATE_DIR)
    return Place(configured=known, directory=state / "windows" / known.policy.project, root=root, settings=found)
