"""The scripted engine's server, `python -m tests.engines.server SOCKET`: as much of the Engine API as is used, and `/script/…` for tests."""

import json
import os
import re
import socketserver
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.engines.state import Container, State

STATE = State()
VERSION = {"Version": "20.10-scripted", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux"}


class Answer(Exception):  # an answer, good or bad
    """What the engine says; raised from wherever it is known."""

    def __init__(self, status: int, body: Any = None, *, raw: bytes | None = None) -> None:
        self.status = status
        self.content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        super().__init__(status)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing: tests read the events."""

    def address_string(self) -> str:
        return "unix"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        path = re.sub(r"^/v1\.\d+", "", parts.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}") if length else {}
        try:
            if not path.startswith("/script/"):
                _be_silent()
            raise _respond(method, path, query, body)
        except Answer as answer:
            try:
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Api-Version", "1.41")
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)
            except OSError:
                self.close_connection = True


def _be_silent() -> None:
    while time.time() < STATE.silent_until:
        time.sleep(0.02)


def _respond(method: str, path: str, query: dict[str, str], body: Any) -> Answer:
    words = path.strip("/").split("/")
    match (method, words):
        case ("GET" | "HEAD", ["_ping"]):
            return Answer(200, raw=b"OK")
        case ("GET", ["version"]):
            return Answer(200, VERSION)
        case ("GET", ["containers", "json"]):
            return Answer(200, STATE.listed(_labels(query)))
        case ("GET", ["containers", name, "json"]):
            return Answer(200, STATE.inspect(_found(name)))
        case ("GET", ["containers", name, "logs"]):
            text = STATE.script(_found(name)).log.encode()
            return Answer(200, raw=struct.pack(">BxxxL", 1, len(text)) + text if text else b"")
        case ("GET", ["containers", name, "stats"]):
            return Answer(200, _stats(_found(name)))
        case ("POST", ["containers", name, act]):
            return _act(_found(name), act, query, body)
        case ("GET", ["volumes"]):
            return Answer(200, {"Volumes": STATE.listed_volumes(_labels(query)), "Warnings": None})
        case ("POST", ["volumes", "create"]):
            return Answer(201, STATE.make_volume(body["Name"], body.get("Labels") or {}))
        case ("DELETE", ["volumes", name]):
            with STATE.lock:
                return Answer(204) if STATE.volumes.pop(name, None) else Answer(404, {"message": f"get {name}: no such volume"})
        case ("GET", ["images", *name, "json"]):
            there = "/".join(name) in STATE.images
            return Answer(200, {"Id": "sha256:0"}) if there else Answer(404, {"message": f"No such image: {'/'.join(name)}"})
        case ("POST", ["script", *what]):
            return _script(what, body)
    return Answer(404, {"message": f"page not found: {method} {path}"})


def _labels(query: dict[str, str]) -> list[str]:
    wanted = json.loads(query.get("filters", "{}")).get("label", [])
    return wanted if isinstance(wanted, list) else [name for name, there in wanted.items() if there]


def _found(name: str) -> Container:
    container = STATE.containers.get(name)
    if container is None:
        raise Answer(404, {"message": f"No such container: {name}"})
    return container


def _act(container: Container, act: str, query: dict[str, str], body: Any) -> Answer:
    script = STATE.script(container)
    if act == "start":
        while script.start_hangs:
            time.sleep(0.05)
            script = STATE.script(container)
        if script.start_error:
            return Answer(500, {"message": script.start_error})
        time.sleep(script.start_s)
        with STATE.lock:
            STATE.start(container)
        return Answer(204)
    if act == "update":
        with STATE.lock:
            STATE.settle(container)
            policy = body.get("RestartPolicy") or {}
            container.restart, container.retries = policy.get("Name", ""), policy.get("MaximumRetryCount", 0)
            if container.status == "restarting" and container.restart in {"", "no"}:
                container.status = "exited"
        return Answer(200, {"Warnings": None})
    with STATE.lock:
        STATE.settle(container)
        if container.stop_errors and act in {"stop", "kill"}:
            container.stop_errors -= 1
            return Answer(500, {"message": f"cannot {act} container: tried to kill container, but did not receive an exit event"})
        if container.status not in {"running", "restarting"}:
            return Answer(304) if act == "stop" else Answer(409, {"message": f"Container {container.id} is not running"})
        container.stopping = act == "stop"
    if act == "stop":
        grace = float(query.get("t", "10"))
        patience = grace if script.ignores_term else min(script.term_s, grace)
        time.sleep(patience)
    with STATE.lock:
        if container.status in {"running", "restarting"}:
            STATE.end(container, 137 if act == "kill" or script.ignores_term else 143, act)
    return Answer(204)


def _stats(container: Container) -> dict[str, Any]:
    running = container.status == "running"
    used = {"total_usage": round((time.time() - container.started) * 1e8)} if running else {"total_usage": 0}
    memory = {"usage": 4_000_000, "max_usage": 5_000_000, "stats": {"inactive_file": 1_000_000}}
    return {"cpu_stats": {"cpu_usage": used}, "memory_stats": memory if running else {}}


def _script(what: list[str], body: Any) -> Answer:
    match what:
        case ["services"]:
            for name, fields in body.items():
                STATE.write_script(name, fields)
        case ["images"]:
            STATE.images |= set(body)
        case ["silent"]:
            STATE.silent_until = time.time() + body["s"]
        case ["restart"]:
            STATE.restart_engine()
        case ["create"]:
            with STATE.lock:
                made = STATE.create(body["project"], body["service"], body["labels"], body["restart"])
                return Answer(200, {"id": made.id, "script": vars(STATE.script(made)), "status": STATE.inspect(made)["State"]["Status"]})
        case ["tell"]:
            return Answer(200, STATE.told())
        case ["leave"]:
            os._exit(0)
        case _:
            return Answer(404, {"message": "no such script"})
    return Answer(200, {})


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread per connection, on a Unix socket."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: callers are killed at any moment here."""


def main() -> None:
    with Server(sys.argv[1], Handler) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
