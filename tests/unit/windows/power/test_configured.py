"""`[windows]` of windlass.toml: a good one is read back exactly, and what does not fit is refused by the name of its key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windlass.cli import windows
from windlass.errors import Refused
from windlass.windows.adapters.processes import Processes
from windlass.windows.compose.compose import Compose
from windlass.windows.power.configured import Configured, configured
from windlass.windows.power.policy import Policy, ServicePolicy

URL = "http://127.0.0.1:9/health"
WEB = {"argv": ["web"], "ready_url": URL}
NOT_WHOLE: list[Any] = [0, -1, 1.5, 60.0, True, False, "60", [60], {}, 10**400, float("nan")]
NOT_SECONDS: list[Any] = [-1, True, "5", [5], {}, float("nan"), float("inf"), 10**400, -(10**400)]
LONG = "x" * 5000
NOT_TEXT: list[Any] = [3, True, ["a"], {"a": 1}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").touch()
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack/other.yaml").touch()
    return tmp_path


def compose(root: Path, **fields: Any) -> Configured:
    return configured({"project": "vx11", "core": ["madre"], "allowlist": ["a", "b"], **fields}, "windlass.toml", root)


def process(root: Path, **fields: Any) -> Configured:
    return configured({"backend": "process", "project": "local", "services": {"web": WEB}, **fields}, "windlass.toml", root)


def told(act: Any) -> str:
    """The refusal: one short line that names the file."""
    with pytest.raises(Refused) as refused:
        act()
    words = str(refused.value)
    assert words.startswith("windlass.toml: windows")
    assert "\n" not in words
    assert len(words) < 400
    return words


OWN = {"max_ttl_sec", "daily_budget_sec", "start_timeout_sec", "stop_grace_sec"}


# What fits


WHOLE = """
[windows]
backend = "compose"
project = "vx11"
files = ["other.yaml"]
core = ["madre", "redis"]
directory = "stack"
allowlist = ["switch"]
default_ttl_sec = 120
max_ttl_sec = 1800
hold_max_sec = 7200
start_timeout_sec = 20
stop_grace_sec = 2.5
health_interval_sec = 0.5
daily_budget_sec = 7200
policy = "shared"
on_shutdown = "leave"
audit_dir = "audits"
namespaces.enabled = false
intents = {}
[windows.services.hermes]
max_ttl_sec = 600
start_timeout_sec = 90
stop_grace_sec = 0
daily_budget_sec = 60
restart_policy = "take_and_return"
privileged_ok = true
"""


def test_a_whole_configuration_is_read_back_exactly(root: Path) -> None:
    read = configured(tomllib.loads(WHOLE)["windows"], "windlass.toml", root)
    hermes = ServicePolicy(max_ttl_sec=600, start_timeout_sec=90, stop_grace_sec=0, daily_budget_sec=60, takes_restart=True, powers_ok=True)
    switch = ServicePolicy(max_ttl_sec=1800, start_timeout_sec=20, stop_grace_sec=2.5, daily_budget_sec=7200)
    assert read.policy == Policy(
        project="vx11",
        core=frozenset({"madre", "redis"}),
        services={"switch": switch, "hermes": hermes},
        kind="shared",
        default_ttl_sec=120,
        hold_max_sec=7200,
        health_interval_sec=0.5,
        on_shutdown="leave",
    )
    assert read.stack is not None
    assert (read.stack.files, read.stack.directory) == ((str(root / "stack/other.yaml"),), root / "stack")
    assert (read.processes, read.audit_dir) == ((), root / "audits")


def test_the_least_that_is_needed_has_the_documented_defaults(root: Path) -> None:
    read = configured({"project": "vx11"}, "windlass.toml", root)
    assert read.policy == Policy(project="vx11", core=frozenset(), services={})
    assert (read.stack.files if read.stack else ()) == (str(root / "compose.yaml"),)
    assert read.audit_dir is None
    assert compose(root).policy.services == {"a": ServicePolicy(), "b": ServicePolicy()}


def test_local_processes_are_read_back_exactly(root: Path) -> None:
    own = {"argv": ["web", "--port", "9"], "ready_url": URL, "env": {"A": "1"}, "directory": "stack", "log_file": "logs/web.log"}
    read = process(root, services={"web": {**own, "stop_grace_sec": 1, "start_timeout_sec": 3, "max_ttl_sec": 60}})
    assert read.policy.services == {"web": ServicePolicy(max_ttl_sec=60, start_timeout_sec=3, stop_grace_sec=1)}
    (web,) = read.processes
    assert (web.name, web.argv, dict(web.env), web.ready_url) == ("web", ("web", "--port", "9"), {"A": "1"}, URL)
    assert (web.directory, web.log_file) == (root / "stack", root / "logs/web.log")
    assert (web.stop_grace_s, web.start_timeout_s) == (1, 3)
    assert (read.stack, read.policy.core) == (None, frozenset())


def test_a_local_process_has_the_bounds_of_its_project_where_it_has_none_of_its_own(root: Path) -> None:
    """What the policy says and what its keeper does are one thing."""
    read = process(root, stop_grace_sec=20, start_timeout_sec=60)
    (web,), own = read.processes, read.policy.services["web"]
    assert (web.stop_grace_s, web.start_timeout_s) == (own.stop_grace_sec, own.start_timeout_sec) == (20, 60)
    assert (web.directory, web.log_file, dict(web.env)) == (root, root / ".windlass/windows/web.log", {})


def test_the_allowlist_of_local_processes_is_all_of_them_or_those_that_it_names(root: Path) -> None:
    two = {"web": WEB, "db": WEB}
    assert list(process(root, services=two).policy.services) == ["web", "db"]
    only = process(root, services=two, allowlist=["db", "db"])
    assert list(only.policy.services) == ["db"] == [one.name for one in only.processes]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_each_kind_has_its_backend(root: Path) -> None:
    async with process(root).backend(root) as local:
        assert isinstance(local, Processes)
    async with compose(root).backend(root) as engine:
        assert isinstance(engine, Compose)


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [
        ("default_ttl_sec", 1, 3600),
        ("max_ttl_sec", 1, 3600),
        ("hold_max_sec", 1, 604_800),
        ("daily_budget_sec", 1, 86_400),
        ("start_timeout_sec", 0.1, 600),
        ("stop_grace_sec", 0, 300),
        ("health_interval_sec", 0.1, 3600),
    ],
)
def test_bounds_are_exact(root: Path, key: str, least: float, most: float) -> None:
    for good in (least, most):
        read = compose(root, **{key: good}).policy
        assert getattr(read.services["a"] if key in OWN else read, key) == good
    step = 1 if isinstance(least, int) and key != "stop_grace_sec" else 0.01
    for bad in (least - step, most + step):
        assert f"windows.{key}: must be a" in told(lambda bad=bad: compose(root, **{key: bad}))


# What does not


OWN_WRONG: list[tuple[str, Any]] = [
    *(("max_ttl_sec", bad) for bad in [*NOT_WHOLE, 3601]),
    *(("daily_budget_sec", bad) for bad in [*NOT_WHOLE, 86_401]),
    *(("start_timeout_sec", bad) for bad in [*NOT_SECONDS, 0, 0.09, 601]),
    *(("stop_grace_sec", bad) for bad in [*NOT_SECONDS, -0.01, 301]),
]
WRONG: list[tuple[str, Any]] = [
    *OWN_WRONG,
    *(("default_ttl_sec", bad) for bad in [*NOT_WHOLE, 3601]),
    *(("hold_max_sec", bad) for bad in [*NOT_WHOLE, 604_801]),
    *(("health_interval_sec", bad) for bad in [*NOT_SECONDS, 0, 3601]),
    *(("backend", bad) for bad in [*NOT_TEXT, "", "docker", "Compose"]),
    *(("policy", bad) for bad in [*NOT_TEXT, "", "Shared", "any"]),
    *(("on_shutdown", bad) for bad in [*NOT_TEXT, "", "stop"]),
    *(("project", bad) for bad in [*NOT_TEXT, "", "Upper", "--help", "a b", "../up", "a" * 64, "a\0"]),
    *(("audit_dir", bad) for bad in [*NOT_TEXT, "", "a\0b"]),
    *(("directory", bad) for bad in [*NOT_TEXT, "", "nowhere", "a\0b", "compose.yaml", LONG]),
    *(("files", bad) for bad in [3, "compose.yaml", {"a": 1}, [3], [LONG], ["a\0"]]),
    *(("core", bad) for bad in [3, "madre", {"a": 1}, [3], ["--all"], ["a b"], [""]]),
    *(("allowlist", bad) for bad in [3, "a", {"a": 1}, [3], ["--all"], ["a b"], [""], ["madre"]]),
    *(("services", bad) for bad in [3, "a", ["a"], {"a": 3}, {"--all": {}}, {"": {}}]),
    *((feature, bad) for feature in ("namespaces", "intents") for bad in [3, "on", True, [], {"enabled": "yes"}, {"enabled": 1}]),
]


@pytest.mark.parametrize(("key", "bad"), WRONG, ids=lambda given: given if isinstance(given, str) and given.isidentifier() else type(given).__name__)
def test_a_value_that_does_not_fit_is_refused_by_its_key(root: Path, key: str, bad: Any) -> None:
    assert re.match(rf"windlass\.toml: windows\.{key}\b", told(lambda: compose(root, **{key: bad})))


@pytest.mark.parametrize(
    ("key", "bad"), OWN_WRONG, ids=lambda given: given if isinstance(given, str) and given.isidentifier() else type(given).__name__
)
def test_a_value_of_one_service_is_refused_by_the_service_and_its_key(root: Path, key: str, bad: Any) -> None:
    assert f"windows.services.a.{key}: must be" in told(lambda: compose(root, services={"a": {key: bad}}))
    assert f"windows.services.web.{key}: must be" in told(lambda: process(root, services={"web": {**WEB, key: bad}}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alowlist": ["a"]}, "windows.alowlist: is not known here; did you mean allowlist?"),
        ({"token": "x"}, "windows.token: is not known here"),
        ({"": 1}, "windows.: is not known here"),
        ({"ttl": 5}, "windows.ttl: is not known here"),
        ({"services": {"a": {"max_ttl": 5}}}, "windows.services.a.max_ttl: is not known here; did you mean max_ttl_sec?"),
        ({"services": {"a": {"argv": ["x"]}}}, "windows.services.a.argv: is not known here"),
        ({"services": {"a": {"health_interval_sec": 5}}}, "windows.services.a.health_interval_sec: is not known here"),
        ({"namespaces": {"enable": True}}, "windows.namespaces.enable: is not known here; did you mean enabled?"),
        ({"intents": {"enabled": False, "x": 1}}, "windows.intents.x: is not known here"),
        ({"services": {"a": {"restart_policy": "always"}}}, "windows.services.a.restart_policy: must be refuse or take_and_return, not 'always'"),
        ({"services": {"a": {"restart_policy": True}}}, "windows.services.a.restart_policy: must be"),
        ({"services": {"a": {"privileged_ok": "yes"}}}, "windows.services.a.privileged_ok: must be true or false, not 'yes'"),
        ({"services": {"a": {"privileged_ok": 1}}}, "windows.services.a.privileged_ok: must be true or false, not 1"),
        ({"core": ["b", "a"]}, "windows.allowlist: a, b is core"),
        ({"services": {"madre": {}}}, "windows.allowlist: madre is core"),
        ({"files": ["no.yaml"]}, "windows.files[0]: 'no.yaml' is not a file"),
        ({"files": ["compose.yaml", "-"]}, "windows.files[1]: '-' is not a file"),
    ],
)
def test_a_key_that_is_not_known_or_does_not_go_with_another_is_named(root: Path, fields: dict[str, Any], words: str) -> None:
    assert words in told(lambda: compose(root, **fields))


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"argv": None}, "argv: needs the program"),
        *(({"argv": bad}, "argv: needs the program") for bad in ["web", [], [3], {"a": 1}]),
        *(({"argv": bad}, "argv: ") for bad in [[""], ["a\0"], ["a", "b\0"]]),
        *(({"env": bad}, "env: ") for bad in [3, "A=1", ["A"], {"A": 1}, {"": "x"}, {"A=B": "x"}, {"A": "\0"}, {"A\0": "x"}]),
        *(({"ready_url": bad}, "ready_url: needs") for bad in [*NOT_TEXT]),
        *(({"ready_url": bad}, "ready_url: ") for bad in ["", "ftp://x", "https://x", "http://", "http://x y", "http://x:no", "http://ü"]),
        *(({"directory": bad}, "directory: ") for bad in [*NOT_TEXT, "nowhere", "compose.yaml", "a\0b", LONG]),
        *(({"log_file": bad}, "log_file: ") for bad in [*NOT_TEXT, "", "a\0b", "stack", ".", LONG]),
        ({"restart_policy": "refuse"}, "restart_policy: is not known here"),
        ({"privileged_ok": True}, "privileged_ok: is not known here"),
        ({"arvg": []}, "arvg: is not known here; did you mean argv?"),
    ],
)
def test_what_no_local_process_can_be_is_refused_by_its_key(root: Path, own: dict[str, Any], words: str) -> None:
    made = {key: value for key, value in {**WEB, **own}.items() if value is not None}
    assert f"windows.services.web.{words}" in told(lambda: process(root, services={"web": made}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"files": ["compose.yaml"]}, 'windows.files: is for backend = "compose"'),
        ({"core": ["web"]}, 'windows.core: is for backend = "compose"'),
        ({"directory": "stack"}, 'windows.directory: is for backend = "compose"'),
        ({"services": {}}, "windows.services: no service is configured"),
        ({"services": {"win dow": WEB}}, "windows.services: 'win dow' can't name a service"),
        ({"services": {"window": WEB}}, "windows.services.window.name: "),
        ({"services": {"a.b": WEB}}, "windows.services.a.b.name: "),
        ({"allowlist": ["db"]}, "windows.allowlist: 'db' has no command; add [windows.services.db]"),
        ({"allowlist": "web"}, "windows.allowlist: needs a list of names"),
        ({"allowlist": []}, "windows.services: no service is configured"),
        ({"project": "Up"}, "windows.project: needs"),
        ({"services": {"web": WEB, "db": {**WEB, "agrv": 1}}, "allowlist": ["web"]}, "windows.services.db.agrv: is not known here"),
        ({"services": {"web": WEB, "db": {"argv": 3}}, "allowlist": ["web"]}, "windows.services.db.argv: needs"),
        ({"services": {"web": WEB, "Web": WEB}}, "windows.services.Web: "),
    ],
)
def test_what_local_processes_can_not_be_is_refused_by_its_key(root: Path, fields: dict[str, Any], words: str) -> None:
    assert words in told(lambda: process(root, **fields))


@pytest.mark.parametrize(
    "content",
    ["a = " + "9" * 5000, "a = " + "[" * 100_000, "windows = 3", "", "[windows", "\xff", "[windows]\na = 1\na = 2"],
    ids=["digits", "levels", "no table", "empty", "cut", "no UTF-8", "twice"],
)
def test_a_file_that_holds_no_such_table_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "windlass.toml").write_bytes(content.encode("latin-1"))
    with pytest.raises(Refused, match=r"windlass\.toml: "):
        windows.table(tmp_path / "windlass.toml")


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["compose", "process", "a", "shared"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.sampled_from(["a", "argv", "enabled"]), inner, max_size=3),
    max_leaves=6,
)
KEYS = "backend project files core directory allowlist services default_ttl_sec hold_max_sec health_interval_sec policy on_shutdown audit_dir".split()


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([*KEYS, "max_ttl_sec", "namespaces"]) | st.text(max_size=6), VALUES, max_size=3))
def test_whatever_toml_can_say_is_a_policy_or_a_refusal_that_names_the_file(root: Path, table: dict[str, Any]) -> None:
    try:
        read = configured({"project": "p", "allowlist": ["a"], **table}, "windlass.toml", root)
    except Refused as refusal:
        assert str(refusal).startswith("windlass.toml: windows")  # noqa: PT017  # either way is right
    else:
        assert all(1 <= own.max_ttl_sec <= 3600 for own in read.policy.services.values())
        assert not read.policy.core & set(read.policy.services)
