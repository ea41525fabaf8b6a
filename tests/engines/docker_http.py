"""One HTTP POST over a Unix socket."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any


class _Connection(http.client.HTTPConnection):
    def __init__(self, place: Path) -> None:
        super().__init__("engine")
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._place))


def post(place: Path, path: str, body: object = None) -> Any:
    """The JSON answer; raises OSError for any status but 2xx."""
    connection = _Connection(place)
    try:
        connection.request("POST", path, json.dumps(body or {}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise OSError(f"{path}: {answer.status} {content.decode()}")
    return json.loads(content) if content else {}
