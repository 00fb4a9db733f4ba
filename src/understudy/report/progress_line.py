"""One line that says how far a run is, how fast it goes and when it will be done."""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TextIO

from understudy.report.plain import can_say, on_terminal, printable, said

REDRAW_SECONDS = 0.1
"""On a terminal: no oftener than the eye can follow."""
LINE_SECONDS, LINE_FRACTION, LEAST_SECONDS = 10.0, 0.1, 1.0
"""Elsewhere: a line every ten seconds or tenth of the run, and never two within a second."""
WINDOW_SECONDS = 15.0
"""The rate is that of the last seconds, so it follows a machine that gets busier."""
BAR = 20


class ProgressLine:
    """Says how far a run is: one changing line on a terminal, a plain line now and then elsewhere.

    Example:
        `line = ProgressLine(3000)`, then `line.see(200, {"loss": 0.31})` as often as you like, and
        `line.close()` at the end.
    """

    def __init__(
        self,
        total: int,
        quiet: bool = False,
        stream: TextIO | None = None,
        *,
        label: str = "",
        unit: str = "steps",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Say nothing yet.

        Args:
            total: How many in all; 0 if nobody knows.
            quiet: Never say anything.
            stream: Where; None for standard error, so that it never mixes with results.
            label: What is being done.
            unit: Of what there are `total`.
            clock: Seconds.
        """
        self.total, self.quiet = total, quiet
        self.stream: TextIO = stream or sys.stderr
        self.label, self.unit, self.clock = printable(label), printable(unit), clock
        self.live = on_terminal(self.stream)
        self._bar = can_say(self.stream, "━")
        self._began: tuple[float, int] | None = None
        self._recent: deque[tuple[float, int]] = deque()
        self._last_time, self._last_step = -1e9, 0
        self._step, self._extra = 0, dict[str, float]()
        self._width, self._dirty, self._closed = 0, False, False

    def see(self, step: int, extra: Mapping[str, float] | None = None) -> None:
        """Note that `step` steps are done; `extra` figures stay until they are replaced."""
        now = self.clock()
        if self._began is None:
            # A resumed run begins in the middle: what was done before says nothing of the rate.
            self._began = (now, step)
            self._last_time, self._last_step = (now if not self.live else -1e9), step
        self._step = step
        self._extra.update(extra or {})
        self._recent.append((now, step))
        while len(self._recent) > 2 and now - self._recent[0][0] > WINDOW_SECONDS:
            self._recent.popleft()
        self._dirty = True
        if not self.quiet and self._due(now, step):
            self._say(now)

    def close(self) -> None:
        """Say where it ended, and end the line. Twice is once."""
        if self._closed or self._began is None:
            return
        self._closed = True
        if self.quiet:
            return
        if self._dirty:
            self._say(self.clock())
        if self.live:
            self.stream.write("\n")
            self.stream.flush()

    @property
    def rate(self) -> float | None:
        """Steps per second lately; None before it can be known."""
        if len(self._recent) < 2:
            return None
        (t0, s0), (t1, s1) = self._recent[0], self._recent[-1]
        return (s1 - s0) / (t1 - t0) if t1 > t0 and s1 > s0 else None

    def _due(self, now: float, step: int) -> bool:
        waited = now - self._last_time
        if self.live:
            return waited >= REDRAW_SECONDS
        far = bool(self.total) and step - self._last_step >= LINE_FRACTION * self.total
        return waited >= LINE_SECONDS or (far and waited >= LEAST_SECONDS)

    def _say(self, now: float) -> None:
        text = said(self.words(now), self.stream)
        if self.live:
            text = text[: max(20, shutil.get_terminal_size((100, 24)).columns - 1)]
            # Spaces wipe what is left of a longer line: they work where escape codes do not.
            self.stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self.stream.write(text + "\n")
        self.stream.flush()
        self._last_time, self._last_step, self._dirty = now, self._step, False

    def words(self, now: float) -> str:
        """The line, as of `now`."""
        parts = [self.label]
        if self.total:
            fraction = min(1.0, self._step / self.total)
            if self.live and self._bar:
                done = round(BAR * fraction)
                parts.append("━" * done + "─" * (BAR - done))
            parts.append(f"{100 * fraction:3.0f}%  {self._step:,}/{self.total:,} {self.unit}")
        else:
            parts.append(f"{self._step:,} {self.unit}")
        parts.append(self._pace(now))
        parts += [f"{printable(name)} {_figure(value)}" for name, value in self._extra.items()]
        return "  ".join(p for p in parts if p)

    def _pace(self, now: float) -> str:
        began, first = self._began or (now, 0)
        if self.total and self._step >= self.total:
            seconds = now - began
            whole = (self._step - first) / seconds if seconds > 0 else 0.0
            return (
                f"{_speed(whole)}  took {duration(seconds)}"
                if whole
                else f"took {duration(seconds)}"
            )
        rate = self.rate
        if rate is None:
            return ""
        left = f"  {duration((self.total - self._step) / rate)} left" if self.total else ""
        return _speed(rate) + left


def _speed(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"


def duration(seconds: float) -> str:
    """Seconds for people: `4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds < 0.95 or seconds % 1 >= 0.05 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def _figure(value: float) -> str:
    return f"{float(value):.3g}".replace("-", "−")
