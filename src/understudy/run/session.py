"""A cloning run with a folder of its own: begun or resumed, learned, kept and handed over."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

from understudy.run import checkpoint
from understudy.run.cloning import Cloning
from understudy.run.folder import RunFolder
from understudy.run.held_out import HeldOutReport
from understudy.run.loop import Watcher
from understudy.run.signals import INTERRUPTED, heeding_signals
from understudy.run.tensorboard import EventLog
from understudy.run.watch import Keeper, Note


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        steps: Updates done.
        cpu_seconds: Spent on learning in this process.
        seconds: The same by the clock on the wall.
        stopped: Why it stopped before the end, None if it did not.
        best_step: The look at held-out episodes whose weights were kept; None without any.
        best, last: The best weights by that measure and the last ones, beside the baselines; None
            if nothing was held out.
        weights: Which of them the policy has.
        folds: Where there is no environment, the same from several runs that each held out other
            episodes: what to believe. None if it was not made.
        note: What the reader should know about what was held out.
    """

    steps: int
    cpu_seconds: float
    seconds: float
    stopped: str | None
    best_step: int | None
    best: HeldOutReport | None
    last: HeldOutReport | None
    weights: str
    folds: HeldOutReport | None
    note: str | None

    @property
    def held_out(self) -> HeldOutReport | None:
        """What to believe: all folds, else the policy's weights on the episodes held out."""
        return self.folds or (self.best if self.weights == "best" else self.last)

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
            "best_step": self.best_step,
            "best": None if self.best is None else self.best.to_json(),
            "last": None if self.last is None else self.last.to_json(),
            "weights": self.weights,
            "held_out": None if self.held_out is None else self.held_out.to_json(),
            "folds": self.folds is not None,
            "note": self.note,
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
    folder: RunFolder, cloning: Cloning, logs: Logs, watchers: Sequence[Watcher] = ()
) -> Outcome:
    """Learn to the end in a run's folder, going on from its newest checkpoint if it has one.

    At the end the folder has `policy` with the weights that the settings ask for (the last, or the
    best on held-out episodes) and `policy-best` and `policy-last` with each of them; an
    interrupted run has checkpoints alone.

    Args:
        folder: Where everything is kept.
        cloning: The run, freshly made from the folder's settings; at the end its model has the
            weights of `policy`.
        logs: What `cloning` notes its metrics to.
        watchers: Others who look.

    Raises:
        CheckpointError: A checkpoint cannot be read, or something cannot be written.
    """
    keep = cloning.config.keep
    resumed = folder.load()
    if resumed is not None:
        cloning.load_state_dict(resumed.state)
    step = None if resumed is None else resumed.step
    with ExitStack() as stack:
        metrics = stack.enter_context(closing(folder.metrics(step or 0)))
        logs.takers.append(metrics.note)
        if keep.tensorboard:
            events = stack.enter_context(closing(EventLog(folder.tensorboard, step)))
            logs.takers.append(events.note)
        stack.enter_context(heeding_signals(cloning.progress))
        keeper = Keeper(
            cloning.parts,
            lambda at, state: checkpoint.save(folder.checkpoints, at, state, keep.checkpoints),
            keep.checkpoint_seconds,
        )
        began = time.monotonic()
        cpu_seconds = cloning.learn(keeper, tuple(watchers))
        seconds = time.monotonic() - began
        return _hand_over(folder, cloning, cpu_seconds, seconds)


def _hand_over(folder: RunFolder, cloning: Cloning, cpu_seconds: float, seconds: float) -> Outcome:
    """Save the policies, and say what the run came to."""
    progress, held = cloning.progress, cloning.held_out
    reports: dict[str, HeldOutReport | None] = {"last": None, "best": None}
    if progress.stop != INTERRUPTED:
        wanted = cloning.kept
        for which in ("last", "best") if wanted == "best" else ("best", "last"):
            cloning.use(which)
            reports[which] = cloning.report()
            cloning.policy(facts(cloning, which)).save(folder.path / f"policy-{which}")
        cloning.policy(facts(cloning, wanted)).save(folder.policy)
    return Outcome(
        steps=progress.steps,
        cpu_seconds=cpu_seconds,
        seconds=seconds,
        stopped=progress.stop,
        best_step=None if held is None else held.best_step,
        best=reports["best"],
        last=reports["last"],
        weights=cloning.kept,
        folds=None,
        note=cloning.split.note,
    )


def facts(cloning: Cloning, which: str) -> dict[str, Any]:
    """Where a policy came from, as JSON values."""
    config, held = cloning.config, cloning.held_out
    at_best = which == "best" and held is not None
    return {
        "method": config.method,
        "env": config.env,
        "seed": config.seed,
        "steps": held.best_step if at_best and held else cloning.progress.steps,
        "weights": which,
    }
