"""How well a policy does what was shown, on episodes that it has not learned from.

Every figure stands beside two actors that cannot be good by accident: one that always does the
commonest thing, and one that knows nothing but its previous action. A policy that does not beat
them has learned nothing from what it sees, however high its accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.demos import Rows
from understudy.nets.model import Model
from understudy.ops.product import LOG_2PI, Product
from understudy.run.source import BLOCK_ROWS, remembered, runs_of


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How an actor's most likely actions compare with what was shown.

    Attributes:
        log_prob: Mean log-likelihood of what was shown, nats per step, continuous actions in the
            units of the environment.
        accuracy: `[K]` share of steps with the shown choice, by branch.
        all_right: Share of steps on which every branch had the shown choice; nan without branches.
        rmse: `[C]` root of the mean squared error, by continuous number.
        explained: `[C]` share of the shown actions' variance that is explained (R squared): 1 is
            perfect, 0 is no better than always doing the mean. Of a number that was never varied
            there is nothing to explain: 1 if it is exactly right, else 0.
    """

    log_prob: float
    accuracy: NDArray[np.float64]
    all_right: float
    rmse: NDArray[np.float64]
    explained: NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values; absent figures are None."""
        return {
            "log_prob": self.log_prob,
            "accuracy": self.accuracy.tolist(),
            "all_right": None if math.isnan(self.all_right) else self.all_right,
            "rmse": self.rmse.tolist(),
            "explained": self.explained.tolist(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutReport:
    """A policy and its baselines on episodes that were held out.

    Attributes:
        policy: The policy.
        commonest: Always the commonest choice and the mean of every number, as shown for learning.
        previous: Repeats the shown previous action; its likelihood knows how often that is right.
        training: The policy on what it has learned from; much better than `policy` means that it
            has learned by heart.
        confusion: By branch, `[shown, done]` counts on the held-out steps.
        steps: How many steps were held out.
        episodes: How many episodes.
    """

    policy: Likeness
    commonest: Likeness
    previous: Likeness
    training: Likeness
    confusion: tuple[NDArray[np.int64], ...]
    steps: int
    episodes: int

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "steps": self.steps,
            "episodes": self.episodes,
            "policy": self.policy.to_json(),
            "commonest": self.commonest.to_json(),
            "previous": self.previous.to_json(),
            "training": self.training.to_json(),
            "confusion": [c.tolist() for c in self.confusion],
        }


def look_at(model: Model, rows: Rows) -> NDArray[np.float32]:
    """`[R, P]` the policy's head on every row, its memory running through every episode."""
    runs = runs_of(rows)
    state = remembered(model, rows.obs, rows.fresh, runs) if model.memory else {}
    heads = []
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        head, _, _ = model.look(
            model.place({name: x[None, block] for name, x in rows.obs.items()}),
            model.place({name: s[block] for name, s in state.items()}),
            rows.fresh[None, block],
        )
        heads.append(np.asarray(head)[0])
    return np.concatenate(heads)


def likeness(model: Model, rows: Rows) -> Likeness:
    """How like what was shown the model acts."""
    return _done_by(model, rows).likeness


def report(model: Model, learned: Rows, held: Rows) -> HeldOutReport:
    """The model and both baselines on `held`, the baselines made from `learned`."""
    return pooled([judged(model, learned, held)])


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What one actor does where something else was shown.

    Attributes:
        shown, done: `[n, ...]` actions.
        log_prob: `[n]` log-likelihood of what was shown, in the environment's units.
    """

    shown: Action
    done: Action
    log_prob: NDArray[np.float64]

    @property
    def likeness(self) -> Likeness:
        """How like what was shown that is."""
        right = self.shown.discrete == self.done.discrete
        error = self.done.continuous.astype(np.float64) - self.shown.continuous
        squared = (error**2).mean(0)
        variance = self.shown.continuous.astype(np.float64).var(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            constant = np.where(squared > 0, 0.0, 1.0)
            explained = np.where(variance > 0, 1 - squared / variance, constant)
        return Likeness(
            log_prob=float(self.log_prob.mean()),
            accuracy=right.mean(0),
            all_right=float(right.all(1).mean()) if right.shape[1] else math.nan,
            rmse=np.sqrt(squared),
            explained=explained,
        )

    @classmethod
    def join(cls, several: Sequence[Done]) -> Done:
        """All steps of several, one after the other."""
        return cls(
            Action.join([d.shown for d in several]),
            Action.join([d.done for d in several]),
            np.concatenate([d.log_prob for d in several]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a policy and its baselines do, step by step; see `HeldOutReport`."""

    policy: Done
    commonest: Done
    previous: Done
    training: Done
    branches: tuple[int, ...]
    episodes: int


def judged(model: Model, learned: Rows, held: Rows) -> Judged:
    """The model and both baselines on every step of `held`, and the model on `learned`."""
    return Judged(
        policy=_done_by(model, held),
        commonest=_commonest(model.dist, learned, held),
        previous=_previous(model.dist, learned, held),
        training=_done_by(model, learned),
        branches=model.dist.branches,
        episodes=int(held.fresh.sum()),
    )


def pooled(several: Sequence[Judged]) -> HeldOutReport:
    """One report over the steps of all of them, as if one policy had done them."""
    policy = Done.join([j.policy for j in several])
    confusion: list[NDArray[np.int64]] = []
    for k, size in enumerate(several[0].branches):
        counts = np.zeros((size, size), np.int64)
        np.add.at(counts, (policy.shown.discrete[:, k], policy.done.discrete[:, k]), 1)
        confusion.append(counts)
    return HeldOutReport(
        policy=policy.likeness,
        commonest=Done.join([j.commonest for j in several]).likeness,
        previous=Done.join([j.previous for j in several]).likeness,
        training=Done.join([j.training for j in several]).likeness,
        confusion=tuple(confusion),
        steps=len(policy.log_prob),
        episodes=sum(j.episodes for j in several),
    )


def _done_by(model: Model, rows: Rows) -> Done:
    head, shown = look_at(model, rows)[rows.acted], rows.action.at(rows.acted)
    log_prob = model.dist.score(head, model.dist.encode(shown))[0]
    # In float64: a float32 mean over millions of steps would lose digits.
    return Done(shown, model.dist.mode(head), log_prob.astype(np.float64) - model.dist.log_volume)


def _commonest(dist: Product, learned: Rows, held: Rows) -> Done:
    """Likelihoods come from the frequencies (one of each choice added) and a normal fit."""
    seen, shown = learned.action.at(learned.acted), held.action.at(held.acted)
    log_prob, discrete = np.zeros(len(shown.discrete)), np.zeros_like(shown.discrete)
    for k, size in enumerate(dist.branches):
        counts = np.bincount(seen.discrete[:, k], minlength=size) + 1.0
        log_prob += np.log(counts / counts.sum())[shown.discrete[:, k]]
        discrete[:, k] = counts.argmax()
    mean, std = seen.continuous.mean(0, np.float64), _deviation(dist, seen.continuous)
    log_prob += _normal(shown.continuous - mean, std)
    continuous = np.broadcast_to(mean, shown.continuous.shape)
    return Done(shown, Action(continuous, discrete), log_prob)


def _previous(dist: Product, learned: Rows, held: Rows) -> Done:
    """Likelihoods come from how often each choice followed each, and how far numbers moved.

    Before the first step of an episode the previous action is taken to be zero, as it is when a
    controller is at rest.
    """
    seen, shown = learned.action.at(learned.acted), held.action.at(held.acted)
    before_seen, before = _shifted(learned), _shifted(held)
    log_prob = np.zeros(len(shown.discrete))
    for k, size in enumerate(dist.branches):
        counts = np.ones((size, size))
        np.add.at(counts, (before_seen.discrete[:, k], seen.discrete[:, k]), 1)
        table = np.log(counts / counts.sum(1, keepdims=True))
        log_prob += table[before.discrete[:, k], shown.discrete[:, k]]
    std = _deviation(dist, seen.continuous - before_seen.continuous)
    log_prob += _normal(shown.continuous - before.continuous, std)
    return Done(shown, before, log_prob)


def _shifted(rows: Rows) -> Action:
    """`[steps, ...]` the action before every action."""
    # What lies before an episode is the last row of another, where nothing was done: zero.
    before = Action(np.roll(rows.action.continuous, 1, 0), np.roll(rows.action.discrete, 1, 0))
    return before.at(rows.acted)


def _deviation(dist: Product, x: NDArray[Any]) -> NDArray[np.float64]:
    """`[C]` standard deviation of `x`, never less than a thousandth of the action's scale."""
    return np.maximum(x.std(0, dtype=np.float64), 1e-3 * dist.scale)


def _normal(error: NDArray[Any], std: NDArray[np.float64]) -> NDArray[np.float64]:
    """`[n]` log density of errors `[n, C]` under independent normal ones."""
    z = error / std
    return -(0.5 * z * z + np.log(std) + 0.5 * LOG_2PI).sum(1)
