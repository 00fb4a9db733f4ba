"""Putting a DAgger run together: rounds of acting, asking an expert, and learning from all it said.

Ross, Gordon and Bagnell (2011), "A Reduction of Imitation Learning and Structured Prediction to
No-Regret Online Learning", algorithm 3.1, arXiv:1011.0686.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen

from understudy.data.actor import Actor
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import Episode
from understudy.data.spec import Spec
from understudy.envs.env import Env
from understudy.errors import DemoError
from understudy.learners.learner import Metrics
from understudy.learners.supervised import SupervisedConfig
from understudy.nets.model import Model, NetConfig
from understudy.nets.threads import fitting_threads
from understudy.run.gates import GateConfig
from understudy.run.keep import KeepConfig
from understudy.run.labels import Labels
from understudy.run.loop import Behavior, Progress, Run, Watcher, learn
from understudy.run.parts import load_states, states_of
from understudy.run.policy import Policy
from understudy.run.pupils import Pupils, Recipe
from understudy.run.rollouts import only_behavior
from understudy.run.rounds import Rounds, Trials
from understudy.run.source import OfflineConfig
from understudy.run.watch import Keeper, Log, Note, Sentry, Stateful
from understudy.terms.clone import Clone, CloneConfig
from understudy.terms.term import LossTerm


@dataclass(frozen=True, kw_only=True, slots=True)
class DAggerConfig:
    """Dataset aggregation with an expert that can be asked, whole."""

    method: Literal["dagger"] = "dagger"
    """How to learn."""
    env: str | None = None
    """Gymnasium id of the environment."""
    demos: tuple[str, ...] = ()
    """Files or folders of demonstrations. Where there are some they are the first round, in which
    nobody is asked."""
    expert: str = "scripted"
    """Who is asked: `scripted`; a run's id or folder, or a policy's; a `FILE.zip` that
    Stable-Baselines3 saved; `human`, a person at the keyboard; or `module:name`, an actor or a
    function of an observation that returns an action, or None to say nothing."""
    seed: Annotated[int, Ge(0)] = 0
    """Of everything that is random."""
    rounds: Annotated[int, Gt(0)] = 8
    """How often to act, ask and learn."""
    labels: Annotated[int, Gt(0)] = 500
    """Steps of a round on which the expert says what to do; with them the round is full."""
    episodes: Annotated[int, Gt(0)] | None = None
    """A round is full after so many finished episodes too; None: labels alone count."""
    most_steps: Annotated[int, Gt(0)] = 10_000
    """Steps of a round at most, where a gate seldom asks or the expert says little."""
    slots: Annotated[int, Gt(0)] = 1
    """How many environments run side by side."""
    beta: Annotated[tuple[Annotated[float, Ge(0), Le(1)], ...], MinLen(1)] = (1.0,)
    """Chance that the expert acts in a step, whatever the gate says, round by round; after the last
    of these it falls by `beta_decay` every round."""
    beta_decay: Annotated[float, Ge(0), Le(1)] = 0.0
    """What is left of `beta` a round later. 0: the expert acts in the first round alone."""
    sampled: bool = False
    """The learner draws its actions while it is taught, instead of taking the likeliest."""
    gate: GateConfig = field(default_factory=GateConfig)
    """Where the expert is asked, and where it acts."""
    start: Literal["anew", "warm"] = "anew"
    """Whether a round is learned with new weights, or goes on from those of the round before."""
    updates: Annotated[int, Gt(0)] = 2000
    """Updates in a round."""
    trials: Annotated[int, Ge(0)] = 5
    """Episodes that are played after every round to see how far the policy is; nothing is learned
    from them."""
    net: NetConfig = field(default_factory=NetConfig)
    """What the policy looks like."""
    learner: SupervisedConfig = field(default_factory=SupervisedConfig)
    """How weights move; the schedule runs over one round."""
    clone: CloneConfig = field(default_factory=CloneConfig)
    """How closely to do what the expert said."""
    source: OfflineConfig = field(default_factory=OfflineConfig)
    """How labels are served."""
    keep: KeepConfig = field(default_factory=lambda: KeepConfig(log_every=500))
    """What the run writes down."""

    @property
    def steps(self) -> int:
        """Updates in all."""
        return self.rounds * self.updates

    def expert_share(self, round_: int) -> float:
        """The chance that the expert acts in a step of a round, whatever the gate says.

        Ross et al. (2011), section 3.1, take 1 in the first round and 0 from then on (`beta=[1]`),
        or the powers of a number (`beta=[1] beta_decay=0.5`); any other schedule is a list.
        """
        known = self.beta
        if round_ < len(known):
            return known[round_]
        return known[-1] * self.beta_decay ** (round_ - len(known) + 1)


class DAgger:
    """One DAgger run: its parts, and its end.

    Attributes:
        config: Its settings.
        labels: What the expert has said.
        pupils: Who learns.
        progress: How many updates are done, over all rounds.
    """

    def __init__(
        self,
        env: Env,
        expert: Actor,
        config: DAggerConfig,
        note: Note,
        *,
        demos: Demos | None = None,
        terms: Mapping[str, LossTerm] | None = None,
    ) -> None:
        """Make everything that the run needs. Nobody is asked yet.

        Args:
            env: Where to act; it has one behavior.
            expert: Who is asked; it may say nothing, see `run.taught.Sparing`.
            config: The settings.
            note: Takes lines for the log.
            demos: What is known in the first round.
            terms: Further losses, by name.

        Raises:
            DemoError: The demonstrations do not fit the environment, or are empty.
        """
        self.env, self.expert, self.config = env, expert, config
        spec = env.behaviors[only_behavior(env)]
        provenance = Provenance(
            format="understudy", env_id=env.env_id, versions=env.versions, actor=config.expert
        )
        self.labels = Labels(spec, provenance)
        if demos is not None:
            self.labels.put(0, _fitting(demos, spec))
        self.pupils = Pupils(
            Recipe(
                spec=spec,
                net=config.net,
                learner=config.learner,
                source=config.source,
                start=config.start,
                updates=config.updates,
                members=config.gate.ensemble,
                seed=config.seed,
            ),
            {"clone": Clone(config.clone), **(terms or {})},
        )
        self.progress = Progress(config.steps)
        self.rounds = Rounds(
            env, expert, config, self.labels, self.pupils, self.progress, note, demos is not None
        )
        self.trials = Trials(env, self.rounds, config.trials, note)
        self.log = Log(note, config.keep.log_every)

    @property
    def model(self) -> Model:
        """Who learns."""
        return self.pupils.model

    @property
    def parts(self) -> dict[str, Stateful]:
        """Everything with memory, by name."""
        # The labels before what has learned from them.
        return {
            "progress": self.progress,
            "labels": self.labels,
            "rounds": self.rounds,
            "log": self.log,
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that the run's future depends on, by part."""
        return states_of(self.parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state, to the same end as without the stop.

        Raises:
            CheckpointError: It is the state of a run with other settings, or labels are gone.
        """
        load_states(self.parts, state)

    def learn(self, keeper: Keeper | None = None, watchers: Sequence[Watcher] = ()) -> float:
        """Go on to the end, or until somebody stops it.

        Args:
            keeper: Writes checkpoints.
            watchers: Others who look; they may stop the run.

        Returns:
            CPU-seconds that it took.

        Raises:
            UnderstudyError: The expert has not said anything yet when there is to be learned.
        """
        start = time.process_time()
        looks: list[Watcher] = [Guarded(self.pupils), self.trials, self.log, *watchers]
        # The keeper last: it saves at the end, which any of the others may have called.
        looks += [] if keeper is None else [keeper]
        with fitting_threads(len(self.model.flat.value)):
            learn(Run({"agent": Behavior(self.rounds, self.pupils)}, self.progress, looks))
        return time.process_time() - start

    def use(self) -> None:
        """Give the model the weights that are kept. Learning cannot go on from here."""
        self.model.flat.value[:] = self.pupils.members[0].learner.average

    def policy(self, facts: Mapping[str, Any] | None = None) -> Policy:
        """The model as a policy, with its present weights.

        Args:
            facts: More about where it comes from than the method, the environment, the expert, the
                seed, the labels and the updates.
        """
        c = self.config
        known = {
            "method": c.method,
            "env": c.env,
            "expert": c.expert,
            "seed": c.seed,
            "labels": self.labels.total,
            "steps": self.progress.steps,
        }
        return Policy(self.model, c.net, {**known, **(facts or {})})

    def keep_in(self, folder: Path, checkpoints: Path) -> None:
        """Labels are written into the run's folder as they are given."""
        self.labels.keep_in(folder)

    def leave(self, folder: Path) -> None:
        """Write the policy into a run's folder."""
        self.use()
        self.policy({"weights": "last"}).save(folder / "policy")


class Guarded:
    """Stops a run in which any policy's weights are no longer finite. See `Watcher`."""

    def __init__(self, pupils: Pupils) -> None:
        """Args: pupils: whose weights are new every round."""
        self.pupils = pupils

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher` and `Sentry`."""
        Sentry(*self.pupils.flats).see(progress, metrics)


def _fitting(demos: Demos, spec: Spec) -> list[Episode]:
    """Their episodes with a step, once it is certain that they fit.

    Raises:
        DemoError: They do not, or there is none.
    """
    demos.check_fit(spec)
    if not demos.num_steps:
        raise DemoError("no step in any episode: there is nothing to learn from")
    return [episode for episode in demos if len(episode)]
