"""What the doctor finds in a project, from what was read of it and what runs."""

from typing import Any

from windlass.windows import doctor
from windlass.windows.backend import Closure, Damaged, Facts, Lease, Observation, Observed, RestartPolicy
from windlass.windows.power.policy import Policy, ServicePolicy

SOUND: dict[str, Any] = {"has_healthcheck": True, "image": "x:1"}


def found(
    *facts: Facts, reached=None, allowlist=("web",), core=("core",), running=("core",), leases=(), damaged=(), own=None, **policies
) -> list[tuple[str, ...]]:
    """The findings as (severity, service, problem)."""
    known = {one.service: one for one in (*facts, Facts(service="core", needs={}, image="x:1"))}
    closure = Closure(requested=tuple(allowlist), services=tuple(allowlist), facts=known, reached=reached or {})
    services = {
        name: Observed(
            service=name, state="running" if name in running else "exited", id=f"{name}0123456789", restart_policy=policies.get(name, RestartPolicy())
        )
        for name in known
    }
    seen = Observation(services=services, leases=tuple(leases), damaged=tuple(damaged))
    policy = Policy(project="p", core=frozenset(core), services=dict.fromkeys(allowlist, own or ServicePolicy()))
    return [(one.severity, one.service, one.problem, one.line) for one in doctor.findings(closure, seen, policy, "compose.yaml")]


def web(**fields) -> Facts:
    return Facts(service="web", needs={}, **{**SOUND, **fields})


def test_a_sound_project_has_nothing_to_change():
    assert found(web()) == []


def test_restart_always_must_change_and_the_line_says_both_ways():
    [(severity, service, problem, line)] = found(web(restart=RestartPolicy(name="always")))
    assert (severity, service) == ("must", "web")
    assert "when the engine restarts" in problem
    assert line == 'compose.yaml: services.web.restart: "no"   or windlass.toml: [windows.services.web] restart_policy = "take_and_return"'


def test_any_other_restart_policy_should_change():
    assert [one[0] for one in found(web(restart=RestartPolicy(name="unless-stopped")))] == ["should"]


def test_what_the_policy_allows_is_none_to_change():
    assert found(web(restart=RestartPolicy(name="always")), own=ServicePolicy(takes_restart=True)) == []
    assert found(web(privileged=True), own=ServicePolicy(powers_ok=True)) == []


def test_a_missing_health_check_should_be_added():
    [(severity, _, problem, line)] = found(web(has_healthcheck=False))
    assert severity == "should"
    assert "counts as ready" in problem
    assert line.startswith("compose.yaml: services.web.healthcheck:")


def test_a_service_outside_the_allowlist_that_another_needs_must_be_allowed():
    [(severity, service, problem, line)] = found(web(), Facts(service="db", needs={}, **SOUND), reached={"db": "depends_on of web"})
    assert (severity, service) == ("must", "db")
    assert "depends_on of web" in problem
    assert line == 'windlass.toml: [windows] allowlist: add "db"'


def test_a_need_of_the_core_is_none_to_change():
    assert found(web(), reached={"core": "depends_on of web"}) == []


def test_a_power_must_be_meant():
    [(severity, _, problem, line)] = found(web(privileged=True, cap_add=("SYS_ADMIN",)))
    assert severity == "must"
    assert problem == "could leave its container: privileged; cap_add SYS_ADMIN"
    assert "privileged_ok = true" in line


def test_names_that_the_project_does_not_have_must_go():
    assert [(one[0], one[1]) for one in found(web(), allowlist=("web", "gone"), core=("core", "lost"))] == [("must", "gone"), ("must", "lost")]


def test_a_service_can_not_be_core_and_allowed():
    problems = [one[2] for one in found(web(), core=("core", "web"), running=("core", "web"))]
    assert problems[0].startswith("is core and on the allowlist")


def test_what_runs_by_itself_is_told_and_what_a_window_holds_is_not():
    assert [one[2] for one in found(web(), running=("core", "web"))] == ["runs, but no window holds it: closing will leave it running"]
    held = Lease(window_id="w", project="p", services=("web",), deadline_ms=0, fencing=1, grace_s=1)
    assert found(web(), running=("core", "web"), leases=[held]) == []


def test_a_core_that_does_not_run_is_told():
    assert [(one[1], one[3]) for one in found(web(), running=())] == [("core", "docker compose --project-name p up -d core")]


def test_a_container_that_would_come_back_with_the_engine_is_told():
    [(severity, _, problem, line)] = found(web(), web=RestartPolicy(name="always"))
    assert severity == "must"
    assert "comes back with the engine" in problem
    assert line == "docker update --restart=no web012345678"


def test_a_damaged_lease_is_told():
    assert [one[0] for one in found(web(), damaged=[Damaged(name="windlass-x", problem="no labels")])] == ["must"]
