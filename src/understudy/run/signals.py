"""Being told to stop: the first time after the present update, the second time at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from understudy.run.loop import Progress

INTERRUPTED = "interrupted"


@contextmanager
def heeding_signals(progress: Progress) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM set `progress.stop`; a second one raises KeyboardInterrupt.

    Signals can only be heard in the main thread; elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if progress.stop == INTERRUPTED:
            raise KeyboardInterrupt
        progress.stop = INTERRUPTED

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: not set from Python, so Python cannot set it again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
