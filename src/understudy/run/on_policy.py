"""Putting a PPO run together: from an environment to a policy."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt

from understudy.envs.env import Env
from understudy.errors import CheckpointError
from understudy.learners.learner import Metrics
from understudy.learners.ppo import PPO, PPOConfig
from understudy.nets.model import NetConfig, make_model
from understudy.nets.threads import fitting_threads
from understudy.ops.product import Product
from understudy.ops.statistics import iqm
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.run.fresh import Fresh
from understudy.run.loop import Behavior, Progress, Run, Watcher, learn
from understudy.run.policy import Policy
from understudy.run.rollouts import only_behavior
from understudy.run.watch import Log, Note, Stateful
from understudy.terms.term import LossTerm

LAST_EPISODES = 20
"""Finished episodes over which the return of a run is said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnPolicyConfig:
    """Reinforcement learning by PPO, whole."""

    method: Literal["ppo"] = "ppo"
    """How to learn."""
    env: str | None = None
    """Gymnasium id of the environment."""
    seed: Annotated[int, Ge(0)] = 0
    """Of everything that is random."""
    steps: Annotated[int, Gt(0)] = 100_000
    """Steps of the environment in all; the last rollout is finished."""
    rows: Annotated[int, Gt(0)] = 256
    """Rows of a rollout in every slot."""
    net: NetConfig = field(
        default_factory=lambda: NetConfig(hidden=(64, 64), activation="tanh", normalize=False)
    )
    """What policy and critic look like."""
    learner: PPOConfig = field(default_factory=PPOConfig)
    """How they move."""
    extrinsic: ExtrinsicConfig = field(default_factory=ExtrinsicConfig)
    """How the environment's reward counts."""
    log_every: Annotated[int, Gt(0)] = 1000
    """Steps between two lines of metrics."""

    def __post_init__(self) -> None:
        if self.net.memory and self.rows % self.learner.length:
            raise ValueError(
                f"rows={self.rows}: expected a multiple of learner.length={self.learner.length}, "
                "since a memory is trained through windows of that many rows"
            )


class Returns:
    """Says what the last episodes brought. See `Watcher`.

    Attributes:
        last: Returns of the last finished episodes, the newest at the end.
    """

    def __init__(self, source: Fresh, note: Note) -> None:
        """Args: source: where episodes end. note: takes the lines."""
        self.source, self.note = source, note
        self.last: list[float] = []

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`."""
        if self.source.returns:
            self.last = [*self.last, *self.source.returns][-LAST_EPISODES:]
            self.note({"step": progress.steps, "return": float(iqm(np.array(self.last)))})

    def state_dict(self) -> dict[str, Any]:
        """The last returns."""
        return {"last": list(self.last)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.last = [float(x) for x in state["last"]]


class OnPolicy:
    """One PPO run: its parts, and its end.

    Attributes:
        config: Its settings.
        model: Who learns.
        progress: How far it is.
        returns: What the last episodes brought.
    """

    def __init__(
        self,
        env: Env,
        config: OnPolicyConfig,
        note: Note,
        terms: Mapping[str, LossTerm] | None = None,
    ) -> None:
        """Make everything that the run needs, and reset the environment.

        Args:
            env: Where to act; it has one behavior.
            config: The settings.
            note: Takes lines for the log.
            terms: Further losses of the policy, by name.
        """
        self.config = config
        spec = env.behaviors[only_behavior(env)]
        seeds = np.random.SeedSequence(config.seed).spawn(3)
        for_weights, for_order, for_actions = map(np.random.default_rng, seeds)
        signals = {"extrinsic": Extrinsic(config.extrinsic)}
        self.model = make_model(
            spec, Product(spec.action), config.net, for_weights, num_signals=len(signals)
        )
        self.learner = PPO(self.model, signals, terms or {}, config.learner, for_order)
        self.source = Fresh(env, self.model, config.rows, for_actions, config.seed)
        self.progress = Progress(config.steps)
        self.log = Log(note, config.log_every)
        self.returns = Returns(self.source, note)

    @property
    def parts(self) -> dict[str, Stateful]:
        """Everything with memory, by name."""
        return {
            "progress": self.progress,
            "learner": self.learner,
            "source": self.source,
            "log": self.log,
            "returns": self.returns,
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that the run's future depends on, by part."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state, to the same end as without the stop.

        Raises:
            CheckpointError: It is the state of a run with other parts.
            EnvError: The environment is not determined by its seed and actions.
        """
        if set(state) != set(self.parts):
            raise CheckpointError(
                f"the checkpoint is of a run made of {', '.join(sorted(state))}; this one is made "
                f"of {', '.join(sorted(self.parts))}"
            )
        for name, part in self.parts.items():
            part.load_state_dict(state[name])

    def learn(self, watchers: Sequence[Watcher] = ()) -> float:
        """Go on to the end, or until somebody stops it.

        Args:
            watchers: Others who look; they may stop the run.

        Returns:
            CPU-seconds that it took.
        """
        start = time.process_time()
        behaviors = {"agent": Behavior(self.source, self.learner)}
        looks = [self.returns, self.log, *watchers]
        with fitting_threads(len(self.model.flat.value)):
            learn(Run(behaviors, self.progress, looks, self.source.collect))
        return time.process_time() - start

    def policy(self, facts: Mapping[str, Any]) -> Policy:
        """The model as a policy, with its present weights."""
        return Policy(self.model, self.config.net, facts, len(self.learner.signals))
