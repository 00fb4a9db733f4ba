"""Those who look at a run after every turn: held-out likeness, log, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from annotated_types import Ge, Gt, Lt

from understudy.data.demos import Rows
from understudy.errors import UnderstudyError
from understudy.learners.learner import Metrics
from understudy.learners.supervised import Supervised
from understudy.nets.flat import Flat
from understudy.run.held_out import likeness
from understudy.run.loop import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOutConfig:
    """How the policy is checked on episodes that it does not learn from."""

    fraction: Annotated[float, Ge(0), Lt(1)] = 0.2
    """Share of the episodes that is held out; at least one, unless 0. A single episode lends its
    last part instead."""
    folds: Annotated[int, Ge(0)] = 5
    """Where there is no environment to try the policy in, the report comes from so many further
    runs that each hold out other episodes, so that every episode is judged once; 0 for none."""
    every: Annotated[int, Gt(0)] = 200
    """Updates between two looks, rounded up to whole turns of the source."""
    patience: Annotated[int, Ge(0)] = 0
    """Stop after this many looks without a better one; 0 never stops early."""


Note = Callable[[Mapping[str, Any]], None]
"""Takes one line for the log: names and numbers."""


class HeldOut:
    """Keeps the weights that were likest to what was shown on held-out episodes. See `Watcher`.

    Attributes:
        best_step: When the best look so far was, 0 before the first.
        best_log_prob: What it found, nats per step; -inf before the first.
        best_weights: `[P]` the weights then.
    """

    def __init__(self, learner: Supervised, rows: Rows, config: HeldOutConfig, note: Note) -> None:
        """Args: learner: whose policy. rows: the held-out episodes. config: when. note: the log."""
        self.learner, self.rows, self.config, self.note = learner, rows, config, note
        self.best_step, self.best_log_prob = 0, -math.inf
        self.best_weights = learner.average.copy()
        self._looked = 0

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`."""
        looks = progress.steps // self.config.every
        if looks == self._looked and progress.steps < progress.total:
            return
        self._looked = looks
        with self.learner.averaged():
            found = likeness(self.learner.model, self.rows)
            if found.log_prob > self.best_log_prob:
                self.best_step, self.best_log_prob = progress.steps, found.log_prob
                self.best_weights = self.learner.model.flat.value.copy()
        line = {"step": progress.steps, "held_out/log_prob": found.log_prob}
        if not math.isnan(found.all_right):
            line["held_out/accuracy"] = found.all_right
        if len(found.explained):
            line["held_out/explained"] = float(np.mean(found.explained))
        self.note(line)
        self.give_up(progress)

    def give_up(self, progress: Progress) -> None:
        """Stop the run if it has waited long enough for a better look."""
        c, waited = self.config, progress.steps - self.best_step
        if c.patience and self._looked and waited >= c.patience * c.every:
            progress.stop = (
                f"no better on held-out episodes for {c.patience} looks "
                f"(best at step {self.best_step})"
            )

    def state_dict(self) -> dict[str, Any]:
        """The best so far and when it last looked."""
        return {
            "best_step": self.best_step,
            "best_log_prob": self.best_log_prob,
            "best_weights": self.best_weights.copy(),
            "looked": self._looked,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.best_step, self._looked = int(state["best_step"]), int(state["looked"])
        self.best_log_prob = float(state["best_log_prob"])
        self.best_weights[:] = state["best_weights"]


class Sentry:
    """Stops a run whose weights are no longer finite. See `Watcher`."""

    def __init__(self, *flats: Flat) -> None:
        """Args: flats: the weights to watch."""
        self.flats = flats

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`.

        Raises:
            UnderstudyError: A weight is not finite, or the sum of their squares is not.
        """
        for flat in self.flats:
            if not math.isfinite(float(np.dot(flat.value, flat.value))):
                raise UnderstudyError(
                    f"the weights stopped being finite before step {progress.steps}; "
                    "lower learner.learning_rate, or look for huge numbers in the demonstrations "
                    "(understudy demos show) or the environment (understudy doctor); the last "
                    "checkpoint is from before"
                )


class Log:
    """Writes the last metrics of a behavior now and then. See `Watcher`."""

    def __init__(self, note: Note, every: int) -> None:
        """Args: note: takes the lines. every: steps between two lines."""
        self.note, self.every = note, every
        self._looked = 0

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`."""
        looks = progress.steps // self.every
        if looks == self._looked and progress.steps < progress.total:
            return
        self._looked = looks
        for name, values in metrics.items():
            prefix = f"{name}/" if len(metrics) > 1 else ""
            line = {f"{prefix}{key}": float(value) for key, value in values.items()}
            self.note({"step": progress.steps, **line})

    def state_dict(self) -> dict[str, Any]:
        """When it last looked."""
        return {"looked": self._looked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._looked = int(state["looked"])


class Stateful(Protocol):
    """Anything with memory."""

    def state_dict(self) -> dict[str, Any]:
        """Everything it depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        ...


class Keeper:
    """Saves everything with memory now and then. See `Watcher`.

    When it saves is decided by the clock, which changes nothing in what is learned.
    """

    def __init__(
        self,
        parts: Mapping[str, Stateful],
        save: Callable[[int, dict[str, Any]], object],
        every_seconds: float,
    ) -> None:
        """Args: parts: what to save, by name. save: `(step, state)`. every_seconds: between two."""
        self.parts, self.save, self.every_seconds = parts, save, every_seconds
        self._saved = time.monotonic()

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`."""
        if progress.done or time.monotonic() - self._saved >= self.every_seconds:
            self.save(
                progress.steps, {name: part.state_dict() for name, part in self.parts.items()}
            )
            self._saved = time.monotonic()


class Told:
    """Tells somebody after every turn how many steps are done. See `Watcher`."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        """Args: tell: takes the steps."""
        self.tell = tell

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`."""
        self.tell(progress.steps)
