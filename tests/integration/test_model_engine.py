"""The model engine end to end: a caller, the executor, LangChain, and a loopback server in the place of the provider."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from windlass import fleet
from windlass.agents.reference.stage2_synthesize import AGENT
from windlass.errors import InvalidFleet, Refused
from windlass.executor import app, chat
from windlass.executor.model_turn import Allowed
from windlass.infra import server

from . import chat_server as provider

pytest.importorskip("langchain_openai", reason="the extra [models] is not installed: the model adapter is NOT tested")

RECORDING = Path(__file__).parent / "recordings" / "stage2_synthesize.json"
MODEL = "openai:gpt-loopback"
TASK = "STAGE2_SYNTHESIZE"
SECRET = "Kowalska-4711"
_RUNNER: list[asyncio.Runner] = []
PAPERS = [
    {
        "title": f"Exercise against fatigue ({SECRET})",
        "abstract": "We randomly assigned 1,204 adults. The risk ratio for fatigue was 0.75 (95% CI 0.62–0.91).",
        "year": 2021,
        "authors": ["Roe J"],
    },
    {
        "title": "Walking and fatigue",
        "abstract": "We followed 880 adults. The adjusted risk ratio for fatigue was 1.10 (95% CI 0.90 to 1.34).",
        "year": 2022,
        "authors": ["Doe K"],
    },
]
INPUTS = {"papers": PAPERS, "research_question": "Does exercise reduce fatigue?"}


def sentence(text: str, key: str, quote: str) -> dict[str, Any]:
    return {"text": text, "quotes": [{"citation_key": key, "field": "abstract", "quote": quote}]}


GOOD = {
    "paragraphs": [
        {
            "heading": "Fatigue",
            "sentences": [
                sentence(
                    "Among adults randomly assigned, the risk ratio for fatigue was 0.75 (95% CI 0.62–0.91).",
                    "roe2021",
                    PAPERS[0]["abstract"],  # type: ignore[arg-type]
                ),
                sentence(
                    "Doe K 2022 followed 880 adults, and the adjusted risk ratio for fatigue was 1.10 (95% CI 0.90 to 1.34).",
                    "doe2022",
                    PAPERS[1]["abstract"],  # type: ignore[arg-type]
                ),
            ],
        }
    ]
}


def changed(old: str, new: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(GOOD, ensure_ascii=False).replace(old, new))
    assert found != GOOD
    return found


HALLUCINATED_ID = changed("roe2021", "roe1999")
ALTERED_QUOTE = copy.deepcopy(GOOD)
ALTERED_QUOTE["paragraphs"][0]["sentences"][0]["quotes"][0]["quote"] = PAPERS[0]["abstract"].replace("0.75", "0.57")  # type: ignore[attr-defined,index]
INVENTED_NUMBER = copy.deepcopy(GOOD)
INVENTED_NUMBER["paragraphs"][0]["sentences"][0]["text"] += " Of these, 312 recovered."  # type: ignore[index]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "LANGSMITH_", "LANGCHAIN_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", provider.KEY)


@pytest.fixture(scope="module", autouse=True)
def _loop() -> Iterator[None]:
    """One event loop for all scenes, as in a service: LangChain keeps one connection pool per process."""
    with asyncio.Runner() as runner:
        _RUNNER.append(runner)
        yield
        os.environ["OPENAI_API_KEY"] = provider.KEY
        runner.run(chat.opened(MODEL)._model.root_async_client.close())
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
            os.environ.pop(name, None)
        _RUNNER.clear()


async def run(url: str, store: Path, *, phi: frozenset[str] = frozenset(), **request: Any) -> dict[str, Any]:
    os.environ["OPENAI_BASE_URL"] = url
    service = app.create({AGENT.name: AGENT}, token=None, store=store, allowed=Allowed(chat=chat.opened(MODEL), phi=phi))
    body = {"request_id": "r", "task_type": TASK, "inputs": INPUTS} | request
    async with (
        server.running(service, server.bound("127.0.0.1", 0)) as base,
        aiohttp.ClientSession() as client,
        client.post(f"{base}/agents/run/sync", json=body) as answer,
    ):
        found: dict[str, Any] = json.loads(await answer.read())
        return found


def asked(store: Path, *answers: provider.Answer, **request: Any) -> tuple[dict[str, Any], provider.Served]:
    async def scene() -> tuple[dict[str, Any], provider.Served]:
        async with provider.serving(*answers) as served:
            return await run(served.url, store, **request), served

    return _RUNNER[0].run(scene())


def taken(answer: dict[str, Any]) -> None:
    assert (answer["status"], answer["ok"], answer["error"]) == ("ok", True, None), answer["warnings"]
    assert (answer["provenance"]["engine"], answer["provenance"]["model"]) == ("model", MODEL)
    texts = [one["text"] for one in answer["outputs"]["section"]["sentences"]]
    assert texts == [one["text"] for one in GOOD["paragraphs"][0]["sentences"]]  # type: ignore[index]


def degraded(answer: dict[str, Any], because: str) -> None:
    assert (answer["status"], answer["ok"], answer["error"]) == ("degraded", False, None)
    assert (answer["provenance"]["engine"], answer["provenance"]["model"]) == ("deterministic", None)
    assert any(because in warning for warning in answer["warnings"]), answer["warnings"]
    text = json.dumps(answer["outputs"])
    assert "Papers read: 2" in text, "the deterministic section"
    assert not any(foreign in text for foreign in ("roe1999", "0.57", "312"))


def test_a_caller_says_how_often_the_model_may_be_asked(tmp_path: Path) -> None:
    answered, served = asked(tmp_path, provider.says(GOOD), budgets={"max_model_calls": 0}, risk_tier="PHI")
    assert (answered["status"], answered["provenance"]["engine"], answered["warnings"]) == ("ok", "deterministic", [])
    assert served.asked == [], "nothing is sent, so protected text may be worked on"
    answered, served = asked(tmp_path, provider.says(HALLUCINATED_ID), budgets={"max_model_calls": 1})
    degraded(answered, "there is no paper 'roe1999'")
    assert len(served.asked) == 1


@pytest.mark.parametrize("answer", [provider.says(GOOD), provider.calls(json.dumps(GOOD))], ids=["structured output", "tool call"])
def test_a_draft_that_holds_is_the_answer(tmp_path: Path, answer: provider.Answer) -> None:
    answered, served = asked(tmp_path, answer)
    taken(answered)
    assert (answered["usage"]["model_input_tokens"], answered["usage"]["model_output_tokens"]) == (100, 20)
    assert (len(served.asked), served.strangers) == (1, 0)
    assert served.asked[0]["response_format"]["json_schema"]["schema"]["required"] == ["paragraphs"]
    assert json.loads(served.asked[0]["messages"][1]["content"])["papers"][0]["abstract"] == PAPERS[0]["abstract"]


@pytest.mark.parametrize(
    ("answer", "because", "calls"),
    [
        (provider.text('{"paragraphs": [{"heading": "Fatigue"'), "MODEL_BAD_ANSWER: the answer is not JSON", 2),
        (provider.calls(json.dumps(GOOD)[:-3]), "MODEL_BAD_ANSWER", 2),
        (provider.text("I am sorry, I can't do that."), "MODEL_BAD_ANSWER", 2),
        (provider.text(None, refusal="no"), "MODEL_BAD_ANSWER", 2),
        (provider.text("[]"), "MODEL_BAD_ANSWER: the answer is not a JSON object", 2),
        (provider.cut(json.dumps(GOOD)), "MODEL_BAD_ANSWER: the answer was cut short", 2),
        (provider.empty_choices(), "MODEL_BAD_ANSWER", 2),
        (provider.html(), "MODEL_BAD_ANSWER", 2),
        (provider.says({"sections": []}), "paragraphs: is required", 2),
        (provider.says(HALLUCINATED_ID), "there is no paper 'roe1999'", 2),
        (provider.says(ALTERED_QUOTE), "does not stand in the paper's abstract", 2),
        (provider.says(INVENTED_NUMBER), "312 is not in the evidence", 2),
        (provider.fails(400), "MODEL_UNAVAILABLE: the provider answered HTTP 400", 1),
        (provider.fails(401), "MODEL_UNAVAILABLE: the provider answered HTTP 401", 1),
        (provider.fails(500, retry_after="0.01"), "MODEL_UNAVAILABLE: the provider answered HTTP 500", 1 + chat.RETRIES),
        (provider.fails(429, retry_after="0.01"), "MODEL_UNAVAILABLE: the provider answered HTTP 429", 1 + chat.RETRIES),
    ],
)
def test_a_model_that_misbehaves_degrades_the_answer_and_writes_none_of_it(tmp_path: Path, answer: provider.Answer, because: str, calls: int) -> None:
    answered, served = asked(tmp_path, answer)
    degraded(answered, because)
    assert len(served.asked) == calls
    assert provider.KEY not in json.dumps(answered)
    if "UNAVAILABLE" in because:
        assert SECRET not in json.dumps(answered["warnings"]), "the provider quoted the prompt; the answer does not"


@pytest.mark.parametrize("first", [HALLUCINATED_ID, ALTERED_QUOTE, INVENTED_NUMBER], ids=["id", "quote", "number"])
def test_a_draft_mended_after_the_complaints_is_taken(tmp_path: Path, first: dict[str, Any]) -> None:
    answered, served = asked(tmp_path, provider.says(first), provider.says(GOOD))
    taken(answered)
    assert answered["usage"]["model_output_tokens"] == 40
    again = json.loads(served.asked[1]["messages"][1]["content"])
    assert again["your_refused_answer"] == first
    assert again["complaints_about_it"]


@pytest.mark.parametrize("first", [provider.fails(429, retry_after="0.05"), provider.fails(429), provider.fails(500), provider.fails(503)])
def test_a_provider_that_recovers_is_asked_again_within_the_deadline(tmp_path: Path, first: provider.Answer) -> None:
    answered, served = asked(tmp_path, first, provider.says(GOOD))
    taken(answered)
    assert len(served.asked) == 2


@pytest.mark.parametrize("answer", [provider.hangs(), provider.fails(429, retry_after="30")], ids=["hangs", "asks for patience"])
def test_a_model_that_takes_longer_than_the_run_has_leaves_the_deterministic_answer_in_time(tmp_path: Path, answer: provider.Answer) -> None:
    started = time.monotonic()
    answered, _served = asked(tmp_path, answer, budgets={"timeout_ms": 3000})
    degraded(answered, "MODEL_UNAVAILABLE: no usable answer within")
    assert answered["usage"]["duration_ms"] < 3000
    assert time.monotonic() - started < 10


def test_the_token_budget_goes_to_the_model_and_is_held_against_its_answer(tmp_path: Path) -> None:
    answered, served = asked(tmp_path, provider.says(GOOD), budgets={"max_output_tokens": 4000})
    taken(answered)
    assert served.asked[0]["max_completion_tokens"] == 4000
    answered, _served = asked(tmp_path, provider.says(GOOD), budgets={"max_output_tokens": 100})
    assert (answered["status"], answered["error"]["code"]) == ("error", "BUDGET_EXCEEDED"), "neither engine's answer fits"


def test_protected_text_reaches_the_model_only_where_the_fleet_file_says_so(tmp_path: Path) -> None:
    answered, served = asked(tmp_path, provider.says(GOOD), risk_tier="PHI")
    assert (answered["status"], answered["error"]["code"], served.asked) == ("error", "RISK_TIER_NOT_ALLOWED", [])
    answered, served = asked(tmp_path, provider.says(GOOD), risk_tier="PHI", phi=frozenset({TASK}))
    taken(answered)


def test_live_without_evidence_fails_closed_and_asks_no_model(tmp_path: Path) -> None:
    bare = {"papers": [{"title": "On sleep", "abstract": "", "year": 2020, "authors": ["Roe J"]}]}
    answered, served = asked(tmp_path, provider.says(GOOD), mode="LIVE", inputs=bare)
    assert (answered["status"], answered["error"]["code"], served.asked) == ("error", "EVIDENCE_REQUIRED", [])


def test_a_recorded_conversation_gives_the_same_answer_again(tmp_path: Path) -> None:
    """WINDLASS_RECORD=1 records anew, where a prompt was changed on purpose; the answers are those of `provider`, which no real model gave."""
    if os.environ.get("WINDLASS_RECORD"):
        _answered, served = asked(tmp_path, provider.says(INVENTED_NUMBER), provider.says(GOOD))
        said = [{"role": "assistant", "content": json.dumps(draft, ensure_ascii=False)} for draft in (INVENTED_NUMBER, GOOD)]
        provider.record(served, said, RECORDING, "a refused draft and its mended one, answered by tests/integration/chat_server.py")
    answered, served = asked(tmp_path, provider.replays(RECORDING))
    taken(answered)
    assert len(served.asked) == 2
    again, _served = asked(tmp_path, provider.replays(RECORDING))
    assert again["outputs"] == answered["outputs"]


def test_a_model_that_cant_be_used_is_refused_in_one_line_that_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match=r"^LLM_MODEL_NAME is 'nobody:knows', which can't be used: [^\n]+$"):
        chat.opened("nobody:knows")
    with pytest.raises(Refused, match=r"^LLM_MODEL_NAME is 'groq:llama' and its provider is not installed: [^\n]+$"):
        chat.opened("groq:llama")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(Refused, match=r"^LLM_MODEL_NAME is 'openai:gpt-loopback', which can't be used: [^\n]*OPENAI_API_KEY"):
        chat.opened(MODEL)


def serve(directory: Path, environment: dict[str, str], *options: str, python: tuple[str, ...] = ("-m", "windlass")) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *python, "serve", "executor", "--port", "0", "--log-level", "debug", *options],
        cwd=directory,
        env={"PATH": os.environ["PATH"], **environment},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def test_without_the_extra_the_service_refuses_to_start_in_one_line_that_names_it(tmp_path: Path) -> None:
    without = "import sys; sys.modules['langchain'] = None; from windlass.cli import main; main()"
    process = serve(tmp_path, {"LLM_MODEL_NAME": MODEL}, python=("-c", without))
    _out, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.strip().splitlines()[-1].endswith("LLM_MODEL_NAME is set and LangChain is not installed: pip install 'windlass[models]'")
    assert "Traceback" not in said


LOUD = {"OPENAI_LOG": "debug", "LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "ls-key"}


async def served_by_a_process(directory: Path, times: int, options: tuple[str, ...], *answers: provider.Answer) -> tuple[list[Any], str, list[str]]:
    """What a real service answered to a PHI run that often, all that it said on stderr, and what else it asked of its surroundings."""
    async with provider.serving(*answers) as served:
        spied = {"OPENAI_BASE_URL": served.url, "LANGSMITH_ENDPOINT": served.url.removesuffix("/v1") + "/langsmith"}
        process = serve(directory, LOUD | spied, "--agents", AGENT.name, *options)
        lines: list[str] = []
        answered = []
        try:
            assert process.stderr
            while not (found := re.search(r"http://[\d.:]+", lines[-1] if lines else "")):
                lines.append(await asyncio.wait_for(asyncio.to_thread(process.stderr.readline), 60))
                assert lines[-1], lines
            async with aiohttp.ClientSession() as client:
                for _ in range(times):
                    body = {"request_id": "r", "task_type": TASK, "inputs": INPUTS, "risk_tier": "PHI"}
                    async with client.post(f"{found.group()}/agents/run/sync", json=body) as answer:
                        answered.append(json.loads(await answer.read()))
        finally:
            process.send_signal(signal.SIGTERM)
            _out, rest = await asyncio.to_thread(process.communicate, timeout=20)
        return answered, "".join(lines) + rest, served.strays


def test_a_real_service_logs_and_traces_neither_key_nor_prompt_whatever_the_environment_asks_for(tmp_path: Path) -> None:
    allowing = tmp_path / "fleet.yaml"
    allowing.write_text(f"name: f\nagents: {{a: {{url: 'http://127.0.0.1:1'}}}}\ntasks: {{{TASK}: {{agent: a, phi_to_model: true}}}}\n")
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={provider.KEY}\nLLM_MODEL_NAME={MODEL}\n")
    answers = [provider.says(INVENTED_NUMBER), provider.fails(500), provider.fails(400), provider.says(GOOD)]
    answered, said, strays = asyncio.run(served_by_a_process(tmp_path, 2, ("--fleet", str(allowing)), *answers))
    assert [one["provenance"]["engine"] for one in answered] == ["deterministic", "model"]
    assert '"action": "draft"' in said
    assert strays == []
    for hidden in (provider.KEY, SECRET, "You write a synthesis", "312 recovered"):
        assert hidden not in said


def test_without_a_model_protected_text_is_worked_on_and_leaves_the_process_in_no_way(tmp_path: Path) -> None:
    answered, said, strays = asyncio.run(served_by_a_process(tmp_path, 1, (), provider.says(GOOD)))
    assert [(one["status"], one["provenance"]["engine"]) for one in answered] == [("ok", "deterministic")]
    assert strays == []
    assert SECRET not in said


def test_a_fleet_file_that_allows_what_it_forbids_is_refused_by_field(tmp_path: Path) -> None:
    written = {"name": "f", "agents": {"a": {}}, "tasks": {"T": {"agent": "a", "phi_to_model": True}, "U": {"agent": "a"}}}
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(written))
    assert fleet.read(path).phi_to_model == {"T"}
    written["tasks"]["T"]["risk_tiers"] = ["NON_SENSITIVE"]  # type: ignore[index]
    path.write_text(json.dumps(written))
    with pytest.raises(InvalidFleet, match=r"tasks\.T\.phi_to_model: is true, and PHI is not among its risk_tiers"):
        fleet.read(path)


def test_the_stream_tells_of_the_turn_with_the_model_as_of_any_step(tmp_path: Path) -> None:
    async def scene() -> list[tuple[str, dict[str, Any]]]:
        async with provider.serving(provider.says(GOOD)) as served:
            os.environ["OPENAI_BASE_URL"] = served.url
            service = app.create({AGENT.name: AGENT}, token=None, store=tmp_path, allowed=Allowed(chat=chat.opened(MODEL)))
            body = {"request_id": "r", "task_type": TASK, "inputs": INPUTS}
            async with (
                server.running(service, server.bound("127.0.0.1", 0)) as base,
                aiohttp.ClientSession() as client,
                client.post(f"{base}/agents/run/stream", json=body) as answer,
            ):
                told = (await answer.read()).decode()
        return [(name, json.loads(fields)) for name, fields in re.findall(r"event: (\w+)\ndata: (.+)\n", told)]

    events = _RUNNER[0].run(scene())
    steps = [fields["step"] for name, fields in events if name == "progress"]
    assert steps == ["admit_for_model", "gather", "draft", "bind", "ask_model"]
    assert events[0][1]["steps"] == len(steps)
    assert (events[-1][0], events[-1][1]["provenance"]["engine"]) == ("final", "model")
