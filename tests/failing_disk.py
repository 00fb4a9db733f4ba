"""A disk of which any one call fails, or at any one call of which the process or the power dies."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import CheckpointError
from understudy.run import files

NAMES = [name for name in vars(files.Disk) if not name.startswith("_")]


class KilledError(BaseException):
    """Here the process dies: nothing that follows is done."""


class FailingDisk(files.Disk):
    """Lets the call of this number fail; `KILL` lets it and all that follow never happen.

    A failing write has written half. When the power fails, what was not synced is lost too.
    """

    def __init__(self, number: int, code: int) -> None:
        self.number, self.code = number, code
        self.calls = 0
        self.unsynced: dict[int, Path] = {}

    def __getattribute__(self, name: str) -> Any:
        if name not in NAMES:
            return super().__getattribute__(name)
        return lambda *arguments: self.call(name, arguments)

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        self.calls += 1
        if self.calls == self.number or (self.calls > self.number and self.code in (KILL, POWER)):
            if name == "write" and self.calls == self.number:
                os.write(arguments[0], arguments[1][: len(arguments[1]) // 2])
            if self.code in (KILL, POWER):
                raise KilledError
            if name == "close":
                os.close(arguments[0])
            raise OSError(self.code, os.strerror(self.code))
        got = getattr(files.Disk, name)(self, *arguments)
        if name in ("create", "append_to"):
            self.unsynced[got] = arguments[0]
        if name == "sync":
            del self.unsynced[arguments[0]]
        return got

    def cut_power(self) -> None:
        """Lose what was not synced: half of every such file, wherever it was renamed to."""
        for descriptor in self.unsynced:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)


KILL, POWER = -1, -2
FAULTS = {"full": errno.ENOSPC, "broken": errno.EIO, "killed": KILL, "power": POWER}


def each_call_failing(
    monkeypatch: pytest.MonkeyPatch, code: int, act: Callable[[], object]
) -> Iterator[bool]:
    """Act again and again, letting the first call fail, then the second, ...; ends after success.

    Yields:
        Whether the act succeeded; the disk is in order by then.
    """
    for number in range(1, 500):
        failing = FailingDisk(number, code)
        monkeypatch.setattr(files, "disk", failing)
        done, expected = False, KilledError if code in (KILL, POWER) else CheckpointError
        try:
            act()
            done = True
        except expected:
            pass
        if code == POWER and not done:
            failing.cut_power()
        monkeypatch.setattr(files, "disk", files.Disk())
        yield done
        if failing.calls < number:
            return
    raise AssertionError("it never succeeded")
