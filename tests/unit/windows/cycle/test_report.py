"""The reports of a cycle: what a service said stays text, and what was not measured is not made up."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_windows_page import CHROMIUM, FLAGS
from tests.unit.windows.cycle.test_rules import look
from windlass.windows.cycle import report
from windlass.windows.cycle.cycle import Asked, Cycle
from windlass.windows.cycle.rules import Limits

HOSTILE = "<script>alert(1)</script>\n\n# PASS\n```\n</pre><img src=x onerror=alert(1)>\x1b[2J \"'|"


def cycle(**changed: Any) -> Cycle:
    asked = Asked(services=("web",), ttl_sec=60, samples=2, interval_s=1.0, wait_s=1.0, limits=Limits())
    made = Cycle(cycle_id="cycle_1", started_at="2026-01-19T14:30:12.000Z", finished_at="2026-01-19T14:30:15.500Z", asked=asked)
    result = {"service": "web", "state": "running", "health": "none", "up": True, "log_tail": "", "stderr": ""}
    made.opened = {"window_id": "win_1", "deadline": "2026-01-19T14:31:12Z", "status": "ok", "services_started": ["web"], "results": [result]}
    made.at_open, made.samples = look(), [look(cpu_percent=5.0, memory_bytes=1_048_576)]
    made.throttle = [{"at_s": 1.0, "while": "measuring", "at_once": 9, "because": []}]
    made.closed, made.after = (
        {"state": "closed", "reason": "manual"},
        {"state": "SOLO_MADRE_CORE", "drift": [], "core": {"db": "running", "madre": "running"}},
    )
    for name, value in changed.items():
        setattr(made, name, value)
    return made


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.attributes |= {name for name, _ in attrs}


def tags(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    return parser


def test_the_three_reports_say_the_same(tmp_path: Path):
    report.write(cycle(), tmp_path)
    told = json.loads((tmp_path / "test_results.json").read_bytes())
    assert (told["status"], told["interrupted"], told["core"]) == ("PASS", False, {"db": "running", "madre": "running"})
    assert told["metrics"][0]["services"]["web"]["cpu_percent"] == 5.0
    assert (tmp_path / "report.md").read_text().startswith("# Cycle cycle_1: PASS\n")
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "took 3.5 s" in page


def test_what_a_service_says_stays_text():
    result = {"service": "web", "state": "exited", "health": "none", "up": False, "log_tail": HOSTILE, "stderr": ""}
    opened = {"window_id": "win_1", "status": "partial", "services_started": ["web"], "results": [result]}
    hostile = cycle(opened=opened, troubles=[HOSTILE], sweep={"verdict": "FAIL", "summary": HOSTILE})
    found = tags(report.html(hostile))
    assert not {"script", "img"} & set(found.found)
    assert not {"onerror", "src"} & found.attributes
    lines = list(report.markdown(hostile))
    assert [line for line in lines if line.startswith("#")] == ["# Cycle cycle_1: FAIL"]
    assert not any(line.startswith(("```", "<")) for line in lines)
    assert "\x1b" not in "".join(lines)


def test_what_was_not_measured_is_not_told_and_not_drawn():
    silent = cycle(at_open=None, samples=[look(cpu=None, memory=None, trouble="the engine does not answer")])
    page = report.html(silent)
    assert "not told" in page
    assert "<polyline" not in page
    assert "the engine does not answer" in page


def test_a_cycle_that_opened_nothing_has_a_report():
    refused = cycle(opened={"status": "fail", "message": "no"}, at_open=None, samples=[], throttle=[], closed=None, after={})
    page = report.html(refused)
    assert "nothing was opened" in page
    assert "<svg" not in page
    assert "not opened: no" in "\n".join(report.markdown(refused))


def test_a_long_cycle_is_short_to_read_and_whole_in_the_json():
    samples = [look(cpu=float(number % 100)) for number in range(1000)]
    throttle = [{"at_s": float(number), "while": "measuring", "at_once": 9, "because": []} for number in range(1000)]
    long = cycle(samples=samples, throttle=throttle)
    assert len(list(report.markdown(long))) < 80
    assert len(report.html(long)) < 200_000
    assert len(long.as_json()["metrics"]) == 1000


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")
@pytest.mark.parametrize(("width", "shows_headings"), [(390, False), (1200, True)])
def test_a_browser_shows_the_report_whole_on_a_phone_and_on_a_desk(tmp_path: Path, width: int, shows_headings: bool):
    from playwright.sync_api import sync_playwright

    report.write(cycle(troubles=["x" * 300], sweep={"verdict": "PASS", "summary": "40/40 passed", "evidence": "sweep"}), tmp_path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 800})
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto((tmp_path / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("polyline").count() == 5
        assert all(box is not None and box["width"] > 100 for box in [one.bounding_box() for one in page.locator("svg").all()])
        assert (page.locator("thead").evaluate("one => getComputedStyle(one).position") == "static") is shows_headings
        assert page.evaluate("getComputedStyle(document.querySelector('.verdict')).borderTopWidth") == "2px", "the style is let in"
        browser.close()
    assert refused == []
