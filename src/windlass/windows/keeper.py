"""The keeper program: `python -I -S /path/to/keeper.py NAME < order`. Ends the one service that it starts by its deadline, whoever else dies.

It leaves its starter (own session, re-parented), so it has no part in its starter's fate. It exits 0 once the service runs, or once
its state file says why it does not; the keeper itself goes on behind. NAME is only for people who read `ps`. It imports the standard
library and Windlass's own light modules, because each window waits for it to start.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))  # -I and -S leave only the standard library to import from

from windlass.windows import keeping, orders


def main() -> int:
    """Read the order, go behind, keep the service; the process that was started returns when the service has."""
    order = orders.parse(sys.stdin.buffer.read())
    hear, tell = os.pipe()
    if os.fork():
        os.close(tell)
        return 0 if os.read(hear, 1) else 1
    os.close(hear)
    os.setsid()
    os.chdir("/")
    keeping.Keeping(order).keep(told=lambda: _release(tell))
    return 0


def _release(tell: int) -> None:
    os.write(tell, b"1")
    os.close(tell)


if __name__ == "__main__":
    sys.exit(main())
