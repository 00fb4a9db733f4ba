"""`time.jsonl`: what a run had cost at which step, over all its sessions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.learners.learner import Metrics
from understudy.run.loop import Progress
from understudy.run.metrics import MetricsFile, read_metrics

TIMES = "time.jsonl"
LEAST_SECONDS, LEAST_SHARE = 0.1, 0.01
"""A line is written when so many seconds, or such a share of all so far, have gone by: a curve over
time is as fine at its beginning as at its end, and a day fills no more than some hundred lines."""


class Stopwatch:
    """Writes down how long a run has taken. See `Watcher`.

    Time that was spent on steps which an interruption lost does not count: it is what the run would
    have taken in one go.
    """

    def __init__(self, folder: Path, resumed_step: int) -> None:
        """Go on from the time at a step.

        Args:
            folder: The run's.
            resumed_step: What was noted later is cut off; 0 for a run that begins.

        Raises:
            CheckpointError: The file cannot be read or written.
        """
        self._file = MetricsFile(folder / TIMES, resumed_step)
        before = [line for line in read_metrics(folder / TIMES) if "cpu_seconds" in line]
        last = before[-1] if before else {}
        self._seconds = float(last.get("seconds", 0.0)) - time.monotonic()
        self._cpu_seconds = float(last.get("cpu_seconds", 0.0)) - time.process_time()
        self._noted = float(last.get("seconds", 0.0))

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`."""
        seconds = self._seconds + time.monotonic()
        waited = seconds - self._noted
        if progress.done or waited >= max(LEAST_SECONDS, LEAST_SHARE * seconds):
            self._noted = seconds
            cpu_seconds = self._cpu_seconds + time.process_time()
            line = {"step": progress.steps, "seconds": seconds, "cpu_seconds": cpu_seconds}
            self._file.note(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def cpu_seconds(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """`[n]` steps and the CPU-seconds at each, from nothing on; None if a run noted none.

    They are those of the run's own process, without environments that have processes of their own.

    Raises:
        CheckpointError: The file is damaged.
    """
    lines = [line for line in read_metrics(folder / TIMES) if "cpu_seconds" in line]
    if not lines:
        return None
    found = np.array([(0, 0), *((line["step"], line["cpu_seconds"]) for line in lines)], np.float64)
    return found[:, 0], found[:, 1]
