"""A run in which the model acts: its parts, and its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from understudy.learners.learner import Learner
from understudy.nets.flat import Flat
from understudy.nets.model import Model, NetConfig
from understudy.nets.threads import fitting_threads
from understudy.rewards.signal import RewardSignal
from understudy.run.average import Average
from understudy.run.keep import KeepConfig
from understudy.run.loop import Behavior, Progress, Run, Watcher, learn
from understudy.run.parts import load_states, states_of
from understudy.run.policy import Policy
from understudy.run.recovered import leave_rewards
from understudy.run.returns import Returns
from understudy.run.source import Offline, Source
from understudy.run.watch import Keeper, Log, Note, Sentry, Stateful

AVERAGE = "policy-average"
"""Where in a run's folder the policy with averaged weights is, beside the one with the last."""


class ActingConfig(Protocol):
    """What the settings of every such run have."""

    @property
    def method(self) -> str:
        """How to learn."""
        ...

    @property
    def env(self) -> str | None:
        """The environment's id."""
        ...

    @property
    def seed(self) -> int:
        """Of everything that is random."""
        ...

    @property
    def steps(self) -> int:
        """Of the environment in all."""
        ...

    @property
    def net(self) -> NetConfig:
        """What the policy looks like."""
        ...

    @property
    def average(self) -> int:
        """Steps over which weights are averaged into a second policy; 0 for none."""
        ...

    @property
    def keep(self) -> KeepConfig:
        """What is written down."""
        ...


class ActingSource(Source, Protocol):
    """A source that acts.

    Attributes:
        returns: Sums of rewards of the episodes that ended in the last turn.
        note: What the reader should know about how it was resumed; None if there is nothing.
    """

    returns: list[float]
    note: str | None

    def keep_in(self, folder: Path, checkpoints: Path) -> None:
        """Let checkpoints name rows that are written once, where there are many.

        Args:
            folder: For the rows.
            checkpoints: Where the checkpoints are; rows that none of them names are removed.
        """
        ...

    def collect(self) -> int:
        """Act for a turn; returns how many actions were taken."""
        ...


class SignalLearner(Learner, Protocol):
    """A learner that seeks reward."""

    @property
    def signals(self) -> Mapping[str, RewardSignal]:
        """What it is rewarded for, by name."""
        ...


class Reinforcement:
    """One run of reinforcement learning. `on_policy` and `off_policy` make them.

    Attributes:
        config: Its settings.
        model: Who learns.
        learner: How.
        source: From what.
        progress: How far it is.
        returns: What the last episodes brought.
        average: Its weights averaged on the way, where that was asked for.
    """

    def __init__(
        self,
        config: ActingConfig,
        model: Model,
        learner: SignalLearner,
        source: ActingSource,
        note: Note,
        *,
        flats: Sequence[Flat],
        heads: int,
        shown: Offline | None = None,
    ) -> None:
        """Put the run together.

        Args:
            config: Its settings.
            model: Who learns.
            learner: How.
            source: From what.
            note: Takes lines for the log.
            flats: All weights that learn.
            heads: How many value heads the model has.
            shown: Demonstrations that a term of the learner draws from.
        """
        self.config, self.model, self.learner, self.source = config, model, learner, source
        self.progress = Progress(config.steps)
        self.log = Log(note, config.keep.log_every)
        self.returns = Returns(source, note)
        self.average = Average(model.flat, config.average) if config.average else None
        self._flats, self._heads, self._shown = flats, heads, shown

    @property
    def parts(self) -> dict[str, Stateful]:
        """Everything with memory, by name."""
        shown = {} if self._shown is None else {"shown": self._shown}
        average = {} if self.average is None else {"average": self.average}
        return {
            "progress": self.progress,
            "learner": self.learner,
            "source": self.source,
            "log": self.log,
            "returns": self.returns,
            **shown,
            **average,
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that the run's future depends on, by part."""
        return states_of(self.parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state, to the same end as without the stop.

        Raises:
            CheckpointError: It is the state of a run with other settings.
            EnvError: The environment is not determined by its seed and actions.
        """
        load_states(self.parts, state)

    def learn(self, keeper: Keeper | None = None, watchers: Sequence[Watcher] = ()) -> float:
        """Go on to the end, or until somebody stops it.

        Args:
            keeper: Writes checkpoints.
            watchers: Others who look; they may stop the run.

        Returns:
            CPU-seconds that it took.
        """
        start = time.process_time()
        behaviors = {"agent": Behavior(self.source, self.learner)}
        looks: list[Watcher] = [Sentry(*self._flats), self.returns, self.log, *watchers]
        looks += [] if self.average is None else [self.average]
        # The keeper last: it saves at the end, which any of the others may have called.
        looks += [] if keeper is None else [keeper]
        with fitting_threads(len(self.model.flat.value)):
            learn(Run(behaviors, self.progress, looks, self.source.collect))
        return time.process_time() - start

    def policy(self, facts: Mapping[str, Any] | None = None) -> Policy:
        """The model as a policy, with its present weights.

        Args:
            facts: More about where it comes from than the method, the environment, the seed and
                the steps.
        """
        c = self.config
        known = {"method": c.method, "env": c.env, "seed": c.seed, "steps": self.progress.steps}
        known |= facts or {}
        return Policy(self.model, c.net, known, self._heads)

    @property
    def note(self) -> str | None:
        """What the reader should know about how it was resumed; None if there is nothing."""
        return self.source.note

    def keep_in(self, folder: Path, checkpoints: Path) -> None:
        """Keep what was remembered in files that are written once; see `ActingSource`."""
        self.source.keep_in(folder / "replay", checkpoints)

    def leave(self, folder: Path) -> None:
        """Write the policy, and rewards that were recovered, into a run's folder."""
        policy = self.policy({"weights": "last"})
        policy.save(folder / "policy")
        if self.average is not None:
            with self.average.used():
                self.policy({"weights": "average"}).save(folder / AVERAGE)
        leave_rewards(self.learner.signals, folder, policy.facts)
