"""Asks for URLs, many at once, each within its time, and never for an address that a document must not make us ask for.

A name is resolved once, its addresses are judged, and the connection is made to the judged address: what the name means a moment later
does not matter. Each redirect is judged as the first URL was. No proxy is used, no cookie or token is sent, no body is read.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

from windlass import __version__
from windlass.infra import addresses
from windlass.records.checks.urls import LONGEST, Answer

EACH_S = 20.0
ALL_S = 120.0
AT_ONCE = 8
MAX_REDIRECTS = 5
_CONNECT_S = 8.0
_TICK_S = 0.05
_LATE = "no answer in time"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = "%/:=&?~+!$,;'@()*[]"


class _Unreached(Exception):
    """There is no answer; the message says why."""


@dataclass(kw_only=True)
class _Job:
    """One URL that is asked for; lives until it has an answer."""

    url: str
    deadline: float = 0.0
    sockets: list[socket.socket] = field(default_factory=list)
    answer: Answer | None = None


def ask(urls: Sequence[str], *, private: bool = False, each_s: float = EACH_S, all_s: float = ALL_S) -> list[Answer]:
    """An answer for every URL, in their order. `private`: loopback and private addresses may be asked too; link-local ones never."""
    jobs = [_Job(url=url) for url in urls]
    waiting: queue.SimpleQueue[_Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    begun = time.monotonic()
    for _ in range(min(AT_ONCE, len(jobs))):
        # Daemons, since a resolver can't be interrupted and the process need not wait for it.
        threading.Thread(target=_work, args=(waiting, private, each_s, begun + all_s), daemon=True).start()
    while any(job.answer is None for job in jobs):
        now = time.monotonic()
        for job in jobs:
            if job.answer is None and ((job.deadline and now > job.deadline) or now > begun + all_s):
                job.answer = Answer(url=job.url, method="HEAD", status=None, problem=_LATE)
                for held in tuple(job.sockets):  # a server that sends a byte now and then would hold the thread for hours
                    with contextlib.suppress(OSError):
                        held.shutdown(socket.SHUT_RDWR)
        time.sleep(_TICK_S)
    return [job.answer for job in jobs if job.answer is not None]


def _work(waiting: queue.SimpleQueue[_Job], private: bool, each_s: float, until: float) -> None:  # noqa: FBT001  # a thread's argument
    while time.monotonic() < until:
        try:
            job = waiting.get_nowait()
        except queue.Empty:
            return
        job.deadline = time.monotonic() + each_s
        answer = _answer(job, private=private)
        if job.answer is None:
            job.answer = answer


def _answer(job: _Job, *, private: bool) -> Answer:
    """HEAD first; a server that does not like it is asked with GET, whose body nobody reads."""
    answer = Answer(url=job.url, method="HEAD", status=None, problem="was not asked")
    for method in ("HEAD", "GET"):
        try:
            status, final = _follow(job, method, private=private)
            answer = Answer(url=job.url, method=method, status=status, final=final)
        except _Unreached as failure:
            answer = Answer(url=job.url, method=method, status=None, problem=str(failure))
        if answer.reached or time.monotonic() > job.deadline:
            break
    return answer


def _follow(job: _Job, method: str, *, private: bool) -> tuple[int, str]:
    url = job.url
    for _ in range(MAX_REDIRECTS + 1):
        status, location = _exchange(job, method, url, private=private)
        if status not in _REDIRECTS or not location:
            return status, url
        try:
            url = urljoin(url, location).partition("#")[0]
        except ValueError as failure:
            raise _Unreached("was redirected to what is no URL") from failure
    raise _Unreached(f"was redirected more than {MAX_REDIRECTS} times")


def _exchange(job: _Job, method: str, url: str, *, private: bool) -> tuple[int, str | None]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as failure:
        raise _Unreached("is no URL") from failure
    if parts.scheme not in {"http", "https"} or not host or len(url) > LONGEST:
        raise _Unreached("is no http or https URL")
    if "@" in parts.netloc:
        raise _Unreached("has user info in it, which is sent nowhere")
    secure = parts.scheme == "https"
    sock = _connected(job, host, port or (443 if secure else 80), private=private)
    job.sockets.append(sock)
    connection = http.client.HTTPConnection(host)
    try:
        if secure:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
            job.sockets.append(sock)
        connection.sock = sock
        path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
        named = quote(parts.netloc, safe=":[]") if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
        headers = {"Host": named, "User-Agent": f"windlass/{__version__} (link check)", "Accept": "*/*", "Connection": "close"}
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        location = answer.getheader("Location")
        return answer.status, location[:LONGEST] if location else None
    except TimeoutError as failure:
        raise _Unreached(_LATE) from failure
    except ssl.SSLCertVerificationError as failure:
        raise _Unreached(f"its certificate is not valid: {failure.verify_message}") from failure
    except (OSError, http.client.HTTPException, UnicodeError, ValueError) as failure:
        raise _Unreached(f"did not answer: {type(failure).__name__}") from failure
    finally:
        connection.close()
        sock.close()
        job.sockets.clear()


def _connected(job: _Job, host: str, port: int, *, private: bool) -> socket.socket:
    """A connection to an address of the host that may be asked; all of its addresses must be such, so that no order decides."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as failure:
        raise _Unreached("its host has no address") from failure
    for *_, place in found:
        address = str(place[0])
        reason = addresses.refusal(address)
        if reason or not (private or addresses.is_public(address)):
            raise _Unreached(f"leads to {address}, which is {'refused: ' + reason if reason else 'no public address'}")
    last: OSError | None = None
    for family, kind, protocol, _, place in found[:4]:
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(max(0.1, min(_CONNECT_S, job.deadline - time.monotonic())))
        try:
            sock.connect(place)
        except OSError as failure:
            sock.close()
            last = failure
            continue
        return sock
    raise _Unreached(f"can't be connected to: {type(last).__name__}") from last
