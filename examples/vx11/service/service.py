# ruff: noqa: INP001, T201, S104  # a program of its own, in a container of its own
"""A stand-in for a service of vx11: answers /health, and ends at once when it is asked to."""

import http.server
import json
import os
import signal
import sys


class Answer(http.server.BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """200 for /health, 404 for all else."""
        content = json.dumps({"service": os.environ["SERVICE"], "status": "ok"}).encode()
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Health checks are not worth a line."""


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print(f"{os.environ['SERVICE']} listens on 8000", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Answer).serve_forever()
