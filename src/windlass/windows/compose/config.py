"""Reading what `docker compose config` resolved: what each service needs, which powers it has, and which of its values are secret. Pure.

`extends`, `include`, anchors, overrides and variables are resolved by Compose itself; what is left to read here is one flat document.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from windlass.errors import Refused
from windlass.infra.redaction import Redactor
from windlass.windows.backend import NO_RESTART, Closure, Facts, RestartPolicy, restart_policy

ENGINE_SOCKETS = (
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/systemd/private",
    "/run/dbus/system_bus_socket",
)
"""Sockets through which a service could start anything on the host; whoever else's socket it is, the caller adds."""
_NAMESPACES = {"network_mode": "network", "pid": "pid", "ipc": "ipc", "uts": "uts", "userns_mode": "userns", "cgroup": "cgroup"}
_SAFE_SECURITY = re.compile(r"no-new-privileges([:=]true)?|label[:=](?!disable).*|(seccomp|apparmor)[:=](?!unconfined).*", re.IGNORECASE)
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|KEY|CREDENTIAL|AUTH|DSN", re.IGNORECASE)
_SHORTEST_SECRET = 6  # replacing shorter values would hollow out ordinary words


@dataclass(frozen=True, kw_only=True)
class Project:
    """The configuration as Compose resolved it at one moment. Lives until it is read again."""

    name: str
    facts: Mapping[str, Facts]
    digest: str
    redactor: Redactor = field(repr=False)


def parsed(content: bytes, engine_sockets: Sequence[str] = ENGINE_SOCKETS) -> Project:
    """The project in the JSON that `docker compose config` printed; raises Refused, naming the field, for anything that is none."""
    try:
        document: Any = orjson.loads(content)
        services: dict[str, Any] = document["services"]
        facts = {name: _facts(name, {} if one is None else one, document, engine_sockets) for name, one in services.items()}
    except orjson.JSONDecodeError as failure:
        raise Refused(f"docker compose config: its output is not JSON: {failure}") from failure
    except (KeyError, TypeError, AttributeError, ValueError) as failure:
        raise Refused(f"docker compose config: not a project with services ({type(failure).__name__}: {failure})") from failure
    return Project(
        name=str(document.get("name", "")),
        facts=facts,
        digest=hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        redactor=_redactor(_secrets(services.values())),
    )


def closure(project: Project, requested: Sequence[str]) -> Closure:
    """The services that were asked for and all that they can't run without, however far away."""
    unknown = {name for name in requested if name not in project.facts}
    reached: dict[str, str] = {}
    todo = [name for name in dict.fromkeys(requested) if name not in unknown]
    found = set(todo)
    while todo:
        service = todo.pop()
        for needed, why in project.facts[service].needs.items():
            if needed not in project.facts:
                unknown.add(needed)
            elif needed not in found:
                found.add(needed)
                reached[needed] = f"{why} of {service}"
                todo.append(needed)
    return Closure(
        requested=tuple(dict.fromkeys(requested)),
        services=tuple(sorted(found)),
        facts=project.facts,
        reached=reached,
        unknown=tuple(sorted(unknown)),
        digest=project.digest,
    )


def _facts(name: str, service: Mapping[str, Any], document: Mapping[str, Any], sockets: Sequence[str]) -> Facts:
    deploy = service.get("deploy") or {}
    build = service.get("build")
    return Facts(
        service=name,
        needs=dict(_needs(name, service, document)),
        privileged=bool(service.get("privileged")),
        host_namespaces=tuple(_NAMESPACES[key] for key in _NAMESPACES if _is_foreign(service.get(key))),
        engine_mounts=tuple(sorted({path for path in _host_paths(service, document) if _leads_to(path, sockets)})),
        cap_add=tuple(str(one) for one in service.get("cap_add") or ()),
        devices=tuple(_devices(service)),
        security_opt=tuple(str(one) for one in service.get("security_opt") or () if not _SAFE_SECURITY.fullmatch(str(one))),
        other_powers=tuple(_other_powers(service)),
        restart=_restart(service.get("restart"), deploy.get("restart_policy")),
        has_healthcheck=_has_healthcheck(service.get("healthcheck")),
        image=service.get("image") or (f"{document.get('name', '')}-{name}" if build is not None else None),
        replicas=int(service.get("scale") or deploy.get("replicas", 1) or 0),
    )


def _needs(name: str, service: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each service that this one can't run without, and the field that says so; the plainest reason last, so that it is the one that stands."""
    for key in (*_NAMESPACES, "net"):
        value = service.get(key)
        if isinstance(value, str) and value.startswith("service:"):
            yield value.partition(":")[2], key
    for one in service.get("volumes_from") or ():
        source = str(one).removesuffix(":ro").removesuffix(":rw")
        if not source.startswith("container:"):
            yield source.removeprefix("service:"), "volumes_from"
    for one in service.get("links") or ():
        yield str(one).partition(":")[0], "links"
    for needed in _additional_contexts(service):
        yield needed, "build.additional_contexts"
    depends = service.get("depends_on") or {}
    for needed in depends:
        optional = isinstance(depends, Mapping) and (depends[needed] or {}).get("required") is False
        if needed != name and not (optional and needed not in document["services"]):
            yield needed, "depends_on"


def _additional_contexts(service: Mapping[str, Any]) -> Iterator[str]:
    build = service.get("build")
    contexts = build.get("additional_contexts") if isinstance(build, Mapping) else None
    for value in (contexts or {}).values() if isinstance(contexts, Mapping) else ():
        if str(value).startswith("service:"):
            yield str(value).partition(":")[2]


def _is_foreign(value: object) -> bool:
    """A namespace of the host, or of a container that Windlass knows nothing about."""
    return isinstance(value, str) and (value == "host" or value.startswith("container:"))


def _host_paths(service: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """Every path of the host that the service gets to see: binds, volumes that are binds, configs and secrets that are files."""
    for one in service.get("volumes") or ():
        if one.get("type") in {"bind", "npipe"}:
            yield str(one.get("source", ""))
        elif one.get("type") == "volume" and (volume := (document.get("volumes") or {}).get(one.get("source"))):
            yield str((volume.get("driver_opts") or {}).get("device", ""))
    for kind in ("configs", "secrets"):
        for one in service.get(kind) or ():
            source = one.get("source") if isinstance(one, Mapping) else one
            yield str(((document.get(kind) or {}).get(source) or {}).get("file", ""))


def _leads_to(path: str, sockets: Iterable[str]) -> bool:
    """Whether a mounted path is one of the sockets, or a directory that one of them is in."""
    if not path.startswith("/"):
        return False
    plain = _plain(path)
    return any(plain in {"/", _plain(socket)} or _plain(socket).startswith(plain + "/") for socket in sockets)


def _plain(path: str) -> str:
    """Without `.` and `..`, and with the one link that every distribution has."""
    normal = posixpath.normpath("/" + path.lstrip("/"))
    return "/run" + normal.removeprefix("/var/run") if normal == "/var/run" or normal.startswith("/var/run/") else normal


def _devices(service: Mapping[str, Any]) -> Iterator[str]:
    for one in service.get("devices") or ():
        yield str(one.get("source", one)) if isinstance(one, Mapping) else str(one)
    yield from (str(one) for one in service.get("device_cgroup_rules") or ())


def _other_powers(service: Mapping[str, Any]) -> Iterator[str]:
    if service.get("provider"):
        yield "provider: a program of the host, not a container"
    if service.get("use_api_socket"):
        yield "use_api_socket: is handed the engine's socket"
    for key in ("post_start", "pre_stop"):
        if any(isinstance(hook, Mapping) and hook.get("privileged") for hook in service.get(key) or ()):
            yield f"{key}: a privileged hook"
    if service.get("cgroup_parent"):
        yield "cgroup_parent: leaves the engine's own control group"


def _restart(restart: object, policy: object) -> RestartPolicy:
    """What the container will be made with; `deploy.restart_policy` counts only where `restart` says nothing, as in Compose."""
    if isinstance(restart, str) and restart:
        name, _, retries = restart.partition(":")
        return restart_policy(name, int(retries or 0))
    if isinstance(policy, Mapping):
        name = {"none": "no", "any": "always", "on-failure": "on-failure"}.get(str(policy.get("condition", "any")), "always")
        return restart_policy(name, int(policy.get("max_attempts") or 0) if name == "on-failure" else 0)
    return NO_RESTART


def _has_healthcheck(check: object) -> bool:
    if not isinstance(check, Mapping) or check.get("disable"):
        return False
    test = check.get("test")
    return not (test == "NONE" or (isinstance(test, list) and test[:1] in ([], ["NONE"])))


def _secrets(services: Iterable[Any]) -> Iterator[str]:
    for service in services:
        environment = (service or {}).get("environment") or {}
        for name, value in environment.items() if isinstance(environment, Mapping) else ():
            if isinstance(value, str) and _SECRET_NAME.search(name):
                yield value.replace("$$", "$")


def _redactor(secrets: Iterable[str]) -> Redactor:
    usable = []
    for secret in {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}:
        try:
            Redactor([secret])
        except ValueError:  # one that is part of the mark itself hides nothing
            continue
        usable.append(secret)
    return Redactor(usable)
