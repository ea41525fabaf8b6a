"""report.html shows a sweep by itself: no script, nothing loaded, every text as text."""

import base64
import hashlib
import re
import shlex
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.unit.sweep import samples
from windlass.sweep.writers import report

VOID = {"meta", "link"}
SWEEPS: dict[str, Callable[[], dict[str, Any]]] = {
    "passing": samples.sweep,
    "failing": samples.failing,
    "interrupted": samples.interrupted,
    "empty": lambda: samples.sweep([]),
}


class Page(HTMLParser):
    """The elements and the texts of a page. Lives as long as its test."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.unclosed: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.mark.parametrize("name", SWEEPS)
def test_it_is_well_formed_and_can_neither_run_nor_load_anything(name):
    page = Page(report.render(SWEEPS[name]()))
    assert page.unclosed == []
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "iframe", "img", "object", "embed", "form", "input", "a", "base", "audio", "video", "foreignobject", "image"}
    for tag, attributes in page.elements:
        assert not any(key.startswith("on") or key in {"src", "style", "action", "formaction", "xlink:href"} for key in attributes)
        assert re.fullmatch(r"#[a-z0-9-]+|data:,", attributes.get("href") or "#x"), (tag, attributes)


def test_its_policy_allows_its_own_style_sheet_and_nothing_else():
    page = report.render(samples.sweep())
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert style
    assert policy
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1] == f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_a_passing_sweep_says_so_with_what_proves_it():
    text = Page(report.render(samples.sweep())).text
    for said in (
        "31 /31",
        "PASS All 31 task types did work",
        "5f2c91d07ab34e6f8812c0de99a41b73",
        "SUMMARY: 31/31 PASS",
        "2026-11-20T22:14:04.512Z",
        "windlass sweep judge .",
    ):
        assert said in text
    assert "What failed" not in text


def test_a_failing_sweep_sets_out_each_failure():
    text = Page(report.render(samples.failing())).text
    assert "FAIL 5 of 31 task types did not reach the gate proof." in text
    for task, (_, failure, preview) in samples.FAILURES.items():
        assert f"{task} {samples.FLEET[task]} {failure} {' '.join(preview.split())}" in text
    assert "−2 29" in text


def test_what_never_ran_is_shown_as_that():
    text = Page(report.render(samples.interrupted())).text
    assert "FAIL (incomplete) 4 of 31 task types never ran." in text
    assert "The sweep was interrupted." in text


def test_an_empty_sweep_proves_nothing():
    text = Page(report.render(samples.sweep([]))).text
    assert "Nothing was expected, so nothing is proved." in text
    assert "FAIL (incomplete)" in text


def test_every_row_can_be_opened_to_its_calls():
    page = Page(report.render(samples.failing()))
    assert sum(tag == "details" for tag, _ in page.elements) == 31
    assert "no whole answer within 120 s" in page.text


def test_hostile_text_is_shown_as_text():
    text = "<script>alert(1)</script>\n\u202e\" onload='x' {{ 7*7 }} {% x %} &lt;"
    page = Page(report.render(samples.hostile([text])))
    assert "script" not in {tag for tag, _ in page.elements}
    assert "<script>alert(1)</script>\\n\\u202e\" onload='x' {{ 7*7 }} {% x %} &lt;" in page.text


def test_a_command_that_names_a_strangers_path_is_quoted():
    page = Page(report.render(samples.sweep(bodies="a; rm -rf '$(x)'")))
    command = next(text for text in page.texts if text.startswith("(cd -- "))
    assert shlex.split(command, comments=False)[2] == "a; rm -rf '$(x)'"
