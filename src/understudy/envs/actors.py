"""Actors that know nothing of the task: chance, and another actor disturbed by it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.episode import ActedBy, Tree
from understudy.data.spec import ActionSpec, Spec


class RandomActor:
    """Acts by chance: uniform within bounds, and uniform over the choices that are allowed.

    A number with one bound lies beyond it by the size of a standard normal number; one without
    bounds is standard normal.

    Attributes:
        acted_by: `RANDOM`.
        proposed: None.
        spec: What it does.
    """

    acted_by = ActedBy.RANDOM
    proposed: Action | None = None

    def __init__(self, spec: Spec, seed: int = 0) -> None:
        """Args: spec: what is seen and done. seed: of the chance."""
        self.spec = spec.action
        self._mask = spec.masks[0] if spec.masks else None
        self._rng = np.random.default_rng(seed)

    def start(self, slots: int) -> Tree:
        """No memory."""
        return {}

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor.act`."""
        count = len(fresh)
        mask = None if self._mask is None else obs[self._mask]
        return (
            Action(
                _numbers(self.spec, count, self._rng),
                _choices(self.spec, count, mask, self._rng),
            ),
            state,
        )


class NoisyActor:
    """Another actor whose actions are disturbed on the way, as in recordings with noise.

    Disturbed demonstrations show how to recover; what is learned is what was meant.
    Laskey et al. (2017), "DART: Noise Injection for Robust Imitation Learning", arXiv:1703.09327.

    Attributes:
        acted_by: That of the other actor.
        proposed: What the other actor meant by the last `act`, `[n, ...]`; None before the first.
    """

    def __init__(self, actor: Actor, spec: Spec, amount: float, seed: int = 0) -> None:
        """Disturb an actor.

        Args:
            actor: Whose actions.
            spec: What is seen and done.
            amount: Standard deviation of the noise as a share of half the range (of 1 where there
                are no bounds), and the probability that a choice is replaced by a random one.
            seed: Of the chance.
        """
        self.acted_by = actor.acted_by
        self.proposed: Action | None = None
        self._actor, self._spec, self._amount = actor, spec.action, amount
        self._mask = spec.masks[0] if spec.masks else None
        self._rng = np.random.default_rng(seed)
        self._low, self._high = (np.array(x) for x in (self._spec.low, self._spec.high))
        half = np.where(np.isfinite(self._low) & np.isfinite(self._high), 0.5, 0)
        with np.errstate(invalid="ignore"):
            self._scale = np.where(half > 0, half * (self._high - self._low), 1.0)

    def start(self, slots: int) -> Tree:
        """The other actor's memory."""
        return self._actor.start(slots)

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor.act`."""
        meant, state = self._actor.act(obs, state, fresh)
        self.proposed = meant
        count = len(fresh)
        noise = self._rng.standard_normal(meant.continuous.shape) * self._scale * self._amount
        continuous = np.clip(meant.continuous + noise, self._low, self._high)
        mask = None if self._mask is None else obs[self._mask]
        chance = _choices(self._spec, count, mask, self._rng)
        replaced = self._rng.random(meant.discrete.shape) < self._amount
        discrete = np.where(replaced, chance, meant.discrete)
        return Action(continuous.astype(self._spec.dtype), discrete), state


def random_actor(spec: Spec, seed: int = 0) -> RandomActor:
    """Acts by chance; see `RandomActor`."""
    return RandomActor(spec, seed)


def noisy(actor: Actor, spec: Spec, amount: float, seed: int = 0) -> NoisyActor:
    """The same actor, disturbed; see `NoisyActor`."""
    return NoisyActor(actor, spec, amount, seed)


def _numbers(spec: ActionSpec, count: int, rng: np.random.Generator) -> NDArray[np.floating]:
    low, high = np.array(spec.low), np.array(spec.high)
    below, above = np.isfinite(low), np.isfinite(high)
    low, high = np.where(below, low, 0.0), np.where(above, high, 0.0)
    share = rng.random((count, spec.continuous))
    normal = rng.standard_normal((count, spec.continuous))
    # Not low + share * (high - low): the distance between float64 bounds may overflow.
    drawn = np.where(below & above, low * (1 - share) + high * share, normal)
    drawn = np.where(below & ~above, low + np.abs(normal), drawn)
    drawn = np.where(~below & above, high - np.abs(normal), drawn)
    return np.clip(drawn.astype(spec.dtype), np.array(spec.low), np.array(spec.high)).astype(
        spec.dtype
    )


def _choices(
    spec: ActionSpec, count: int, mask: NDArray[np.bool_] | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    """`[count, K]` one allowed choice from every branch; any, where none is allowed."""
    score = rng.random((count, spec.num_choices))
    if mask is not None:
        score += mask
    ends = np.cumsum(spec.branches, dtype=np.int64)
    out = np.zeros((count, len(spec.branches)), np.int64)
    for branch, (size, end) in enumerate(zip(spec.branches, ends, strict=True)):
        out[:, branch] = score[:, end - size : end].argmax(1)
    return out
