"""Draws docs/images/prove.svg from a real run: `python scripts/picture.py`. Nothing in it is typed by hand.

The picture names no font file and no host: a page that shows it loads nothing from elsewhere.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs/images/prove.svg"
FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def main() -> int:
    """Run `windlass prove` in an empty directory and draw what it prints; returns its exit code."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([sys.executable, "-m", "windlass", "prove"], cwd=directory, capture_output=True, text=True, check=False)
        printed = done.stdout.replace(f"{Path(directory).resolve()}/", "")
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        return done.returncode
    PICTURE.write_text(drawn(printed), "utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")
    return 0


def drawn(printed: str) -> str:
    """The SVG of a terminal that shows `make prove` and these lines."""
    lines = ["$ make prove", *printed.splitlines()]
    console = Console(record=True, width=max(map(len, lines)) + 1, file=io.StringIO())
    for line in lines:
        console.print(Text(line.rstrip()), no_wrap=True)
    svg = console.export_svg(title="make prove", unique_id="windlass")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family: [^;]+;", f"font-family: {FONTS};", svg)


if __name__ == "__main__":
    sys.exit(main())
