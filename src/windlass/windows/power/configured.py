"""`[windows]` of windlass.toml as a policy and a backend; every key is known, or refused with the one that was meant."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass import model
from windlass.errors import Refused
from windlass.windows import rules
from windlass.windows.adapters.processes import Processes
from windlass.windows.backend import Backend
from windlass.windows.compose.compose import Compose
from windlass.windows.configured import Stack, is_directory, project_name, service_name, stack
from windlass.windows.power import policy as policies
from windlass.windows.power.policy import Policy, ServicePolicy
from windlass.windows.rules import Service

DAY_SEC = 86_400
_SHOWN = 80
_LONGEST_NAME = 255
"""Bytes of a file's name."""
_BOUNDS = ("max_ttl_sec", "start_timeout_sec", "stop_grace_sec", "daily_budget_sec")
_OF_COMPOSE = ("restart_policy", "privileged_ok")
_OF_PROCESS = ("argv", "ready_url", "env", "directory", "log_file")
_TOP = (
    "backend",
    "project",
    "files",
    "core",
    "directory",
    "allowlist",
    "services",
    "default_ttl_sec",
    "hold_max_sec",
    "health_interval_sec",
    "policy",
    "on_shutdown",
    "audit_dir",
    "namespaces",
    "intents",
    *_BOUNDS,
)


@dataclass(frozen=True, kw_only=True)
class Configured:
    """Who of a project is who, what may be opened, and by what. Lives as long as the command or service that read it."""

    policy: Policy
    stack: Stack | None
    """The Compose project; None for local processes."""
    processes: tuple[Service, ...] = ()
    audit_dir: Path | None = None

    @asynccontextmanager
    async def backend(self, directory: Path) -> AsyncIterator[Backend]:
        """What opens and closes; `directory` holds the state of local processes."""
        if self.stack is None:
            yield Processes(self.policy.project, self.processes, directory / "processes")
            return
        async with Compose(self.stack.place) as compose:
            yield compose


def configured(table: Mapping[str, Any], source: str, root: Path) -> Configured:
    """The table `[windows]`; `root` is what its paths are relative to. Raises Refused naming the file and the field."""
    where = f"{source}: windows"
    _known(table, _TOP, where)
    kind = _word(table, "backend", ("compose", "process"), "compose", where)
    own = _tables(table, where)
    compose = stack(table, source, root) if kind == "compose" else None
    if compose is None:
        project, core, allowed = _process_names(table, own, where)
    else:
        project, core, allowed = compose.project, compose.core, compose.allowlist
    if both := sorted(set(core) & set(allowed)):
        raise Refused(f"{where}.allowlist: {', '.join(both)} is core; what is core is never opened and never stopped")
    bounds = {name: _bounds(own.get(name, {}), table, f"{where}.services.{name}", where, kind) for name in allowed}
    policy = Policy(
        project=project,
        core=frozenset(core),
        services=bounds,
        kind="shared" if _word(table, "policy", ("single", "shared"), "single", where) == "shared" else "single",
        default_ttl_sec=_whole(table, "default_ttl_sec", policies.DEFAULT_TTL_SEC, policies.MAX_TTL_SEC, where),
        hold_max_sec=_whole(table, "hold_max_sec", policies.HOLD_MAX_SEC, 7 * DAY_SEC, where),
        health_interval_sec=_seconds(table, "health_interval_sec", policies.HEALTH_INTERVAL_SEC, 0.1, 3600, where),
        on_shutdown="leave" if _word(table, "on_shutdown", ("close", "leave"), "close", where) == "leave" else "close",
        namespaces_enabled=_feature(table, "namespaces", where),
        intents_enabled=_feature(table, "intents", where),
    )
    services = _processes(own, table, where, root) if compose is None else {}
    audit = table.get("audit_dir")
    if audit is not None and (not isinstance(audit, str) or not audit or "\0" in audit):
        raise Refused(f"{where}.audit_dir: needs the path of a directory")
    used = tuple(services[name] for name in allowed if name in services)
    return Configured(policy=policy, stack=compose, processes=used, audit_dir=root / audit if audit else None)


def _process_names(table: Mapping[str, Any], own: Mapping[str, Any], where: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    for name in ("files", "core", "directory"):
        if table.get(name):
            raise Refused(f'{where}.{name}: is for backend = "compose"; local processes have their own [windows.services.<name>]')
    listed = table.get("allowlist", list(own))
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise Refused(f"{where}.allowlist: needs a list of names")
    if unknown := sorted(set(listed) - set(own)):
        raise Refused(f"{where}.allowlist: {unknown[0]!r} has no command; add [windows.services.{unknown[0]}] with argv and ready_url")
    if not listed:
        raise Refused(f"{where}.services: no service is configured; add [windows.services.<name>] with argv and ready_url")
    return project_name(table, where), (), tuple(dict.fromkeys(listed))


def _processes(own: Mapping[str, Mapping[str, Any]], table: Mapping[str, Any], where: str, root: Path) -> Mapping[str, Service]:
    """Every local process that has a table, those too that the allowlist leaves out: what is wrong there is meant for some day."""
    found: dict[str, Service] = {}
    for name, fields in own.items():
        place = f"{where}.services.{name}"
        if twin := next((other for other in found if other.lower() == name.lower()), None):
            raise Refused(f"{place}: {twin} is the same name; capitals tell no files apart everywhere")
        found[name] = _process(name, fields, _bounds(fields, table, place, where, "process"), place, root)
    return found


def _process(name: str, own: Mapping[str, Any], bounds: ServicePolicy, where: str, root: Path) -> Service:
    argv, env = own.get("argv"), own.get("env", {})
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        raise Refused(f"{where}.argv: needs the program and its arguments, as a list of strings")
    if not isinstance(env, Mapping) or not all(isinstance(value, str) for value in env.values()):
        raise Refused(f"{where}.env: needs a table of strings")
    for field in ("ready_url", "directory", "log_file"):
        if not isinstance(own.get(field, ""), str):
            raise Refused(f"{where}.{field}: needs a string")
    directory = root / own.get("directory", ".")
    if not is_directory(directory):
        raise Refused(f"{where}.directory: {_shown(own.get('directory'))} is not a directory")
    log_file = root / own.get("log_file", f".windlass/windows/{name}.log")
    if "\0" in str(log_file) or len(log_file.name.encode()) > _LONGEST_NAME or is_directory(log_file):
        raise Refused(f"{where}.log_file: needs the path of a file, not {_shown(own.get('log_file'))}")
    try:
        return Service(
            name=name,
            argv=tuple(argv),
            env=dict(env),
            directory=directory,
            ready_url=own.get("ready_url", ""),
            log_file=log_file,
            stop_grace_s=bounds.stop_grace_sec,
            start_timeout_s=bounds.start_timeout_sec,
        )
    except Refused as refusal:
        raise Refused(f"{where}.{refusal}") from refusal


def _bounds(own: Mapping[str, Any], table: Mapping[str, Any], where: str, above: str, kind: str) -> ServicePolicy:
    _known(own, (*_BOUNDS, *(_OF_COMPOSE if kind == "compose" else _OF_PROCESS)), where)
    both = {name: (own, where) if name in own else (table, above) for name in _BOUNDS}
    budgeted, place = both["daily_budget_sec"]
    return ServicePolicy(
        max_ttl_sec=_whole(both["max_ttl_sec"][0], "max_ttl_sec", policies.MAX_TTL_SEC, policies.MAX_TTL_SEC, both["max_ttl_sec"][1]),
        start_timeout_sec=_seconds(
            both["start_timeout_sec"][0],
            "start_timeout_sec",
            policies.START_TIMEOUT_SEC,
            0.1,
            rules.MAX_START_TIMEOUT_S,
            both["start_timeout_sec"][1],
        ),
        stop_grace_sec=_seconds(
            both["stop_grace_sec"][0], "stop_grace_sec", policies.STOP_GRACE_SEC, 0, rules.MAX_GRACE_S, both["stop_grace_sec"][1]
        ),
        daily_budget_sec=_whole(budgeted, "daily_budget_sec", DAY_SEC, DAY_SEC, place) if "daily_budget_sec" in budgeted else None,
        takes_restart=_word(own, "restart_policy", ("refuse", "take_and_return"), "refuse", where) == "take_and_return",
        powers_ok=_flag(own, "privileged_ok", where),
    )


def _tables(table: Mapping[str, Any], where: str) -> Mapping[str, Mapping[str, Any]]:
    services = table.get("services", {})
    if not isinstance(services, Mapping) or not all(isinstance(one, Mapping) for one in services.values()):
        raise Refused(f"{where}.services: needs a table per service, [windows.services.<name>]")
    for name in services:
        service_name(name, f"{where}.services")
    return services


def _known(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.6)
            raise Refused(f"{where}.{name}: is not known here{f'; did you mean {near[0]}?' if near else ''}")


def _word(table: Mapping[str, Any], field: str, allowed: tuple[str, ...], default: str, where: str) -> str:
    given = table.get(field, default)
    if given not in allowed:
        raise Refused(f"{where}.{field}: must be {' or '.join(allowed)}, not {_shown(given)}")
    return str(given)


def _whole(table: Mapping[str, Any], field: str, default: int, most: int, where: str) -> int:
    given = table.get(field, default)
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most:
        raise Refused(f"{where}.{field}: must be a whole number of seconds from 1 to {most}, not {_shown(given)}")
    return given


def _seconds(table: Mapping[str, Any], field: str, default: float, least: float, most: float, where: str) -> float:
    given = table.get(field, default)
    if isinstance(given, bool) or not isinstance(given, int | float) or not least <= given <= most:
        raise Refused(f"{where}.{field}: must be a number of seconds from {least:g} to {most:g}, not {_shown(given)}")
    return float(given)


def _flag(table: Mapping[str, Any], field: str, where: str) -> bool:
    given = table.get(field, False)
    if not isinstance(given, bool):
        raise Refused(f"{where}.{field}: must be true or false, not {_shown(given)}")
    return given


def _shown(given: object) -> str:
    return model.clip(repr(given), _SHOWN)


def _feature(table: Mapping[str, Any], field: str, where: str) -> bool:
    own = table.get(field, {})
    if not isinstance(own, Mapping):
        raise Refused(f"{where}.{field}: must be a table, [windows.{field}] with enabled = false")
    _known(own, ("enabled",), f"{where}.{field}")
    return _flag(own, "enabled", f"{where}.{field}")
