# ruff: noqa: INP001, T201, S104  # a program of its own, in a container of its own
"""A stand-in for a service of vx11: answers /health on port 8000, and ends at once when it is asked to.

`service.py check` asks for it. A service that is named in BROKEN ends as the original's did: its module is not there.
"""

import os
import signal
import socket
import sys

PORT = 8000
NAME = os.environ["SERVICE"]


def check() -> int:
    """Exit code 0 when the service answers."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=3) as asked:
        asked.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        return 0 if b" 200 " in asked.recv(64) else 1


def serve() -> None:
    """Answer until somebody asks for the end."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415  # the check, every two seconds, needs none of it

    class Answer(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            """200 for /health, 404 for all else."""
            content = f'{{"service": "{NAME}", "status": "ok"}}'.encode()
            self.send_response(200 if self.path == "/health" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Health checks are not worth a line."""

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if NAME in os.environ.get("BROKEN", "").split(","):
        __import__(NAME)
    print(f"{NAME} listens on {PORT}", flush=True)
    ThreadingHTTPServer(("0.0.0.0", PORT), Answer).serve_forever()


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["check"] else serve())
