"""The page of the windows service: by its forms alone, as a browser without JavaScript sends them, and in headless Chromium."""

from __future__ import annotations

import http.client
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from tests.engines.scripted import ScriptedEngine, scripted
from tests.integration.windows_services import TOKEN, Service, configured, core_up, service, until

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split()


@pytest.fixture(name="engine")
def scripted_engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with scripted(tmp_path / "engine") as engine:
        configured(engine)
        core_up(engine)
        yield engine


@pytest.fixture(name="served")
def windows_service(engine: ScriptedEngine) -> Iterator[Service]:
    with service(engine, configured(engine)) as served:
        yield served


class Browser:
    """A browser without JavaScript. Lives as long as its test."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self.cookie = ""
        self.headers: dict[str, str] = {}

    def get(self, path: str = "/") -> tuple[int, str]:
        return self._ask("GET", path, None)

    def post(self, path: str, **fields: str | list[str]) -> tuple[int, str]:
        return self._ask("POST", path, urlencode(fields, doseq=True))

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get()[1])
        assert found
        return found[1]

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        connection.request(method, path, body, sent | ({"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}))
        answer = connection.getresponse()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        if "set-cookie" in self.headers:
            self.cookie = self.headers["set-cookie"].split(";")[0]
        content = answer.read().decode()
        connection.close()
        return answer.status, content


def logged_in(served: Service) -> Browser:
    browser = Browser(served.url)
    assert browser.post("/page/login", token=TOKEN)[0] == 303
    return browser


def test_the_token_is_traded_for_a_cookie_that_scripts_and_other_sites_do_not_get(served: Service) -> None:
    browser = Browser(served.url)
    assert "Token of this service" in browser.get()[1]
    status, page = browser.post("/page/login", token="wrong-token")
    assert (status, "not the token of this service" in page, browser.cookie) == (403, True, "")
    assert browser.post("/page/login", token=TOKEN)[0] == 303
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(browser.headers["set-cookie"].split("; "))
    status, page = browser.get()
    assert (status, "Only the core runs" in page, TOKEN in page) == (200, True, False)
    policy = browser.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_guessing_is_slow(served: Service) -> None:
    browser = Browser(served.url)
    statuses = [browser.post("/page/login", token=f"guess-{number}")[0] for number in range(12)]
    assert statuses == [403] * 10 + [429] * 2
    assert browser.post("/page/login", token=TOKEN)[0] == 429


def test_a_window_is_opened_and_closed_by_forms(engine: ScriptedEngine, served: Service) -> None:
    browser = logged_in(served)
    assert browser.post("/page/open", csrf=browser.csrf(), service=["switch", "hermes"], ttl_sec="60", reason="<b>why</b>")[0] == 303
    page = browser.get()[1]
    assert "whatever happens" in page
    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert engine.running("vx") == {"madre", "redis", "switch", "hermes"}
    window_id = served.state()["window_id"]
    assert browser.post("/page/extend", csrf=browser.csrf(), window_id=window_id, ttl_sec="600")[0] == 303
    assert browser.post("/page/close", csrf=browser.csrf(), window_id=window_id)[0] == 303
    page = browser.get()[1]
    assert "Only the core runs" in page
    assert "manual" in page
    assert engine.running("vx") == {"madre", "redis"}


def test_what_is_refused_is_said_on_the_page(served: Service) -> None:
    browser = logged_in(served)
    status, page = browser.post("/page/open", csrf=browser.csrf(), service=["switch"], ttl_sec="never")
    assert (status, "ttl_sec: must be a whole number of seconds" in page) == (422, True)
    status, page = browser.post("/page/open", csrf=browser.csrf())
    assert (status, "names no service" in page) == (422, True)


@pytest.mark.parametrize("csrf", ["", "another"])
def test_a_form_of_another_site_does_nothing(engine: ScriptedEngine, served: Service, csrf: str) -> None:
    browser = logged_in(served)
    assert browser.post("/page/open", csrf=csrf, service=["switch"])[0] == 403
    assert engine.started("vx") == {"madre", "redis"}


def test_without_a_session_nothing_is_shown_and_nothing_done(engine: ScriptedEngine, served: Service) -> None:
    browser = Browser(served.url)
    assert browser.get("/page/main")[0] == 403
    assert browser.post("/page/open", service=["switch"])[0] == 403
    browser = logged_in(served)
    browser.post("/page/logout", csrf=browser.csrf())
    assert "Token of this service" in browser.get()[1]
    assert engine.started("vx") == {"madre", "redis"}


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")
def test_in_a_browser_the_page_is_live_and_fits_a_phone(engine: ScriptedEngine, served: Service) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 360, "height": 780})
        troubles: list[str] = []
        page.on("pageerror", lambda trouble: troubles.append(str(trouble)))
        page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
        page.goto(served.url)
        page.fill("#token", TOKEN)
        page.click("text=Log in")
        page.wait_for_selector("text=Only the core runs")
        served.open("switch", ttl_sec=60)  # by somebody else: the page learns of it by itself
        page.wait_for_selector(".countdown")
        assert "OPEN" in until(lambda: page.title() if "OPEN" in page.title() else None, "the title")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.click("text=Close now")
        page.wait_for_selector("text=Only the core runs")
        assert troubles == []
        browser.close()
    assert engine.running("vx") == {"madre", "redis"}
