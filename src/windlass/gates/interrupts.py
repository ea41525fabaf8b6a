"""Work that is not on an event loop ends at SIGTERM and at a lost terminal as it does at Ctrl-C: by an exception, so that all is closed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_one() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt inside, where the process is not asked to ignore them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    changed = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in changed}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
