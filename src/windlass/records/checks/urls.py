"""`url_reachable`: a seeded sample of the URLs in a document answers; the answers are recorded, and the verdict is a function of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from windlass.records.checks import again
from windlass.records.checks.kept import failed

if TYPE_CHECKING:
    from windlass.records.checks.judge import Given
    from windlass.records.checks.reading import Read
    from windlass.records.contracts.contract import Check

MAX_SIZE = 16 * 1024 * 1024
LONGEST = 2000
MOST = 100_000
"""Distinct URLs of one document that are told apart."""
_URL = re.compile(rb"https?://[^\s<>\"`\\^{}|\[\]\x00-\x20]{1,%d}" % LONGEST, re.IGNORECASE)
_TRAILING = ".,;:!?'*_~"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of asking for one URL: the status and address at the end of its redirects, or the problem that there was instead."""

    url: str
    method: str
    status: int | None
    final: str | None = None
    problem: str | None = None

    @property
    def reached(self) -> bool:
        """Whether the page was there: a status of 200 to 299."""
        return self.status is not None and 200 <= self.status < 300

    def told(self) -> dict[str, Any]:
        """As it is recorded."""
        moved = {"final": self.final} if self.final not in (None, self.url) else {}
        return {"url": self.url, "method": self.method, "status": self.status, **moved, **({"problem": self.problem} if self.problem else {})}


Ask = Callable[[Sequence[str]], Sequence[Answer]]


def judge(check: Check, given: Given, reads: Mapping[str, Read]) -> Mapping[str, Any]:
    """Ask for the sample, when the workflow lets us."""
    fields = check.fields
    try:
        found = distinct(again.content(given.places, reads[fields["target"]], MAX_SIZE))
    except again.NotTheSame as failure:
        return failed(failure.code, failure.reason)
    told = {"urls": len(found), "max_failures": fields["max_failures"]}
    if not found:
        return failed("VALIDATION_FAILED", "has no URL, so none can be reached", **told)
    if not given.network:
        return failed("NOT_ALLOWED", "the workflow does not allow the network: `network: true` in its file", **told)
    from windlass.records.checks import asking  # noqa: PLC0415  # ssl and http.client, for the few contracts that ask

    answers = asking.ask(sample(found, fields["sample_size"], given.seed), private=given.private_network)
    return told | verdict(answers, fields["max_failures"])


def distinct(content: bytes) -> list[str]:
    """The distinct http and https URLs of a document, sorted: without fragments, and without what ends a sentence or a Markdown link."""
    found: set[str] = set()
    for match in _URL.finditer(content):
        url = _plain(match.group().decode("utf-8", "replace"))
        if url:
            found.add(url)
        if len(found) >= MOST:
            break
    return sorted(found)


def _plain(written: str) -> str | None:
    url = written.partition("#")[0]
    end, unopened = len(url), url.count(")") - url.count("(")
    while end and (url[end - 1] in _TRAILING or (url[end - 1] == ")" and unopened > 0)):
        unopened -= url[end - 1] == ")"
        end -= 1
    url = url[:end]
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", parts.query, "")) if parts.netloc else None


def sample(urls: Sequence[str], size: int, seed: str) -> list[str]:
    """At most `size` of them, the same for the same seed and document, and each as likely as any other."""
    return sorted(sorted(urls, key=lambda url: hashlib.sha256(f"{seed}\0{url}".encode()).digest())[:size])


def verdict(answers: Sequence[Answer], max_failures: int) -> dict[str, Any]:
    """PASS when at most `max_failures` of what was asked for was not reached."""
    unreached = [answer for answer in answers if not answer.reached]
    told = {"asked": len(answers), "failures": len(unreached), "responses": [answer.told() for answer in answers]}
    if len(unreached) <= max_failures:
        return {**told, "pass": True}
    listed = "; ".join(f"{answer.url} {answer.problem or answer.status}" for answer in unreached[:5])
    more = f"; {len(unreached) - 5} more" if len(unreached) > 5 else ""
    return failed(
        "VALIDATION_FAILED", f"{len(unreached)} of {len(answers)} URLs were not reached, at most {max_failures} may be: {listed}{more}", **told
    )
