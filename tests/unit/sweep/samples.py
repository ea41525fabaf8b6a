"""Sweeps as a `sweep.json` holds them, for tests of what is made of one: passing, failing, interrupted, large, hostile."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from windlass.sweep.judge import NEEDED, RUNGS
from windlass.sweep.plan import GATES

FLEET = dict(
    pair.split(" ", 1)
    for pair in """ARTIFACT_AUDIT agent-artifact-auditor-proxy
CLAIM_VERIFY agent-verify
CLINICAL_BIAS_DETECTION agent-bias-detection-proxy
CLINICAL_MANUSCRIPT_WRITE agent-clinical-manuscript-proxy
CLINICAL_MODEL_FINE_TUNING agent-clinical-model-fine-tuner-proxy
CLINICAL_SECTION_DRAFT agent-section-drafter-proxy
COMPLIANCE_AUDIT agent-compliance-auditor-proxy
DISSEMINATION_FORMATTING agent-dissemination-formatter-proxy
EVIDENCE_SYNTHESIS agent-evidence-synthesis
HYPOTHESIS_REFINEMENT agent-hypothesis-refiner-proxy
JOURNAL_GUIDELINES_CACHE agent-journal-guidelines-cache-proxy
LIT_RETRIEVAL agent-lit-retrieval
LIT_TRIAGE agent-lit-triage
MULTILINGUAL_LITERATURE_PROCESSING agent-multilingual-literature-processor-proxy
PEER_REVIEW_SIMULATION agent-peer-review-simulator-proxy
PERFORMANCE_OPTIMIZATION agent-performance-optimizer-proxy
POLICY_REVIEW agent-policy-review
RAG_INGEST agent-rag-ingest
RAG_RETRIEVE agent-rag-retrieve
RESILIENCE_ARCHITECTURE agent-resilience-architecture-advisor-proxy
RESULTS_INTERPRETATION agent-results-interpretation-proxy
SECTION_WRITE_DISCUSSION agent-discussion-writer
SECTION_WRITE_INTRO agent-intro-writer
SECTION_WRITE_METHODS agent-methods-writer
SECTION_WRITE_RESULTS agent-results-writer
STAGE2_EXTRACT agent-stage2-extract
STAGE2_SCREEN agent-stage2-screen
STAGE2_SYNTHESIZE agent-stage2-synthesize
STAGE_2_EXTRACT agent-stage2-extract
STAGE_2_LITERATURE_REVIEW agent-stage2-lit
STATISTICAL_ANALYSIS agent-results-interpretation-proxy""".splitlines()
)

FAILURES: Mapping[str, tuple[str, str, str]] = {
    "CLAIM_VERIFY": ("conformed", "PROBE_FAILED", "a claim whose number differs from its quote was passed"),
    "LIT_RETRIEVAL": ("dispatched", "TIMEOUT", "no whole answer within 120 s"),
    "POLICY_REVIEW": ("dispatched", "DNS", "the name 'agent-policy-review' does not resolve"),
    "RAG_INGEST": ("conformed", "ACCEPTS_INVALID_INPUT", "the key 'documnets' was accepted: status ok"),
    "STAGE2_SCREEN": ("responded", "BUSINESS_ERROR", 'MISSING_KEY: {"ok": false, "error": "COMPOSIO_API_KEY is not set"}'),
}
"""Task type → rung, failure class and preview of the rows that fail in `failing()`."""


def row(task_type: str, *, agent_name: str | None = None, rung: str = "executed", **more: Any) -> dict[str, Any]:
    """One row; its figures depend on its task type alone."""
    rng = random.Random(task_type.encode("utf-8", "surrogatepass"))
    agent = agent_name if agent_name is not None else FLEET.get(task_type, "agent-" + task_type.lower())
    height = RUNGS.index(rung)
    run_ms = round(min(12 + rng.lognormvariate(3.2, 0.7), 900), 3)
    kinds = ("dispatch", "first", "second", "invalid")[: (0, 1, 2, 4, 4)[height]]
    calls, at = [], rng.uniform(0, 80)
    for kind in kinds:
        elapsed = round(rng.uniform(1.5, 6) if kind == "dispatch" else run_ms * rng.uniform(0.8, 1.2) if kind != "first" else run_ms, 3)
        calls.append(call(kind, rng, started_ms=round(at, 3), elapsed_ms=elapsed))
        at += elapsed if kind in {"dispatch", "first"} else 0
    first = next((made for made in calls if made["kind"] == "first"), None)
    plain = {
        "task_type": task_type,
        "agent_name": agent,
        "agent_url": f"http://127.0.0.1:{40000 + rng.randrange(9999)}/{agent}",
        "dispatch_http": 200 if height else 0,
        "run_http": 200 if first else 0,
        "latency_ms": run_ms if first else None,
        "pass_fail": "PASS",
        "rung": rung,
        "by": "probe" if rung == "executed" else None,
        "failure_class": None,
        "error_preview": "",
        "next_command": None,
        "timings": {
            "dispatch_ms": calls[0]["elapsed_ms"] if calls else None,
            "run_ms": run_ms if first else None,
            "proof_ms": round(sum(made["elapsed_ms"] for made in calls[2:]), 3) if calls[2:] else None,
            "total_ms": round(sum(made["elapsed_ms"] for made in calls), 3),
        },
        "request_sha256": first["request_sha256"] if first else None,
        "response_sha256": first["response_sha256"] if first else None,
        "response_bytes": first["response_bytes"] if first else None,
        "calls": calls,
    }
    return plain | more


def call(kind: str, rng: random.Random, *, started_ms: float, elapsed_ms: float) -> dict[str, Any]:
    """One call that was answered."""
    return {
        "kind": kind,
        "http": 200,
        "elapsed_ms": elapsed_ms,
        "started_ms": started_ms,
        "request_sha256": _hex(rng),
        "response_sha256": _hex(rng),
        "response_bytes": rng.randrange(180, 5200),
        "fault": None,
        "detail": "",
    }


def failed(named: str, rung: str, failure_class: str, preview: str, **more: Any) -> dict[str, Any]:
    """One row that did not pass the gate `proof`."""
    command = f"windlass sweep show sweep_20261120T221404512Z_k3f9x2m8qa1c7 {named}"
    said = {"pass_fail": "FAIL", "failure_class": failure_class, "error_preview": preview, "next_command": command}
    made = row(named, rung=rung) | said
    if failure_class in {"DNS", "REFUSED", "TIMEOUT", "TLS"}:
        elapsed = 120_000.0 if failure_class == "TIMEOUT" else 2.1
        lost = {"kind": "first", "http": 0, "fault": failure_class, "detail": preview, "response_sha256": None, "response_bytes": 0}
        made["calls"] = [*made["calls"], made["calls"][0] | lost | {"started_ms": 84.0, "elapsed_ms": elapsed}]
    return made | more


def sweep(rows: Sequence[Mapping[str, Any]] | None = None, *, gate: str = "proof", **more: Any) -> dict[str, Any]:
    """A whole sweep of these rows (default: 31 that pass), its gates added up; `more` replaces top-level keys."""
    made = list(rows) if rows is not None else [row(task_type) for task_type in sorted(FLEET)]
    return {
        "schema_version": 1,
        "windlass_version": "0.1.0",
        "sweep_id": "sweep_20261120T221404512Z_k3f9x2m8qa1c7",
        "fleet": {"name": "research", "sha256": _hex(random.Random(1)), "expected": sorted(each["task_type"] for each in made)},
        "expectation_sha256": _hex(random.Random(2)),
        "git_commit": _hex(random.Random(3))[:40],
        "nonce": "5f2c91d07ab34e6f8812c0de99a41b73",
        "gate": gate,
        "mode": "DEMO",
        "risk_tier": "NON_SENSITIVE",
        "orchestrator_url": "http://127.0.0.1:43117",
        "started_at": "2026-11-20T22:14:04.512Z",
        "finished_at": "2026-11-20T22:14:06.430Z",
        "duration_ms": 1918.204,
        "interrupted": False,
        "bodies": "../../../logs/sweep/bodies",
        "door": door() if gate == "proof" else None,
        "gates": {name: _gate(name, made, asked=GATES.index(name) <= GATES.index(gate)) for name in GATES},
        "summary": {"passed": sum(each["pass_fail"] == "PASS" for each in made), "total": len(made)},
        "rows": made,
    } | more


def failing() -> dict[str, Any]:
    """Five rows of 31 fail, in five ways."""
    return sweep([failed(task_type, *FAILURES[task_type]) if task_type in FAILURES else row(task_type) for task_type in sorted(FLEET)])


def interrupted() -> dict[str, Any]:
    """Stopped by Ctrl-C: the last four task types have no row at all."""
    whole = sweep()
    gate = {"verdict": "INCOMPLETE", "passed": 27, "total": 31, "asked": True, "reason": "4 never run"}
    gates, counted = dict.fromkeys(GATES, gate), {"passed": 27, "total": 31}
    return whole | {"rows": whole["rows"][:27], "gates": gates, "summary": counted, "interrupted": True, "finished_at": None}


def large(count: int) -> dict[str, Any]:
    """`count` rows of a generated fleet; every tenth fails."""
    names = [f"TASK_{number:05d}" for number in range(count)]
    return sweep([failed(name, *FAILURES["STAGE2_SCREEN"]) if number % 10 == 9 else row(name) for number, name in enumerate(names)])


def hostile(texts: Sequence[str]) -> dict[str, Any]:
    """One failing row per text, the text in every place of a row and of the sweep that a stranger can fill; the figures depend on none of it."""
    rows = [
        failed(f"TASK_{number:05d}", "responded", "BUSINESS_ERROR", text, agent_name=text, agent_url=f"http://{text}", task_type=text)
        | {"next_command": f"windlass sweep show x {text}"}
        for number, text in enumerate(texts)
    ]
    for made, text in zip(rows, texts, strict=True):
        for number, each in enumerate(made["calls"]):
            made["calls"][number] = each | {"detail": text, "fault": "REFUSED"}
    whole = sweep(rows)
    whole["fleet"]["name"] = texts[0]
    whole["gates"]["proof"]["reason"] = texts[0]
    return whole | {"orchestrator_url": f"http://{texts[0]}", "bodies": texts[0]}


def door(*, locked: bool = True) -> dict[str, Any]:
    """What the three tries at the door answered."""
    answers = {"no_token": 401, "wrong_token": 401, "unknown_task": 400}
    return {name: {"http": code if locked else 200, "expected": code, "pass": locked} for name, code in answers.items()}


def _gate(name: Any, rows: Sequence[Mapping[str, Any]], *, asked: bool) -> dict[str, Any]:
    passed = sum(RUNGS.index(each["rung"]) >= RUNGS.index(NEEDED[name]) for each in rows)
    short = len(rows) - passed
    verdict = "FAIL" if short else "PASS" if asked and rows else "INCOMPLETE"
    return {"verdict": verdict, "passed": passed, "total": len(rows), "asked": asked, "reason": f"{short} failed" if short else None}


def _hex(rng: random.Random) -> str:
    return hashlib.sha256(rng.randbytes(8)).hexdigest()
