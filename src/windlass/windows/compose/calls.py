"""Single calls of the Engine API, each blocking, each in the words of windows. With `engine.py`, the only importer of docker-py."""

from __future__ import annotations

import contextlib
import hashlib
import math
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import docker.constants
import docker.errors
import docker.utils
import requests
import urllib3.exceptions
from docker.api.client import APIClient

from windlass.errors import Unavailable
from windlass.windows.backend import NO_RESTART, Cost, Damaged, Fenced, Health, Lease, Observed, RestartPolicy, ServiceState, restart_policy
from windlass.windows.compose import leases

TROUBLES = (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
"""Everything that docker-py raises when an engine does not answer as it should."""
NOT_UNDERSTOOD = (LookupError, TypeError, AttributeError)
"""What reading an answer raises that is none of an engine's."""
AT_ONCE = 32
"""Connections to one engine."""
PROJECT_LABEL, SERVICE_LABEL = "com.docker.compose.project", "com.docker.compose.service"
_HASH_LABEL = "com.docker.compose.config-hash"
_LONGEST_REASON = 500
_GROUPS = Path("/sys/fs/cgroup")
_STATES: Mapping[str, ServiceState] = {
    "created": "created",
    "running": "running",
    "restarting": "restarting",
    "paused": "paused",
    "exited": "exited",
    "dead": "dead",
    "removing": "removing",
}
_FIRST: Sequence[ServiceState] = ("restarting", "removing", "paused", "running", "created", "exited", "dead", "absent")
"""Whichever of a service's containers comes first here speaks for it: what lives, and of that what is worst off."""
_WORST: Sequence[Health] = ("unhealthy", "starting", "healthy", "none")
_HEALTH: Mapping[str, Health] = {"starting": "starting", "healthy": "healthy", "unhealthy": "unhealthy"}


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a project, as the list of the engine shows it. Lives as long as its reader."""

    id: str
    project: str
    service: str


def connected(host: str, answer_s: float) -> APIClient:
    """A client of the engine at this address, TLS settings from the environment where it is a network one; raises where nobody listens."""
    if host.startswith("ssh://"):
        raise docker.errors.DockerException("an engine behind ssh can't be watched from here; forward its socket and give that")
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:  # the client itself would leave its socket open
            probe.settimeout(answer_s)
            probe.connect(host.removeprefix("unix://"))
    given = docker.utils.kwargs_from_env() if host.startswith(("tcp://", "https://", "http://")) else {}
    settings = {**given, "base_url": host, "timeout": math.ceil(answer_s), "num_pools": 4, "max_pool_size": AT_ONCE}
    with contextlib.closing(docker.APIClient(**settings, version=docker.constants.MINIMUM_DOCKER_API_VERSION)) as first:
        theirs = first.version(api_version=False)["ApiVersion"]
    ours = docker.constants.DEFAULT_DOCKER_API_VERSION
    return docker.APIClient(**settings, version=theirs if docker.utils.version_lt(theirs, ours) else ours)


def reason(failure: Exception) -> str:
    """What the engine, or the way to it, says of a failure, in one short text."""
    explanation = getattr(failure, "explanation", None)
    text = str(explanation or failure) or type(failure).__name__
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"


def _is_missing(failure: Exception) -> bool:
    return getattr(getattr(failure, "response", None), "status_code", None) == 404


def version(client: APIClient) -> str:
    """The engine's own version."""
    return str(client.version()["Version"])


def containers(client: APIClient, *, project: str | None) -> list[Container]:
    """Every container of a project (of every project with None), ended and one-off ones too."""
    label = PROJECT_LABEL if project is None else f"{PROJECT_LABEL}={project}"
    found = client.containers(all=True, filters={"label": label})
    return [Container(id=one["Id"], project=one["Labels"].get(PROJECT_LABEL, ""), service=one["Labels"].get(SERVICE_LABEL, "")) for one in found]


def has_image(client: APIClient, *, name: str) -> bool:
    """Whether the image is there."""
    try:
        client.inspect_image(name)
    except docker.errors.NotFound:
        return False
    return True


def observed(client: APIClient, *, container: Container) -> Observed | None:
    """A service as this one of its containers is; None when it is gone."""
    try:
        return _observed(container.service, client.inspect_container(container.id))
    except docker.errors.NotFound:
        return None


def together(found: Sequence[Observed]) -> Observed:
    """A service as its containers together are: it is up only when all are that live."""
    first = min(found, key=lambda one: (_FIRST.index(one.state), _WORST.index(one.health), one.id))
    return replace(first, ids=tuple(sorted(one.id for one in found)), restart_count=sum(one.restart_count for one in found))


def _observed(service: str, look: Mapping[str, Any]) -> Observed:
    state, config = look.get("State") or {}, look.get("Config") or {}
    # an engine may call a container `exited` that it is about to start again, and `running` one that it is restarting
    name = "restarting" if state.get("Restarting") else str(state.get("Status", ""))
    started = str(state.get("StartedAt", ""))
    alive = name in {"running", "paused"}
    return Observed(
        service=service,
        state=_STATES.get(name, "dead"),
        health=_HEALTH.get(str((state.get("Health") or {}).get("Status", "")), "none"),
        id=look["Id"],
        ids=(look["Id"],),
        restart_count=int(look.get("RestartCount") or 0),
        started_at="" if started.startswith("0001-") else started,
        exit_code=None if alive or not started or started.startswith("0001-") else state.get("ExitCode"),
        mounts_hash=_hash(sorted(_mount(one) for one in look.get("Mounts") or ())),
        config_hash=_hash([str((config.get("Labels") or {}).get(_HASH_LABEL, "")), str(look.get("Image", ""))]),
        restart_policy=_policy(look),
        trouble=str(state.get("Error") or ("ended by the kernel: out of memory" if state.get("OOMKilled") else "")),
    )


def _policy(look: Mapping[str, Any]) -> RestartPolicy:
    found = (look.get("HostConfig") or {}).get("RestartPolicy") or {}
    return restart_policy(str(found.get("Name", "")), int(found.get("MaximumRetryCount") or 0))


def _mount(one: Mapping[str, Any]) -> str:
    return "\t".join(str(one.get(key, "")) for key in ("Type", "Source", "Destination", "RW", "Propagation"))


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def stop(client: APIClient, *, container: str, grace_s: float, kill: bool) -> None:
    """Restart policy first: a container that is stopped with one may be started again by the engine. A container that is gone is stopped."""
    try:
        look = client.inspect_container(container)
        state = look.get("State") or {}
        if _policy(look) != NO_RESTART:
            set_restart(client, container=container, policy=NO_RESTART)
        if state.get("Paused"):  # it hears no signal
            client.unpause(container)
        if not state.get("Running") and not state.get("Restarting"):
            return
        if kill:
            client.kill(container)
        else:
            client.stop(container, timeout=math.ceil(grace_s))
    except docker.errors.APIError as failure:
        if not _is_missing(failure) and "is not running" not in str(failure.explanation):
            raise


def set_restart(client: APIClient, *, container: str, policy: RestartPolicy) -> None:
    """Give a container a restart policy; one that is gone needs none."""
    wanted: dict[str, Any] = {"Name": policy.name}
    if policy.name == "on-failure":
        wanted["MaximumRetryCount"] = policy.max_retries
    try:
        client.update_container(container, restart_policy=wanted)
    except docker.errors.APIError as failure:
        if not _is_missing(failure):
            raise


def log_tail(client: APIClient, *, container: str, characters: int) -> str:
    """The last lines of a container, at most so many as characters are wanted."""
    try:
        content: bytes = client.logs(container, tail=max(1, min(characters, 200)))
    except docker.errors.APIError:  # gone, or a log driver that can't be read: there is nothing to show
        return ""
    return content.decode("utf-8", "replace").strip()


def cost(client: APIClient, *, container: str) -> Cost:
    """What a container has used since it started; nothing is known of one that is gone or ended."""
    if (found := _kernels_word(container)) is not None:
        return found
    try:
        stats: Mapping[str, Any] = client.stats(container, stream=False, one_shot=True)
    except docker.errors.APIError as failure:
        if _is_missing(failure):
            return Cost()
        raise
    used = ((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    memory = stats.get("memory_stats") or {}
    details = memory.get("stats") or {}
    in_use = _in_use(memory.get("usage"), details.get("inactive_file", details.get("total_inactive_file")))
    return Cost(cpu_s=None if not used else round(used / 1e9, 3), peak_memory_bytes=memory.get("max_usage"), memory_bytes=in_use)


def _kernels_word(container: str) -> Cost | None:
    """From the control groups, where the engine runs on this machine: at once, and with a peak.

    An engine takes a second for it, and has no peak under version 2 of control groups.
    """
    for group in (f"system.slice/docker-{container}.scope", f"docker/{container}"):
        with contextlib.suppress(OSError, ValueError, StopIteration):
            if (place := _GROUPS / group).is_dir():
                used = next(int(line.split()[1]) / 1e6 for line in (place / "cpu.stat").read_text().splitlines() if line.startswith("usage_usec"))
                now = _in_use(_number(place / "memory.current"), _named(place / "memory.stat", "inactive_file"))
                return Cost(cpu_s=round(used, 3), peak_memory_bytes=_number(place / "memory.peak"), memory_bytes=now)
            used = int((_GROUPS / "cpuacct" / group / "cpuacct.usage").read_text()) / 1e9
            place = _GROUPS / "memory" / group
            peak, now = _number(place / "memory.max_usage_in_bytes"), _number(place / "memory.usage_in_bytes")
            now = _in_use(now, _named(place / "memory.stat", "total_inactive_file"))
            return Cost(cpu_s=round(used, 3), peak_memory_bytes=peak, memory_bytes=now)
    return None


def _in_use(usage: int | None, inactive_file: int | None) -> int | None:
    """What `docker stats` shows: without the files that the kernel drops when somebody needs the memory."""
    return None if usage is None else max(0, usage - (inactive_file or 0))


def _named(place: Path, name: str) -> int | None:
    """The number of a line `name number`."""
    with contextlib.suppress(OSError, ValueError):
        return next((int(line.split()[1]) for line in place.read_text(encoding="ascii").splitlines() if line.startswith(f"{name} ")), None)
    return None


def _number(place: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(place.read_text(encoding="ascii"))
    return None


def _volumes(client: APIClient, project: str | None) -> list[Mapping[str, Any]]:
    label = leases.WINDOW if project is None else f"{leases.PROJECT}={project}"
    found: list[Mapping[str, Any]] = client.volumes(filters={"label": label}).get("Volumes") or []
    return [one for one in found if leases.WINDOW in (one.get("Labels") or {})]


def kept_leases(client: APIClient, *, project: str | None) -> tuple[list[leases.Kept], list[Damaged]]:
    """The leases of a project (of every project with None), and what should be one and can't be read."""
    return leases.read(_volumes(client, project))


def put_lease(client: APIClient, *, lease: Lease) -> None:
    """Keep this lease in place of any earlier one of its window; raises Fenced for one that was overtaken."""
    kept, _ = leases.read(_volumes(client, lease.project))
    earlier = [one for one in kept if one.lease.window_id == lease.window_id]
    if any(one.lease.fencing > lease.fencing for one in earlier):
        raise Fenced(f"window {lease.window_id}: a later claim than number {lease.fencing} stands")
    if earlier:  # how things were before the window is known since its first lease
        lease = replace(lease, restore={**earlier[0].lease.restore, **lease.restore})
        if earlier[0].lease == lease:
            return
    generation = max((one.generation for one in earlier), default=-1) + 1
    _make_lease(client, lease, generation)
    for one in earlier:  # only now: at no moment is there none
        _remove_volume(client, one.volume)


def _make_lease(client: APIClient, lease: Lease, generation: int) -> None:
    """An engine answers the name of a volume that exists with that volume, whatever its labels: what came back is what counts."""
    for attempt in range(generation, generation + 8):
        wanted = leases.labels(lease, attempt)
        made: Mapping[str, Any] = client.create_volume(leases.volume_name(lease.window_id, attempt), labels=wanted)
        if made.get("Labels") == wanted:
            return
    taken = leases.volume_name(lease.window_id, generation)
    raise Unavailable(f"window {lease.window_id}: no volume for its lease could be made: the names from {taken} on are taken")


def drop_lease(client: APIClient, *, project: str, window_id: str) -> None:
    """Remove every lease of a window."""
    for volume in _volumes(client, project):
        if (volume.get("Labels") or {}).get(leases.WINDOW) == window_id:
            _remove_volume(client, str(volume["Name"]))


def _remove_volume(client: APIClient, name: str) -> None:
    try:
        client.remove_volume(name)
    except docker.errors.APIError as failure:
        if not _is_missing(failure):
            raise
