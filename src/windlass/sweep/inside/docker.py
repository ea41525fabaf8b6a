"""The few words that are said to Docker about somebody's running project. None of them starts, stops, pulls or removes what is theirs.

`run --rm` makes a container of our own, and only where a person has approved it.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from windlass.errors import Unavailable

Verb = Literal["ps", "exec", "inspect", "network ls", "run --rm"]
"""Every verb that is used; the script beside it also says `cp`."""

PATIENCE_S = 60.0
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command said, and with which code it ended. Lives as long as the look at it."""

    code: int
    out: str
    err: str

    @property
    def reason(self) -> str:
        """The last line of its complaint, where the reason is."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[-1][:500] if lines else f"it ended with {self.code} and no word"


@dataclass(frozen=True, kw_only=True)
class Docker:
    """The commands that reach one Compose project. Lives as long as the sweep."""

    files: tuple[str, ...] = ()
    project: str | None = None
    environment: Mapping[str, str] = field(repr=False)

    def compose(self, verb: Verb, *words: str) -> tuple[str, ...]:
        """`docker compose`, as the person means the project."""
        chosen = [word for file in self.files for word in ("--file", file)] + (["--project-name", self.project] if self.project else [])
        return ("docker", "compose", *chosen, *verb.split(), *words)

    def engine(self, verb: Verb, *words: str) -> tuple[str, ...]:
        """`docker` itself."""
        return ("docker", *verb.split(), *words)

    def exec(self, service: str, variables: Sequence[str], *words: str) -> tuple[str, ...]:
        """A command in the service's container; variables are named, so that their values come from the environment and stand in no argv."""
        return self.compose("exec", "-T", *(word for name in variables for word in ("-e", name)), service, *words)

    def one_off(self, network: str, image: str, variables: Sequence[str], *words: str) -> tuple[str, ...]:
        """Python in a container of our own on a network: as nobody, without rights, without a writable file system, and never pulled."""
        bounds = "--interactive --init --pull never --read-only --cap-drop ALL --security-opt no-new-privileges --user 65534:65534 --log-driver none"
        named = [word for name in variables for word in ("-e", name)]
        return self.engine("run --rm", *bounds.split(), "--network", network, *named, "--entrypoint", "python3", image, *words)

    async def ask(self, argv: Sequence[str]) -> Said:
        """Run a command that answers at once; raises Unavailable when there is no such program or it does not end."""
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=self.environment, start_new_session=True
            )
        except FileNotFoundError:
            raise Unavailable("there is no docker command here; install Docker with Compose v2, or sweep from where there is one") from None
        except OSError as failure:
            raise Unavailable(f"docker: can't be run: {failure.strerror}") from failure
        try:
            async with asyncio.timeout(PATIENCE_S):
                out, err = await process.communicate()
        except TimeoutError:
            raise Unavailable(f"docker does not answer within {PATIENCE_S:g} s: {shlex.join(argv[:4])}") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Said(code=process.returncode or 0, out=out[:_LARGEST].decode("utf-8", "replace"), err=err[:_LARGEST].decode("utf-8", "replace"))
