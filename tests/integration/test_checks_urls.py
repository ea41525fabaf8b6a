"""`url_reachable` asks real servers for what a document links to, and never for what a document must not make us ask for."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.unit.records.checks import gates

from windlass.errors import Refused
from windlass.records.checks import asking, urls
from windlass.records.checks.judge import Judgement


class Pages(BaseHTTPRequestHandler):
    """Answers by its path: /200, /404, /only-get, /to/<URL>, /loop, /drip, /silent. Lives as long as one request."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[str, str, str]]] = []

    def do_HEAD(self) -> None:
        name = self.path.strip("/").partition("?")[0]
        Pages.asked.append((self.command, self.path, self.headers["Host"]))
        if name.startswith("to/"):
            self._answer(302, name.removeprefix("to/"))
        elif name == "loop":
            self._answer(301, "/loop")
        elif name == "only-get":
            self._answer(200 if self.command == "GET" else 405)
        elif name == "silent":
            self.connection.recv(1)
        elif name == "drip":
            with contextlib.suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    self.wfile.write(b"X: 1\r\n"[:1])
                    time.sleep(0.05)
        elif name == "nonsense":
            self.wfile.write(b"no HTTP at all\r\n\r\n")
        else:
            self._answer(int(name.partition("-")[0]))

    do_GET = do_HEAD  # noqa: N815  # the server's name for it

    def _answer(self, status: int, location: str | None = None) -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Pages.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()


def check(**fields: Any) -> dict[str, Any]:
    return {"type": "url_reachable", "target": gates.DOCUMENT, **fields}


def asked(tmp_path: Path, text: str, **fields: Any) -> dict[str, Any]:
    known = {"network": True, "private_network": True, "seed": fields.pop("seed", "1")}
    return gates.result(tmp_path, check(**fields), {gates.DOCUMENT: text}, **known)


def test_links_that_answer_pass_and_every_answer_is_recorded(tmp_path: Path, server: str) -> None:
    found = asked(tmp_path, f"See [one]({server}/200-a) and <{server}/200-b>, {server}/200-c.\n[again]({server}/200-a#part)\n")
    assert (found["pass"], found["urls"], found["asked"], found["failures"]) == (True, 3, 3, 0)
    assert found["responses"] == [{"url": f"{server}/200-{one}", "method": "HEAD", "status": 200} for one in "abc"]


def test_more_failures_than_allowed_fail_and_are_named(tmp_path: Path, server: str) -> None:
    text = f"{server}/200 {server}/404 {server}/500"
    assert asked(tmp_path, text, max_failures=2)["pass"]
    found = asked(tmp_path, text, max_failures=1)
    assert (found["pass"], found["code"], found["failures"]) == (False, "VALIDATION_FAILED", 2)
    assert f"{server}/404 404" in found["reason"]


def test_a_server_that_refuses_head_is_asked_with_get(tmp_path: Path, server: str) -> None:
    found = asked(tmp_path, f"{server}/only-get")
    assert found["responses"] == [{"url": f"{server}/only-get", "method": "GET", "status": 200}]


def test_redirects_are_followed_so_many_times_and_recorded(tmp_path: Path, server: str) -> None:
    assert asked(tmp_path, f"{server}/to/{server}/200")["responses"][0]["final"] == f"{server}/200"
    assert "redirected more than" in asked(tmp_path, f"{server}/loop")["reason"]


def test_the_sample_is_the_seed_s(tmp_path: Path, server: str) -> None:
    text = "\n".join(f"{server}/200-{number}" for number in range(60))
    samples = [tuple(one["url"] for one in asked(tmp_path, text, sample_size=5, seed=seed)["responses"]) for seed in ("1", "1", "2")]
    assert samples[1] == samples[0]
    assert samples[2] != samples[0]
    assert len(set(samples[0])) == 5


def test_every_url_is_as_likely_as_any_other() -> None:
    known = [f"http://example.org/{number}" for number in range(50)]
    counts = dict.fromkeys(known, 0)
    for seed in range(400):
        for url in urls.sample(known, 10, str(seed)):
            counts[url] += 1
    assert min(counts.values()) > 40
    assert max(counts.values()) < 125


@pytest.mark.parametrize("path", ["silent", "drip"])
def test_a_server_that_does_not_come_to_an_end_costs_its_time_and_no_more(server: str, path: str) -> None:
    begun = time.monotonic()
    (answer,) = asking.ask([f"{server}/{path}"], private=True, each_s=0.5)
    assert (answer.reached, answer.problem) == (False, "no answer in time")
    assert time.monotonic() - begun < 3


def test_all_together_have_a_time_too(server: str) -> None:
    begun = time.monotonic()
    answers = asking.ask([f"{server}/drip?{number}" for number in range(40)], private=True, each_s=5, all_s=0.7)
    assert not any(answer.reached for answer in answers)
    assert len(answers) == 40
    assert time.monotonic() - begun < 3


def test_they_are_asked_at_once(server: str) -> None:
    begun = time.monotonic()
    asking.ask([f"{server}/silent?{number}" for number in range(asking.AT_ONCE)], private=True, each_s=0.6)
    assert time.monotonic() - begun < 2


def test_nobody_listening_and_nonsense_are_failures(tmp_path: Path, server: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "can't be connected to" in asked(tmp_path, f"http://127.0.0.1:{port}/")["reason"]
    assert "did not answer" in asked(tmp_path, f"{server}/nonsense")["reason"]
    assert "did not answer" in asked(tmp_path, f"{server.replace('http:', 'https:')}/200")["reason"]


# --- what is not asked for --------------------------------------------------------------------------------------------------------------


def judged(tmp_path: Path, text: str, **known: Any) -> Judgement:
    return gates.judged(tmp_path, check(), {gates.DOCUMENT: text}, **known)


def test_without_the_workflow_s_leave_nothing_is_asked(tmp_path: Path, server: str) -> None:
    found = judged(tmp_path, f"{server}/200").validations[0]
    assert (found["pass"], found["code"]) == (False, "NOT_ALLOWED")
    assert Pages.asked == []


def test_as_a_warning_it_does_not_fail_the_gate(tmp_path: Path, server: str) -> None:
    both = {
        "schema_version": 1,
        "gate": "G1",
        "validations": [{"type": "file_exists", "target": gates.DOCUMENT}, check(severity="warning")],
    }
    import json

    from windlass.records.checks.judge import judge
    from windlass.records.contracts import contract

    judged(tmp_path, f"{server}/200")
    judgement = judge(contract.read(json.dumps(both).encode(), "G1"), gates.given(tmp_path))
    assert judgement.status == "PASS"
    assert (judgement.validations[1]["code"], judgement.validations[1]["warning"]) == ("NOT_ALLOWED", True)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
     "[2002:7f00:1::]",
     "0.0.0.0", "[::]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "[fd00:ec2::254]", "[fe80::1]", "224.0.0.1",
     "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1"],
)  # fmt: skip
def test_no_address_that_is_not_public_is_asked_for(server: str, host: str) -> None:
    port = server.rpartition(":")[2]
    (answer,) = asking.ask([f"http://{host}:{port}/200"], each_s=5)
    assert not answer.reached
    assert answer.problem is not None
    assert "leads to" in answer.problem or "no address" in answer.problem
    assert Pages.asked == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "0.0.0.0", "100.100.100.200"])
def test_link_local_and_metadata_addresses_are_not_asked_for_even_in_a_private_network(host: str) -> None:
    (answer,) = asking.ask([f"http://{host}/"], private=True, each_s=5)
    assert answer.problem is not None
    assert "refused" in answer.problem


def test_a_redirect_is_judged_as_the_url_was(server: str) -> None:
    answers = asking.ask(
        [f"{server}/to/http://169.254.169.254/latest", f"{server}/to/file:///etc/passwd", f"{server}/to/http://a:b@127.0.0.1/"], private=True
    )
    assert [answer.status for answer in answers] == [None, None, None]
    assert "169.254.169.254" in str(answers[0].problem)
    assert "no http or https URL" in str(answers[1].problem)
    assert "user info" in str(answers[2].problem)


@pytest.mark.parametrize(
    "url",
    ["http://a..b/", "http://[::1%25lo]/", "http://\0/", "http://xn--/", f"http://{'a' * 1000}/", "http://１２７.０.０.１/", "http://①②⑦.⓪.⓪.①/",
     "http://a:99999/", "http://a:x/", "http://:80/", "http://[v1.a]/", "http://[::1", "http://%31%32%37.0.0.1/", "http://\ud800/", "https://\u202e/"],
)  # fmt: skip
def test_a_url_that_is_none_gets_a_problem_and_breaks_no_thread(url: str) -> None:
    (answer,) = asking.ask([url], each_s=5)
    assert answer.problem is not None


@pytest.mark.parametrize("path", ["/200%0d%0aX: 1", "/200?a=b\tc", "/200-ä", "/200-\u2028"])
def test_a_url_can_not_write_a_header(tmp_path: Path, server: str, path: str) -> None:
    asked(tmp_path, f"{server}{path}")
    assert all(host in server and "\n" not in one and one.isascii() for _, one, host in Pages.asked)


# --- what is a URL ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](https://example.org/a_(b)) and (https://example.org/c).", ["https://example.org/a_(b)", "https://example.org/c"]),
        ('[a](https://example.org/a "title")', ["https://example.org/a"]),
        ("<https://example.org/a>, **https://example.org/b**, `https://example.org/c`", [f"https://example.org/{one}" for one in "abc"]),
        ("[a]: https://example.org\n![i](https://example.org/)", ["https://example.org/"]),
        ("HTTPS://EXAMPLE.org/A https://example.org/A#b", ["https://example.org/A"]),
        ("| https://example.org/a|https://example.org/b |", ["https://example.org/a", "https://example.org/b"]),
        ("https://example.org/?q=1&r=2; ftp://example.org mailto:a@example.org", ["https://example.org/?q=1&r=2"]),
        ("http:// https:/// http://[ x", []),
        ("no link", []),
    ],
)
def test_urls_are_found_as_a_reader_would_follow_them(text: str, found: list[str]) -> None:
    assert urls.distinct(text.encode()) == found


def test_a_document_without_a_url_fails(tmp_path: Path) -> None:
    assert "has no URL" in asked(tmp_path, "text\n")["reason"]


@pytest.mark.parametrize(
    "content",
    [
        b"http://" * 2_000_000,
        b"http://a" + b"(" * 15_000_000,
        b"http://a/" + b")" * 15_000_000,
        b"http://a.b/c)))...\n" * 800_000,
        (b"http://a/" + b")" * 1980 + b" ") * 8_000,
        b"\xff" * 10_000_000,
    ],
)
def test_a_hostile_document_is_searched_in_seconds(content: bytes) -> None:
    begun = time.perf_counter()
    assert len(urls.distinct(content)) < 20_000
    assert time.perf_counter() - begun < 5


def test_a_large_document_is_too_large(tmp_path: Path) -> None:
    assert asked(tmp_path, "x" * (16 * 1024 * 1024 + 1))["code"] == "TOO_LARGE"


@pytest.mark.parametrize("fields", [{"sample_size": 0}, {"sample_size": 1000}, {"max_failures": -1}, {"max_failures": 20}, {"retries": 3}])
def test_a_contract_that_asks_for_what_can_not_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="/validations/0/"):
        gates.read(check(**fields))
