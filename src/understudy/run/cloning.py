"""Putting a cloning run together: from demonstrations to a policy and what is to be said of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from understudy.data.demos import Demos, Rows
from understudy.data.episode import End, Episode
from understudy.data.spec import ActionSpec, Spec
from understudy.errors import DemoError
from understudy.learners.supervised import Supervised, SupervisedConfig
from understudy.nets.model import Model, NetConfig, make_model
from understudy.nets.threads import fitting_threads
from understudy.ops.product import Product
from understudy.run.held_out import HeldOutReport, report
from understudy.run.keep import KeepConfig
from understudy.run.loop import Behavior, Progress, Run, Watcher, learn
from understudy.run.parts import load_states, states_of
from understudy.run.policy import Policy
from understudy.run.source import Offline, OfflineConfig
from understudy.run.watch import HeldOut, HeldOutConfig, Keeper, Log, Note, Sentry, Stateful
from understudy.terms.clone import Clone, CloneConfig
from understudy.terms.term import LossTerm


@dataclass(frozen=True, kw_only=True, slots=True)
class BCConfig:
    """Behavioral cloning, whole."""

    method: Literal["bc"] = "bc"
    """How to learn."""
    env: str | None = None
    """Gymnasium id of the environment; None learns from the recordings alone."""
    demos: tuple[str, ...] = ()
    """Files or folders of demonstrations."""
    alignment: Literal["auto", "next_record", "same_record"] = "auto"
    """How ML-Agents recordings pair actions with observations."""
    seed: Annotated[int, Ge(0)] = 0
    """Of everything that is random."""
    steps: Annotated[int, Gt(0)] = 4000
    """Updates in all."""
    best: Annotated[float, Gt(0), Le(1)] = 1.0
    """Learn from this share of the episodes only, the best by return."""
    weights: Literal["auto", "last", "best"] = "auto"
    """Which weights the policy keeps: the last, or those that were likest on held-out episodes.
    `auto`: the last where there is an environment, because a few held-out episodes are a poor guide
    to which policy does the task; the best where they are the only witness."""
    net: NetConfig = field(default_factory=NetConfig)
    """What the policy looks like."""
    learner: SupervisedConfig = field(default_factory=SupervisedConfig)
    """How weights move."""
    clone: CloneConfig = field(default_factory=CloneConfig)
    """How closely to do what was shown."""
    source: OfflineConfig = field(default_factory=OfflineConfig)
    """How demonstrations are served."""
    held_out: HeldOutConfig = field(default_factory=HeldOutConfig)
    """How the policy is checked on episodes that it does not learn from."""
    keep: KeepConfig = field(default_factory=KeepConfig)
    """What the run writes down."""


@dataclass(frozen=True, slots=True)
class Split:
    """What is learned from and what is held out.

    Attributes:
        learned, held: Rows of whole episodes; `held` is None if nothing could be held out.
        note: What the reader should know about it.
    """

    learned: Rows
    held: Rows | None
    note: str | None


class Cloning:
    """One behavioral cloning run: its parts, and its end.

    Attributes:
        config: Its settings.
        model: Who learns.
        split: What from.
        progress: How far it is.
        reports: Of the `best` and the `last` weights, once the run has ended.
    """

    def __init__(
        self,
        spec: Spec,
        demos: Demos,
        config: BCConfig,
        note: Note,
        divided: Split | None = None,
        terms: Mapping[str, LossTerm] | None = None,
    ) -> None:
        """Make everything that the run needs.

        Args:
            spec: Of the environment, or of the demonstrations where there is none.
            demos: What was shown.
            config: The settings.
            note: Takes lines for the log.
            divided: What is learned from and what is held out; None to divide at random.
            terms: Further losses, by name.

        Raises:
            DemoError: The demonstrations do not fit the spec, or are empty.
        """
        demos.check_fit(spec)
        self.config, self.spec = config, spec
        seeds = np.random.SeedSequence(config.seed).spawn(3)
        for_split, for_weights, for_order = map(np.random.default_rng, seeds)
        chosen = demos if config.best == 1 else demos.best(config.best)
        self.split = divided or split(chosen, config.held_out.fraction, for_split)
        learned = self.split.learned
        dist = Product(spec.action, *action_units(spec.action, learned))
        self.model: Model = make_model(spec, dist, config.net, for_weights)
        for seen in learned.seen():
            self.model.observe(seen)
        losses = {"clone": Clone(config.clone), **(terms or {})}
        self.learner = Supervised(self.model, losses, config.learner)
        self.source = Offline(learned, self.model, config.source, for_order)
        self.progress = Progress(config.steps)
        self.reports: dict[str, HeldOutReport | None] = {}
        self.log = Log(note, config.keep.log_every)
        self.held_out: HeldOut | None = None
        if self.split.held is not None:
            looks = _in_whole_turns(config.held_out, config.source.turn)
            self.held_out = HeldOut(self.learner, self.split.held, looks, note)

    @property
    def parts(self) -> dict[str, Stateful]:
        """Everything with memory, by name."""
        held = {} if self.held_out is None else {"held_out": self.held_out}
        return {
            "progress": self.progress,
            "learner": self.learner,
            "source": self.source,
            "log": self.log,
            **held,
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that the run's future depends on, by part."""
        return states_of(self.parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state, to the same end as without the stop.

        Raises:
            CheckpointError: It is the state of a run with other settings or demonstrations.
        """
        load_states(self.parts, state)
        # A run that had given up is over, even if it was killed before it could say so.
        if self.held_out is not None:
            self.held_out.give_up(self.progress)

    def learn(self, keeper: Keeper | None = None, watchers: Sequence[Watcher] = ()) -> float:
        """Go on to the end, or until somebody stops it.

        Args:
            keeper: Writes checkpoints.
            watchers: Others who look; they may stop the run.

        Returns:
            CPU-seconds that it took.
        """
        looks: list[Watcher] = [Sentry(self.model.flat)]
        looks += [] if self.held_out is None else [self.held_out]
        # The keeper last: it saves at the end, which any of the others may have called.
        looks += [self.log, *watchers, *([] if keeper is None else [keeper])]
        start = time.process_time()
        with fitting_threads(len(self.model.flat.value)):
            learn(Run({"agent": Behavior(self.source, self.learner)}, self.progress, looks))
        return time.process_time() - start

    @property
    def kept(self) -> Literal["best", "last"]:
        """Which weights the policy keeps, see `BCConfig.weights`."""
        if self.config.weights != "auto":
            return self.config.weights
        return "last" if self.config.env else "best"

    def use(self, which: Literal["best", "last"]) -> None:
        """Give the model the weights of the `best` look at held-out episodes, or the `last` ones.

        Learning cannot go on from here: the learning weights are overwritten. Where nothing was
        looked at yet, the last are the best.
        """
        weights = self.learner.average
        if which == "best" and self.held_out is not None and self.held_out.best_step:
            weights = self.held_out.best_weights
        self.model.flat.value[:] = weights

    def policy(self, facts: Mapping[str, Any] | None = None) -> Policy:
        """The model as a policy, with its present weights.

        Args:
            facts: More about where it comes from than the method, the environment, the seed and
                the steps.
        """
        c = self.config
        known = {"method": c.method, "env": c.env, "seed": c.seed, "steps": self.progress.steps}
        return Policy(self.model, c.net, {**known, **(facts or {})})

    def keep_in(self, folder: Path, checkpoints: Path) -> None:
        """Every checkpoint holds all of it."""

    def leave(self, folder: Path) -> None:
        """Write `policy` with the weights that the settings ask for, `policy-best`, `policy-last`.

        Fills `reports`; at the end the model has the weights of `policy`.
        """
        for which in ("last", "best") if self.kept == "best" else ("best", "last"):
            self.use(which)
            self.reports[which] = self.report()
            steps = self.progress.steps
            if which == "best" and self.held_out is not None:
                steps = self.held_out.best_step
            policy = self.policy({"steps": steps, "weights": which})
            policy.save(folder / f"policy-{which}")
            if which == self.kept:
                policy.save(folder / "policy")

    def report(self) -> HeldOutReport | None:
        """The present weights beside the baselines; None if nothing was held out."""
        if self.split.held is None:
            return None
        return report(self.model, self.split.learned, self.split.held)


def _in_whole_turns(config: HeldOutConfig, turn: int) -> HeldOutConfig:
    """Looks where turns end, so that an interruption in the middle of one adds none."""
    return replace(config, every=-(-config.every // turn) * turn)


def action_units(
    action: ActionSpec, rows: Rows
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    """`[C]` center and scale of coded actions: bounds where they are finite, else what was shown.

    A number that was never varied keeps scale 1; what only rounding varies counts as that.
    """
    by_bounds = Product(action)
    finite = np.isfinite(action.low) & np.isfinite(action.high)
    shown = rows.action.continuous[rows.acted].astype(np.float64)
    std, size = shown.std(0), np.abs(shown).max(0, initial=0)
    center = np.where(finite, by_bounds.center, shown.mean(0))
    scale = np.where(finite, by_bounds.scale, np.where(std > 1e-6 * size, std, 1))
    return center.astype(np.float32), scale.astype(np.float32)


def split(demos: Demos, fraction: float, rng: np.random.Generator) -> Split:
    """Whole episodes held out at random; of a single episode its last part.

    Steps of a policy that was being taught, on which its expert said nothing, are on neither side.

    Args:
        demos: What was shown; episodes without a step are left out.
        fraction: Share to hold out; 0 holds nothing out.
        rng: Chooses the episodes.

    Raises:
        DemoError: Nothing was done in any episode, or nobody said what to do.
    """
    demos = demos.pick(np.flatnonzero(demos.lengths > 0))
    if not len(demos):
        raise DemoError("no step in any episode: there is nothing to learn from")
    if fraction == 0:
        return Split(labeled_rows(demos), None, "nothing was held out, as asked")
    if len(demos) > 1:
        learned, held = demos.split(fraction, rng)
        return _labeled(demos, learned, held, None)
    episode = demos.episodes[0]
    cut = len(episode) - max(1, round(fraction * len(episode)))
    if cut < 1:
        return Split(labeled_rows(demos), None, "nothing was held out: there is a single step")
    first, last = (
        replace(demos, episodes=[piece(episode, a, b)]) for a, b in ((0, cut), (cut, len(episode)))
    )
    return _labeled(
        demos,
        first,
        last,
        f"there is one episode, so its last {len(episode) - cut} steps were held out; they are no "
        "independent test",
    )


def _labeled(demos: Demos, learned: Demos, held: Demos, warning: str | None) -> Split:
    ours, theirs = learned.rows().labeled, held.rows().labeled
    if ours.acted.any() and theirs.acted.any():
        return Split(ours, theirs, warning)
    return Split(labeled_rows(demos), None, "nothing was held out: what was said is on one side")


def labeled_rows(demos: Demos) -> Rows:
    """All rows, `acted` where somebody said what to do.

    Raises:
        DemoError: Nobody did anywhere.
    """
    rows = demos.rows().labeled
    if not rows.acted.any():
        raise DemoError(
            "nobody said what to do in any step: a policy that was being taught did all of it"
        )
    return rows


def piece(episode: Episode, start: int, stop: int) -> Episode:
    """The steps `[start, stop)` as an episode of their own, open unless it has the end."""
    last = stop == len(episode)
    steps = slice(start, stop)
    return replace(
        episode,
        obs={name: x[start : stop + 1] for name, x in episode.obs.items()},
        action=episode.action.at(steps),
        proposed=None if episode.proposed is None else episode.proposed.at(steps),
        reward=None if episode.reward is None else episode.reward[steps],
        acted_by=episode.acted_by[steps],
        end=episode.end if last else End.OPEN,
        final_obs_known=episode.final_obs_known or not last,
    )
