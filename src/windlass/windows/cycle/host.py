"""What the host is loaded with, from /proc; None for what this system does not say."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


class Host:
    """The load between one look and the next. Lives as long as its cycle."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._before = self._times()

    def cpu(self) -> float | None:
        """Percent of all processors' time that was not idle since the last look; None at the first."""
        before, self._before = self._before, self._times()
        if before is None or self._before is None:
            return None
        total, idle = self._before[0] - before[0], self._before[1] - before[1]
        return None if total <= 0 else round(100 * (1 - idle / total), 1)

    def memory(self) -> float | None:
        """Percent of memory that is not available."""
        try:
            rows = dict(line.split(":", 1) for line in (self._proc / "meminfo").read_text().splitlines() if ":" in line)
            total, available = (float(rows[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        except (OSError, KeyError, ValueError, IndexError):
            return None
        return round(100 * (1 - available / total), 1)

    def pressure(self) -> dict[str, float]:
        """Percent of the last ten seconds in which something waited for CPU, memory or disk (PSI); empty where the kernel has none."""
        found = {}
        for name in ("cpu", "memory", "io"):
            try:
                line = (self._proc / "pressure" / name).read_text().splitlines()[0]
                found[name] = float(line.split("avg10=")[1].split()[0])
            except (OSError, ValueError, IndexError):
                continue
        return found

    def _times(self) -> tuple[float, float] | None:
        try:
            fields = [float(word) for word in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        return (sum(fields), fields[3] + fields[4]) if len(fields) > 4 else None  # idle and iowait are the fourth and fifth
