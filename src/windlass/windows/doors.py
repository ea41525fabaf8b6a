"""Listening sockets that are made before the services that inherit them: their ports are known at once, and nobody else can take them."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


class Door:
    """A loopback port of the kernel's choice. Lives until a service has taken its socket, and as a name of the port thereafter."""

    def __init__(self) -> None:
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind((HOST, 0))
        self._listener.listen(2048)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"

    def hand_over(self) -> int:
        """The file descriptor, which is no longer ours to close."""
        return self._listener.detach()

    def close(self) -> None:
        """Close the socket, unless it was handed over."""
        self._listener.close()

    def answers(self) -> bool:
        """Whether anything accepts connections behind it. Blocks, a second at most."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1):
                return True
        except OSError:
            return False
