"""What is read of a resolved Compose configuration: needs, powers, restart policies, secrets."""

import orjson
import pytest

from windlass.errors import Refused
from windlass.windows.backend import Facts, RestartPolicy
from windlass.windows.compose import config


def project(services, **top) -> config.Project:
    """The project that Compose would have resolved to these services."""
    return config.parsed(orjson.dumps({"name": "p", "services": services, **top}))


def facts(service, **top) -> Facts:
    """What is read of one service."""
    return project({"a": service, "b": {}}, **top).facts["a"]


@pytest.mark.parametrize(
    ("service", "field"),
    [
        ({"depends_on": {"b": {"condition": "service_healthy", "required": True}}}, "depends_on"),
        ({"depends_on": {"b": {"condition": "service_started", "required": False}}}, "depends_on"),
        ({"depends_on": ["b"]}, "depends_on"),
        ({"links": ["b:alias"]}, "links"),
        ({"network_mode": "service:b"}, "network_mode"),
        ({"pid": "service:b"}, "pid"),
        ({"ipc": "service:b"}, "ipc"),
        ({"volumes_from": ["b:ro"]}, "volumes_from"),
        ({"build": {"context": ".", "additional_contexts": {"base": "service:b"}}}, "build.additional_contexts"),
    ],
)
def test_every_way_of_needing_a_service_counts(service, field):
    assert facts(service).needs == {"b": field}


def test_an_optional_service_that_the_project_does_not_have_is_not_needed():
    assert facts({"depends_on": {"gone": {"condition": "service_started", "required": False}}}).needs == {}


def test_a_closure_reaches_as_far_as_the_needs_do_and_says_how():
    found = config.closure(project({"a": {"links": ["b"]}, "b": {"depends_on": {"c": {}}}, "c": {"depends_on": {"a": {}}}, "d": {}}), ["a"])
    assert found.services == ("a", "b", "c")
    assert found.reached == {"b": "links of a", "c": "depends_on of b"}


def test_a_need_that_the_project_does_not_have_is_unknown():
    assert config.closure(project({"a": {"volumes_from": ["gone"]}}), ["a"]).unknown == ("gone",)


@pytest.mark.parametrize(
    ("service", "power"),
    [
        ({"privileged": True}, "privileged"),
        ({"network_mode": "host"}, "network namespace of the host"),
        ({"network_mode": "container:other"}, "network namespace of the host"),
        ({"pid": "host"}, "pid namespace of the host"),
        ({"ipc": "host"}, "ipc namespace of the host"),
        ({"uts": "host"}, "uts namespace of the host"),
        ({"userns_mode": "host"}, "userns namespace of the host"),
        ({"cgroup": "host"}, "cgroup namespace of the host"),
        ({"cap_add": ["NET_ADMIN"]}, "cap_add NET_ADMIN"),
        ({"devices": [{"source": "/dev/kvm", "target": "/dev/kvm"}]}, "device /dev/kvm"),
        ({"device_cgroup_rules": ["c 1:3 mr"]}, "device c 1:3 mr"),
        ({"security_opt": ["seccomp:unconfined"]}, "security_opt seccomp:unconfined"),
        ({"security_opt": ["label=disable"]}, "security_opt label=disable"),
        ({"security_opt": ["systempaths=unconfined"]}, "security_opt systempaths=unconfined"),
        ({"use_api_socket": True}, "use_api_socket: is handed the engine's socket"),
        ({"provider": {"type": "x"}}, "provider: a program of the host, not a container"),
        ({"post_start": [{"command": "x", "privileged": True}]}, "post_start: a privileged hook"),
    ],
)
def test_every_power_over_the_host_is_named(service, power):
    found = facts(service)
    assert found.is_powerful
    assert found.powers == (power,)


@pytest.mark.parametrize(
    "source", ["/var/run/docker.sock", "/run/docker.sock", "/var/run", "/run", "/var/run/", "/", "/run/../run", "/run/containerd"]
)
def test_a_mount_that_leads_to_the_socket_is_found(source):
    assert facts({"volumes": [{"type": "bind", "source": source, "target": "/x"}]}).engine_mounts == (source,)


@pytest.mark.parametrize(
    ("service", "top"),
    [
        (
            {"volumes": [{"type": "volume", "source": "v", "target": "/x"}]},
            {"volumes": {"v": {"driver_opts": {"type": "none", "o": "bind", "device": "/run"}}}},
        ),
        ({"configs": [{"source": "c", "target": "/x"}]}, {"configs": {"c": {"file": "/run/docker.sock"}}}),
        ({"secrets": [{"source": "s"}]}, {"secrets": {"s": {"file": "/run/docker.sock"}}}),
    ],
)
def test_a_socket_that_is_no_bind_mount_is_found_too(service, top):
    assert facts(service, **top).is_powerful


@pytest.mark.parametrize(
    "service",
    [
        {},
        {"network_mode": "bridge", "ipc": "shareable", "cgroup": "private"},
        {"volumes": [{"type": "bind", "source": "/srv/data", "target": "/x"}, {"type": "volume", "source": "v", "target": "/y"}, {"type": "tmpfs"}]},
        {"volumes": [{"type": "bind", "source": "/run/docker.sock.d", "target": "/x"}]},
        {"security_opt": ["no-new-privileges:true", "seccomp:profile.json"], "cap_drop": ["ALL"]},
    ],
)
def test_an_ordinary_service_has_no_powers(service):
    assert not facts(service).powers


@pytest.mark.parametrize(
    ("service", "policy"),
    [
        ({}, RestartPolicy()),
        ({"restart": "no"}, RestartPolicy()),
        ({"restart": "always"}, RestartPolicy(name="always")),
        ({"restart": "on-failure:3"}, RestartPolicy(name="on-failure", max_retries=3)),
        ({"restart": "unless-stopped"}, RestartPolicy(name="unless-stopped")),
        ({"deploy": {"restart_policy": {"condition": "any", "max_attempts": 3}}}, RestartPolicy(name="always")),
        ({"deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}}, RestartPolicy(name="on-failure", max_retries=3)),
        ({"deploy": {"restart_policy": {"condition": "none"}}}, RestartPolicy()),
    ],
)
def test_the_restart_policy_is_the_one_that_the_container_gets(service, policy):
    assert facts(service).restart == policy


@pytest.mark.parametrize(("check", "has"), [(None, False), ({"test": ["CMD", "x"]}, True), ({"disable": True}, False), ({"test": ["NONE"]}, False)])
def test_a_health_check_that_is_switched_off_is_none(check, has):
    assert facts({"healthcheck": check}).has_healthcheck is has


def test_what_a_service_calls_secret_is_redacted_and_short_values_are_not():
    found = project({"a": {"environment": {"API_TOKEN": "s3cret$$value", "DB_PASSWORD": "abc", "NAME": "ordinary"}}})
    assert found.redactor.text("s3cret$value abc ordinary") == "[redacted] abc ordinary"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b'{"services": []}', b'{"services": {"a": []}}', b'{"services": {"a": {"volumes": 3}}}', b"{"]
)
def test_what_is_no_project_is_refused(content):
    with pytest.raises(Refused, match="docker compose config"):
        config.parsed(content)


def test_the_digest_is_of_what_is_said_and_not_of_how():
    first, second = config.parsed(b'{"services": {"a": {"image": "x"}, "b": {}}}'), config.parsed(b'{"services":{"b":{},"a":{"image":"x"}}}')
    assert first.digest == second.digest
    assert first.digest != config.parsed(b'{"services": {"a": {"image": "y"}, "b": {}}}').digest
