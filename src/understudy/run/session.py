"""A run with a folder of its own: begun or resumed, learned, kept and handed over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from understudy.run import checkpoint
from understudy.run.folder import RunFolder
from understudy.run.keep import KeepConfig
from understudy.run.loop import Progress, Watcher
from understudy.run.signals import INTERRUPTED, heeding_signals
from understudy.run.stopwatch import Stopwatch
from understudy.run.tensorboard import EventLog
from understudy.run.watch import Keeper, Note, Stateful


class Kept(Protocol):
    """Settings that say what a run writes down."""

    @property
    def keep(self) -> KeepConfig:
        """See `KeepConfig`."""
        ...


class Learning(Protocol):
    """A run that can be kept in a folder: `Cloning`, `Reinforcement`.

    Attributes:
        progress: How far it is.
    """

    progress: Progress

    @property
    def config(self) -> Kept:
        """Its settings."""
        ...

    @property
    def parts(self) -> Mapping[str, Stateful]:
        """Everything with memory, by name."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        ...

    def learn(self, keeper: Keeper | None = None, watchers: Sequence[Watcher] = ()) -> float:
        """Go on to the end, or until somebody stops it; returns CPU-seconds."""
        ...

    def keep_in(self, folder: Path, checkpoints: Path) -> None:
        """Keep what is too much for every checkpoint in files of its own in the run's folder.

        Args:
            folder: The run's.
            checkpoints: Where the checkpoints are that name these files.
        """
        ...

    def leave(self, folder: Path) -> None:
        """Write what came of it into the run's folder."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        steps: Learning steps done.
        cpu_seconds: Spent on learning in this process.
        seconds: The same by the clock on the wall.
        stopped: Why it stopped before the end, None if it did not.
    """

    steps: int
    cpu_seconds: float
    seconds: float
    stopped: str | None

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it; it can be resumed."""
        return self.stopped == INTERRUPTED

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "steps": self.steps,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "stopped": self.stopped,
        }


class Logs:
    """Takes lines of metrics and hands each to everybody who asked for them."""

    def __init__(self) -> None:
        self.takers: list[Note] = []

    def note(self, line: Mapping[str, Any]) -> None:
        """One line, with its `step`."""
        for take in self.takers:
            take(line)


def learn_in(
    folder: RunFolder, run: Learning, logs: Logs, watchers: Sequence[Watcher] = ()
) -> Outcome:
    """Learn to the end in a run's folder, going on from its newest checkpoint if it has one.

    At the end the folder has what the run leaves there, `policy` above all; an interrupted run has
    checkpoints alone.

    Args:
        folder: Where everything is kept.
        run: Freshly made from the folder's settings.
        logs: What the run notes its metrics to.
        watchers: Others who look.

    Raises:
        CheckpointError: A checkpoint cannot be read, or something cannot be written.
    """
    keep = run.config.keep
    run.keep_in(folder.path, folder.checkpoints)
    resumed = folder.load()
    if resumed is not None:
        run.load_state_dict(resumed.state)
    step = None if resumed is None else resumed.step
    with ExitStack() as stack:
        metrics = stack.enter_context(closing(folder.metrics(step or 0)))
        logs.takers.append(metrics.note)
        stopwatch = stack.enter_context(closing(Stopwatch(folder.path, step or 0)))
        if keep.tensorboard:
            events = stack.enter_context(closing(EventLog(folder.tensorboard, step)))
            logs.takers.append(events.note)
        stack.enter_context(heeding_signals(run.progress))
        keeper = Keeper(
            run.parts,
            lambda at, state: checkpoint.save(folder.checkpoints, at, state, keep.checkpoints),
            keep.checkpoint_seconds,
        )
        began = time.monotonic()
        cpu_seconds = run.learn(keeper, [*watchers, stopwatch])
        seconds = time.monotonic() - began
        progress = run.progress
        outcome = Outcome(progress.steps, cpu_seconds, seconds, progress.stop)
        if not outcome.interrupted:
            run.leave(folder.path)
        return outcome
