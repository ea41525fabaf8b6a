"""Makes HTTP calls where it is run, as it is told on stdin, and says on stdout what came back: JSON lines both ways.

This one file is read over stdin by the Python of somebody's container (`bootstrap` in `running.py`): the standard library only, nothing
that Python 3.8 lacks, nothing written to disk. It judges nothing. It ends when stdin does, or when nobody has said a word for
`silence_s` seconds: whoever started it has gone, and nothing of a sweep may stay behind in somebody's container.

in    {"id": 1, "url": ..., "body": base64, "variable": name of the variable with the bearer token, or "bearer": token, "timeout_s": ..., "cap": ...}
      or an empty line, which only says that somebody is there
out   {"hello": <the word it was started with>, "protocol": 1, "python": "3.11.2"} once, then for every call, in the order in which they end:
      {"id": 1, "status": 200, "body": base64, "elapsed_ms": ..., "fault": null, "detail": ""}
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

try:
    import ssl
except ImportError:  # some small builds have none, and need none for http
    HAS_TLS = False
else:
    HAS_TLS = True

PROTOCOL = 1
CHUNK = 65536
SAID = 1000
"""Characters of a failure's own words that are told."""
METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"))
)
TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/96", "::/96")))


class Fault(Exception):
    """A call without a whole answer: its class and one sentence. Lives as long as the call."""

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


def refusal(address: str) -> str | None:
    """Why this IP address must not be connected to, or None. The rule of `windlass.infra.addresses`; a test holds the two together."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if any(ip in network for network in TRANSLATED) and int(ip) > 1:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        else:
            ip = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip
    if ip in METADATA:
        return f"{address} is a metadata service"
    if ip.is_link_local:
        return f"{address} is link-local"
    if ip.is_multicast or ip.is_unspecified or ip == ipaddress.ip_address("255.255.255.255"):
        return f"{address} is not the address of one host"
    return None


def plain(failure: object) -> str:
    """A failure's own words, as text that JSON carries."""
    words = " ".join(str(failure).split()) or type(failure).__name__
    return words.encode("utf-8", "backslashreplace").decode()[:SAID]


class Call:
    """One call: answered once, by the worker that makes it or by the clock. Lives as long as the call."""

    def __init__(self, asked: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> None:
        self.id: int = asked["id"]
        self.url: str = asked["url"]
        self.body = base64.b64decode(asked["body"])
        self.token: str | None = os.environ.get(asked["variable"], "") if asked.get("variable") else asked.get("bearer")
        self.timeout_s: float = asked["timeout_s"]
        self.cap: int = asked["cap"]
        self.status = 0
        self.received = bytearray()
        self.began = time.monotonic()
        self._say = say
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._answered = False

    @property
    def deadline(self) -> float:
        """When the clock answers."""
        return self.began + self.timeout_s

    def make(self) -> None:
        """Make the call and answer; its time begins now."""
        if self._answered:  # it waited for a worker until its time was over
            return
        self.began = time.monotonic()
        try:
            self._exchange()
            self.answer(None, "")
        except Fault as failure:
            self.answer(failure.fault, str(failure))
        except Exception as failure:  # noqa: BLE001  # whatever a peer provokes in the library is that peer's failure
            self.answer("REFUSED", f"the call failed: {type(failure).__name__}: {plain(failure)}")
        finally:
            self._hang_up()

    def expire(self) -> None:
        """Answer that the time is over, and break the connection that some peer holds."""
        self.answer("TIMEOUT", f"no whole answer within {self.timeout_s:g} s")
        self._hang_up()

    def answer(self, fault: str | None, detail: str) -> None:
        """Say what came back, unless that was said."""
        elapsed = (time.monotonic() - self.began) * 1000
        with self._lock:
            if self._answered:
                return
            self._answered = True
        body = base64.b64encode(bytes(self.received[: self.cap])).decode("ascii")
        self._say({"id": self.id, "status": self.status, "body": body, "elapsed_ms": elapsed, "fault": fault, "detail": detail})

    def _hang_up(self) -> None:
        held, self._socket = self._socket, None
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)  # wakes a worker that waits for it in another thread; close alone does not
            with contextlib.suppress(OSError):
                held.close()

    def _exchange(self) -> None:
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError as failure:
            raise Fault("REFUSED", f"the URL can't be called: {plain(failure)}") from failure
        if parts.scheme not in ("http", "https") or not host:
            raise Fault("REFUSED", f"the URL can't be called: {plain(self.url)}")
        port = port or (443 if parts.scheme == "https" else 80)
        self._socket = held = self._connected(host, port)
        if parts.scheme == "https":
            held = self._encrypted(held, host)
        if self._answered:  # the clock was faster, and found no connection to break
            raise Fault("TIMEOUT", "too late")
        connection = http.client.HTTPConnection(host, port)
        connection.sock = held
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json", "Connection": "close"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        try:
            connection.request("POST", (parts.path or "/") + ("?" + parts.query if parts.query else ""), body=self.body, headers=headers)
            self._read(connection.getresponse())
        except Fault:
            raise
        except http.client.RemoteDisconnected as failure:
            raise Fault("REFUSED", f"the connection broke before the answer: {plain(failure)}") from failure
        except http.client.IncompleteRead as failure:
            self.received += failure.partial
            raise Fault("REFUSED", f"the connection broke inside the answer: {plain(failure)}") from failure
        except (http.client.HTTPException, ValueError) as failure:
            raise Fault("REFUSED", f"the answer is not HTTP: {plain(failure)}") from failure
        except OSError as failure:
            if HAS_TLS and isinstance(failure, ssl.SSLError):
                raise Fault("TLS", f"TLS failed: {plain(failure)}") from failure
            raise Fault(
                "REFUSED", "the connection broke {} the answer: {}".format("inside" if self.status else "before", plain(failure))
            ) from failure

    def _connected(self, host: str, port: int) -> socket.socket:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as failure:
            detail = f"the name can't be one: {plain(failure)}" if isinstance(failure, UnicodeError) else f"the name {host!r} does not resolve"
            raise Fault("DNS", detail) from failure
        reason = "no address"
        for family, kind, protocol, _name, address in found:
            forbidden = refusal(str(address[0]))
            if forbidden:
                raise Fault("UNREGISTERED_ENDPOINT", f"refused to connect: {forbidden}")
            held = socket.socket(family, kind, protocol)
            try:
                held.settimeout(max(0.001, self.deadline - time.monotonic()) + 1)  # the clock answers first, and says TIMEOUT
                held.connect(address)
                return held  # noqa: TRY300  # the rest of the loop is for addresses that failed
            except OSError as failure:
                held.close()
                reason = plain(failure)
        raise Fault("REFUSED", f"no connection: {reason}")

    def _encrypted(self, held: socket.socket, host: str) -> socket.socket:
        if not HAS_TLS:
            raise Fault("TLS", "TLS failed: this Python has no ssl module")
        try:
            context = ssl.create_default_context()
            self._socket = encrypted = context.wrap_socket(held, server_hostname=host, do_handshake_on_connect=False)
            encrypted.do_handshake()
        except (OSError, ValueError) as failure:  # ssl.SSLError is an OSError, and a peer that hangs up during the handshake raises one
            raise Fault("TLS", f"TLS failed: {plain(failure)}") from failure
        return encrypted

    def _read(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        if response.headers.defects or len(response.headers.get_all("Content-Length") or []) > 1:
            self.status = 0
            raise Fault("REFUSED", "the answer is not HTTP: its head can't be read in one way only")
        whole = response.length
        while True:
            piece = response.read1(CHUNK)
            if not piece:
                break
            self.received += piece
            if len(self.received) > self.cap:
                raise Fault("TOO_LARGE", f"the answer is larger than {self.cap} bytes")
        if whole is not None and len(self.received) < whole:
            raise Fault("REFUSED", f"the connection broke inside the answer: {len(self.received)} of {whole} bytes")


class Post:
    """Gives calls to workers, as many as there are calls in flight, and watches their deadlines. Lives as long as the process."""

    def __init__(self, say: Callable[[dict[str, Any]], None]) -> None:
        self._say = say
        self._waiting: queue.Queue[Call] = queue.Queue()
        self._unanswered = 0
        self._workers = 0
        self._due: list[Call] = []
        self._lock = threading.Condition()
        threading.Thread(target=self._watch, daemon=True).start()

    def take(self, asked: dict[str, Any]) -> None:
        """Begin one call."""
        call = Call(asked, self._say)
        with self._lock:
            self._due.append(call)
            self._lock.notify()
            self._unanswered += 1
            if self._unanswered > self._workers:
                self._engage()
        self._waiting.put(call)

    def _engage(self) -> None:
        try:
            threading.Thread(target=self._work, daemon=True).start()
            self._workers += 1
        except RuntimeError:  # a container may allow only so many: those that there are take the call when they can
            if not self._workers:
                raise

    def _work(self) -> None:
        while True:
            call = self._waiting.get()
            call.make()
            with self._lock:
                if call in self._due:
                    self._due.remove(call)
                self._unanswered -= 1

    def _watch(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                late = [call for call in self._due if call.deadline <= now]
                self._due = [call for call in self._due if call.deadline > now]
                if not late:
                    self._lock.wait(min((call.deadline for call in self._due), default=now + 3600) - now)
            for call in late:
                call.expire()


def main(word: str, silence_s: float) -> None:
    """Answer calls until stdin ends; `word` proves to whoever reads that these lines are ours."""
    threading.stack_size(512 * 1024)
    sink = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)  # whatever else prints in this process, it does not print between our lines
    writing = threading.Lock()
    heard = [time.monotonic()]

    def say(line: dict[str, Any]) -> None:
        text = json.dumps(line).encode("ascii") + b"\n"
        try:
            with writing:
                while text:
                    text = text[sink.write(text) :]
        except OSError:
            os._exit(0)

    def listen_for_silence() -> None:
        while time.monotonic() - heard[0] < silence_s:
            time.sleep(min(1.0, silence_s / 4))
        os._exit(0)

    os.write(sink.fileno(), b"\n")  # ends what others may have begun to say
    say({"hello": word, "protocol": PROTOCOL, "python": ".".join(map(str, sys.version_info[:3]))})
    threading.Thread(target=listen_for_silence, daemon=True).start()
    post = Post(say)
    while True:
        line = sys.stdin.buffer.readline()
        heard[0] = time.monotonic()
        if not line.endswith(b"\n"):
            os._exit(0)  # without waiting for workers: they may hang in a name server or a peer
        if line.strip():
            post.take(json.loads(line.decode("utf-8")))
