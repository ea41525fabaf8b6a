"""Makes `.venv` from the hashed lock, with nothing but Python: `python3 scripts/bootstrap.py [runtime|dev]`.

Says in one line what a machine lacks. Does nothing when the environment is up to date.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCKS = {"runtime": "requirements.lock", "dev": "requirements-dev.lock"}
NETWORK_SIGNS = (
    "NewConnectionError",
    "ProxyError",
    "ReadTimeout",
    "ConnectTimeout",
    "SSLError",
    "No matching distribution",
    "Temporary failure in name",
)


def main() -> int:
    """Bring the environment up to what was asked for; returns the exit code."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "runtime"
    if sys.version_info < (3, 11):  # noqa: UP036  # this file is the one that an older Python may be asked to run
        return complain(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; name another one: make PYTHON=python3.12 prove")
    mark = fingerprint(wanted)
    if any(stamp(kind).exists() and stamp(kind).read_text() == fingerprint(kind) for kind in {wanted, "dev"}):
        return 0
    print(f"Setting up .venv ({LOCKS[wanted]}); the first time takes half a minute or so …", flush=True)
    return make_venv() or install(wanted) or record(wanted, mark)


def stamp(kind: str) -> Path:
    """The file that says which lock the environment was made from."""
    return VENV / f".windlass-{kind}"


def fingerprint(kind: str) -> str:
    """Changes when the environment has to be made again."""
    parts = [(ROOT / LOCKS[kind]).read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode(), str(ROOT).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def make_venv() -> int:
    """Create the virtual environment unless a working one is there."""
    python = VENV / "bin" / "python"
    if python.exists() and subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False).returncode == 0:
        return 0
    shutil.rmtree(VENV, ignore_errors=True)
    done = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return 0
    shutil.rmtree(VENV, ignore_errors=True)
    if "ensurepip" in done.stdout + done.stderr or "No module named venv" in done.stderr:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return complain(f"this Python has no venv; on Debian and Ubuntu: apt install python{version}-venv")
    return complain(f"python -m venv failed: {last_line(done.stderr or done.stdout)}")


def install(wanted: str) -> int:
    """Install the lock, every file checked against its hash, then Windlass itself, editable."""
    pip: list[str] = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    environment = {**os.environ, "PIP_NO_WARN_SCRIPT_LOCATION": "1"}
    for arguments in (["--require-hashes", "-r", LOCKS[wanted]], ["--no-deps", "--no-build-isolation", "-e", "."]):
        done = subprocess.run([*pip, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = done.stderr + done.stdout
            if any(sign in said for sign in NETWORK_SIGNS):
                return complain(
                    f"pip reached no package index; behind a proxy set HTTPS_PROXY, with a mirror PIP_INDEX_URL (pip said: {last_line(said)})"
                )
            return complain(f"pip install failed: {last_line(said)}")
    return 0


def record(wanted: str, mark: str) -> int:
    """Note what was installed, so that the next call returns at once."""
    stamp(wanted).write_text(mark)
    return 0


def last_line(text: str) -> str:
    """The last line that says something."""
    errors = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(errors) if line.startswith("ERROR")), errors[-1] if errors else "nothing")


def complain(message: str) -> int:
    """One line on stderr."""
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
