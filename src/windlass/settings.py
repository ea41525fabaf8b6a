"""Every setting with its variable, meaning and default, and the one precedence: command line, environment, `.env`, `windlass.toml`, default.

Read by `cli` and by each service's `app.py` only; everything else gets values. Secrets are never read from `windlass.toml`,
which is a file that gets committed.
"""

from __future__ import annotations

import io
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass.errors import Refused


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting: its variable, its place in windlass.toml (None for a secret), what it means, and its default."""

    variable: str
    place: str | None
    says: str
    default: str | None = None


ORCHESTRATOR_URL = Setting(
    variable="ORCHESTRATOR_URL", place="sweep.orchestrator_url", says="base URL of the orchestrator", default="http://127.0.0.1:3001"
)
MODE = Setting(variable="MODE", place="sweep.mode", says="DEMO or LIVE", default="DEMO")
RISK_TIER = Setting(variable="RISK_TIER", place="sweep.risk_tier", says="PHI, SENSITIVE or NON_SENSITIVE", default="NON_SENSITIVE")
TIMEOUT_SECS = Setting(variable="TIMEOUT_SECS", place="sweep.timeout_secs", says="seconds that one request may take", default="120")
AGENTS_URL = Setting(variable="WINDLASS_AGENTS_URL", place="fleet.agents_url", says="the reference fleet answers at <this>/<agent name>")
AGENT_ENDPOINTS_JSON = Setting(variable="AGENT_ENDPOINTS_JSON", place="fleet.agent_endpoints_json", says="JSON object: agent name to base URL")
SERVICE_TOKEN = Setting(variable="WORKER_SERVICE_TOKEN", place=None, says="bearer token from callers to the orchestrator")
READ_TOKEN = Setting(variable="WINDLASS_READ_TOKEN", place=None, says="bearer token that may list task types and nothing else")
AGENT_TOKEN = Setting(variable="WINDLASS_AGENT_TOKEN", place=None, says="bearer token from the orchestrator's callers to agents")
WINDOWS_TOKEN = Setting(variable="WINDLASS_WINDOWS_TOKEN", place=None, says="token of the windows service, in the header X-VX11-Token")
STATE_DIR = Setting(variable="WINDLASS_STATE_DIR", place="state_dir", says="directory of audits and state", default=".windlass")
LIVE_SOURCES = Setting(
    variable="WINDLASS_LIVE_SOURCES", place="agents.live_sources", says="live sources that agents may ask: pubmed, openalex; none without it"
)
PUBMED_URL = Setting(variable="WINDLASS_PUBMED_URL", place="agents.pubmed_url", says="base URL of the E-utilities; the public one without it")
OPENALEX_URL = Setting(variable="WINDLASS_OPENALEX_URL", place="agents.openalex_url", says="base URL of OpenAlex; the public one without it")
LLM_MODEL_NAME = Setting(
    variable="LLM_MODEL_NAME",
    place="agents.llm_model_name",
    says="chat model that agents may use, as LangChain names it (provider:model); none without it",
)
OPENAI_API_KEY = Setting(variable="OPENAI_API_KEY", place=None, says="key of OpenAI, or of a service that speaks its protocol")
OPENAI_BASE_URL = Setting(variable="OPENAI_BASE_URL", place="agents.openai_base_url", says="where that service answers; OpenAI without it")
ANTHROPIC_API_KEY = Setting(variable="ANTHROPIC_API_KEY", place=None, says="key of Anthropic")
FOR_PROVIDERS = (OPENAI_API_KEY, OPENAI_BASE_URL, ANTHROPIC_API_KEY)
"""Read by LangChain's providers, from the environment."""

ALL = (
    ORCHESTRATOR_URL,
    MODE,
    RISK_TIER,
    TIMEOUT_SECS,
    AGENTS_URL,
    AGENT_ENDPOINTS_JSON,
    SERVICE_TOKEN,
    READ_TOKEN,
    AGENT_TOKEN,
    WINDOWS_TOKEN,
    STATE_DIR,
    LIVE_SOURCES,
    PUBMED_URL,
    OPENALEX_URL,
    LLM_MODEL_NAME,
    *FOR_PROVIDERS,
)

_TOML = "windlass.toml"
_LARGEST = 1024 * 1024
_OURS = re.compile(rf"\b(?:{'|'.join(setting.variable for setting in ALL)}|WINDLASS_\w+)\b")


class Settings:
    """The settings of one command, read once. Lives as long as the command."""

    def __init__(self, environment: Mapping[str, str], file: Mapping[str, Any]) -> None:
        self._environment = environment
        self._file = file

    @classmethod
    def load(cls, directory: Path) -> Settings:
        """Read the environment, `.env` and `windlass.toml` of a directory; raises Refused that names the file."""
        return cls({**_dotenv(directory / ".env"), **os.environ}, _toml(directory / _TOML))

    def variable(self, name: str) -> str | None:
        """The value of a variable that has no setting of its own (a fleet file's `token_env`), blank counting as absent."""
        return self._environment.get(name, "").strip() or None

    def text(self, setting: Setting, given: str | None = None) -> str | None:
        """The value of a setting by the one precedence."""
        if given is not None:
            return given
        return self.variable(setting.variable) or self._placed(setting) or setting.default

    def required(self, setting: Setting, given: str | None = None) -> str:
        """Like `text`; raises Refused naming the variable when there is none."""
        value = self.text(setting, given)
        if not value:
            raise Refused(f"{setting.variable} is not set: {setting.says}")
        return value

    def choice(self, setting: Setting, allowed: tuple[str, ...], given: str | None = None) -> str:
        """Like `required`; raises Refused for a word that is not allowed."""
        value = self.required(setting, given)
        if value not in allowed:
            raise Refused(f"{setting.variable} is {value!r}; it must be one of {', '.join(allowed)}")
        return value

    def seconds(self, setting: Setting, given: float | None = None) -> float:
        """Like `required`, as a number of seconds between 0.001 and 86,400."""
        value = self.required(setting, None if given is None else str(given))
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0.001 <= number <= 86_400:
            raise Refused(f"{setting.variable} is {value!r}; it must be a number of seconds between 0.001 and 86400")
        return number

    def _placed(self, setting: Setting) -> str | None:
        if setting.place is None:
            return None
        found: Any = self._file
        *tables, _ = parts = setting.place.split(".")
        for depth, part in enumerate(parts):
            if not isinstance(found, Mapping):
                raise Refused(f"{_TOML}: {'.'.join(tables[:depth])} is not a table")
            found = found.get(part)
            if found is None:
                return None
        if isinstance(found, bool) or not isinstance(found, str | int | float) or "\0" in str(found):
            raise Refused(f"{_TOML}: {setting.place} must be a string or a number")
        return str(found)


def _dotenv(path: Path) -> dict[str, str]:
    text = _text(path)
    if text is None:
        return {}
    from dotenv import parser  # noqa: PLC0415  # only where there is a .env

    values: dict[str, str] = {}
    for line in parser.parse_stream(io.StringIO(text)):
        if line.error and _OURS.search(line.original.string):  # other lines may be meant for other programs
            raise Refused(f"{path}: line {line.original.line} can't be read as NAME=value")
        if line.key is not None and line.value is not None:
            values[line.key] = line.value
    return values


def _toml(path: Path) -> dict[str, Any]:
    text = _text(path)
    if text is None:
        return {}
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as failure:
        raise Refused(f"{path}: is not TOML: {failure}") from failure


def _text(path: Path) -> str | None:
    """The text of a small file, None where there is none; raises Refused that names the file."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as failure:
        raise Refused(f"{path}: can't be read: {failure.strerror}") from failure
    if len(content) > _LARGEST:
        raise Refused(f"{path}: is larger than {_LARGEST} bytes")
    if b"\0" in content:
        raise Refused(f"{path}: holds a NUL character")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise Refused(f"{path}: is not UTF-8: {failure}") from failure
