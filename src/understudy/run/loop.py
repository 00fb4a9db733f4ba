"""The loop: gather, learn, look; until it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from understudy.data.batch import Batch
from understudy.errors import NonFiniteError
from understudy.learners.learner import Learner, Metrics
from understudy.run.source import Source


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes:
        total: Learning steps in all: steps of the environment, or updates where nothing acts.
        steps: Learning steps done.
        stop: Why to stop before `total`, in words; None to go on.
    """

    total: int
    steps: int = 0
    stop: str | None = None

    @property
    def fraction(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        return min(1.0, self.steps / self.total) if self.total else 1.0

    @property
    def done(self) -> bool:
        """Whether there is nothing more to do."""
        return self.stop is not None or self.steps >= self.total

    def state_dict(self) -> dict[str, Any]:
        """How far; a resumed run may have another total, and does not stop for the old reason."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.steps = int(state["steps"])


@dataclass(frozen=True, slots=True)
class Behavior:
    """Who learns one behavior, and from what."""

    source: Source
    learner: Learner


class Watcher(Protocol):
    """Looks at a run after every turn: logs, keeps, stops. It changes no weights."""

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """Look at the last metrics of every behavior; may set `progress.stop`."""
        ...


@dataclass(slots=True)
class Run:
    """Everything that one run is made of.

    Attributes:
        behaviors: By name.
        progress: How far it is.
        watchers: Who looks, in this order.
        collect: Gathers experience into the sources and returns how many steps that took; None
            where nothing acts, and then every update is a step.
    """

    behaviors: Mapping[str, Behavior]
    progress: Progress
    watchers: Sequence[Watcher] = field(default_factory=list)
    collect: Callable[[], int] | None = None


def learn(run: Run) -> Progress:
    """Go on until every step is done or somebody says stop; a stop is heeded between updates.

    Raises:
        NonFiniteError: What is learned from is not finite; says what, and at which step. No weight
            was moved by it.
        RuntimeError: Nothing acts and no source has a batch, so the run would never end.
    """
    progress = run.progress
    while not progress.done:
        if run.collect is not None:
            progress.steps += run.collect()
        metrics: dict[str, Metrics] = {}
        for name, behavior in run.behaviors.items():
            for batch in _batches(run, behavior.source):
                metrics[name] = _update(behavior.learner, batch, progress)
                progress.steps += run.collect is None
                if progress.stop is not None:
                    break
        # A source may be told to stop while it makes its batches.
        if run.collect is None and not metrics and progress.stop is None:
            raise RuntimeError("nothing acts, and no source has a batch to learn from")
        for watcher in run.watchers:
            watcher.see(progress, metrics)
    return progress


def _update(learner: Learner, batch: Batch, progress: Progress) -> Metrics:
    try:
        return learner.update(batch, progress.fraction)
    except NonFiniteError as error:
        raise NonFiniteError(
            f"step {progress.steps}: {error}; nothing was learned from it, and the last checkpoint "
            "is from before"
        ) from error


def _batches(run: Run, source: Source) -> Iterator[Batch]:
    """A turn's batches; where an update is a step, no more than there are steps left."""
    left = None if run.collect is not None else run.progress.total - run.progress.steps
    return islice(source.batches(), left)
