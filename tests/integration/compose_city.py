"""Agents in a container of their own, by the standard library: honest ones and hostile ones, each under its path. Run, not imported."""

from __future__ import annotations

import http.server
import json
import time


class City(http.server.BaseHTTPRequestHandler):
    """Answers `/<who>/agents/run/sync`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        who = self.path.split("/")[1]
        text = asked.get("inputs", {}).get("text")
        answer = {"status": "ok", "ok": True, "request_id": asked["request_id"], "task_type": asked["task_type"], "outputs": {}, "error": None}
        if text is None:
            answer |= {"status": "error", "ok": False, "error": {"code": "VALIDATION_ERROR", "message": "text: is required"}}
        else:
            answer["outputs"] = {"words": len(text.split()), "of": text}
        if who == "slow":
            time.sleep(0.25)
        if who == "echo":
            answer["outputs"]["seen"] = dict(self.headers.items())
        if who == "huge":
            answer["outputs"]["padding"] = "x" * 30_000_000
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("0.0.0.0", 8080), City).serve_forever()  # a container's own network
