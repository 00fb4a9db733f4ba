"""Inverse reinforcement learning where all chances are known: the reward behind demonstrations.

Ziebart, Maas, Bagnell and Dey (2008), "Maximum Entropy Inverse Reinforcement Learning", AAAI, with
the causal entropy of Ziebart, Bagnell and Dey (2010), "Modeling Interaction via the Principle of
Maximum Causal Entropy", ICML, which is right also where steps lead astray by chance. Discounted as
in Gleave and Toyer (2022), arXiv:2203.11409.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from understudy import settings
from understudy.data.demos import Demos
from understudy.data.tabular import Walk, walks
from understudy.errors import DemoError
from understudy.ops.quasi_newton import bfgs
from understudy.ops.soft_values import FiniteMdp, SoftSolution, soft_values, visitation

Floats = NDArray[np.float64]

MOST_LOST = 1e-3
"""The share of a discounted episode that may lie beyond where recordings were cut."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MaxEntConfig:
    """How closely the demonstrations are matched."""

    tolerance: Annotated[float, Gt(0)] = 1e-4
    """By how much an expected feature of an episode may differ from what was shown. Below about
    1e-6 rounding may end the descent first."""
    steps: Annotated[int, Gt(0)] = 500
    """The most steps of descent."""
    weight_decay: Annotated[float, Ge(0)] = 0.0
    """Half of it times the squared weights is added: finite weights also where no reward explains
    everything, at the price of features that differ by `weight_decay` times their weight."""


class Shown(NamedTuple):
    """What demonstrations say of a task.

    Attributes:
        features: `[K]` discounted sum of features of an episode, on average.
        start: `[S]` share of episodes that began there.
    """

    features: Floats
    start: Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recovered:
    """A reward whose soft-optimal policy does what was shown.

    Attributes:
        weights: `[K]` what each feature is worth, in nats.
        reward: `[S, A]` features times weights.
        policy: `[T, S, A]`, see `SoftSolution`.
        visits: `[S, A]` how often the policy makes each choice in an episode, discounted.
        shown: `[K]` the feature expectations that were asked for.
        matched: `[K]` those of the policy.
        descent: `[steps + 1]` the dual at every step; it never rises.
        converged: Whether the tolerance was reached (of the dual's slope, where weights decay).
    """

    weights: Floats
    reward: Floats
    policy: Floats
    visits: Floats
    shown: Floats
    matched: Floats
    descent: Floats
    converged: bool

    @property
    def gap(self) -> float:
        """The largest difference between what was shown and what the policy does."""
        return float(np.abs(self.matched - self.shown).max())

    def describe(self) -> str:
        """How it went, in a sentence."""
        ended = "converged" if self.converged else "NOT converged"
        return (
            f"{ended} after {len(self.descent) - 1} steps: the policy's feature expectations are "
            f"within {self.gap:.1e} of those shown"
        )


class MaxEntIRL:
    """The reward under which what was shown is as likely as can be.

    Of all policies that bring the same features as the demonstrations, one makes its choices with
    the largest causal entropy; it is the soft-optimal policy of some reward that is linear in the
    features. Its weights minimize a convex function, `E V_w(start) - w · shown`, whose gradient is
    the policy's feature expectations less those shown.

    Example:
        `MaxEntIRL(world.mdp, demos, world.features).learn().weights`

    Attributes:
        mdp: The task; its start is that of the demonstrations, whose luck in where they began
            says nothing about what they want.
        shown: `[K]` feature expectations to be matched.
    """

    def __init__(
        self,
        mdp: FiniteMdp,
        demos: Demos | Floats,
        features: Floats,
        config: MaxEntConfig | None = None,
    ) -> None:
        """Count what was shown.

        Args:
            mdp: The task, with a horizon or a discount.
            demos: Demonstrations, or the expectations themselves: `[K]` discounted sum of the
                features of an episode that begins as the task says.
            features: `[S, A, K]` of every step, finite; averages over next states where they depend
                on them. Rows of terminal states do not matter.
            config: See `MaxEntConfig`.

        Raises:
            DemoError: The demonstrations are of another task, or end before it does.
            ValueError: Features do not fit the task.
            ConfigError: A setting is out of range.
        """
        self.config = settings.check(config or MaxEntConfig())
        features = _checked(mdp, features)
        if isinstance(demos, Demos):
            found = feature_expectations(mdp, demos, features)
            mdp, demos = replace(mdp, start=found.start), found.features
        if demos.shape != features.shape[2:] or not np.isfinite(demos).all():
            raise ValueError(
                f"feature expectations {list(demos.shape)} of {features.shape[2]} features: "
                "expected one finite number each"
            )
        self.mdp, self.shown = mdp, demos
        self._features = features.reshape(-1, features.shape[2])

    def learn(self) -> Recovered:
        """The weights that match what was shown.

        Raises:
            DemoError: No policy of this task brings the feature expectations.
        """
        descent: list[float] = []
        weights, converged = np.zeros(len(self.shown)), False
        for point in bfgs(self._dual, weights):
            descent.append(point.value)
            weights = point.x
            converged = bool(np.abs(point.gradient).max() <= self.config.tolerance)
            if converged or len(descent) > self.config.steps:
                break
            self._refuse_what_nobody_can(weights, point.value)
        solution, visits, matched = self._answer(weights)
        return Recovered(
            weights=weights,
            reward=self._reward(weights),
            policy=solution.policy,
            visits=visits,
            shown=self.shown,
            matched=matched,
            descent=np.array(descent),
            converged=converged,
        )

    def _dual(self, weights: Floats) -> tuple[float, Floats]:
        solution, _, matched = self._answer(weights)
        decay = self.config.weight_decay
        value = self.mdp.start @ solution.value[0] - weights @ self.shown
        value += decay / 2 * (weights @ weights)
        return float(value), matched - self.shown + decay * weights

    def _answer(self, weights: Floats) -> tuple[SoftSolution, Floats, Floats]:
        """What a soft-optimal agent does with these weights, and the features that it brings."""
        solution = soft_values(self.mdp, self._reward(weights))
        visits = visitation(self.mdp, solution.policy)
        return solution, visits, visits.ravel() @ self._features

    def _reward(self, weights: Floats) -> Floats:
        return (self._features @ weights).reshape(self.mdp.num_states, self.mdp.num_actions)

    def _refuse_what_nobody_can(self, weights: Floats, value: float) -> None:
        """A policy within the tolerance would keep the dual above its entropy less what it misses.

        Entropies of choices are not negative, so a dual below that is a proof that there is none,
        and the weights would grow without end.
        """
        missed = self.config.tolerance * float(np.abs(weights).sum())
        if self.config.weight_decay == 0 and value < -missed:
            worst = int(np.argmax(np.abs(weights)))
            raise DemoError(
                "no policy of this task brings the feature expectations that were shown (feature "
                f"{worst} stands out most). The demonstrations were lucky in what is left to "
                "chance, or the task is not theirs: give more of them, correct the task's chances, "
                "or set weight_decay, such as 0.01"
            )


def feature_expectations(mdp: FiniteMdp, demos: Demos, features: Floats) -> Shown:
    """What demonstrations bring on average, and where they begin.

    Args:
        mdp: The task.
        demos: Of whole episodes: up to a terminal state or the horizon; without a horizon, so long
            that hardly any discounted step is missing.
        features: `[S, A, K]`.

    Raises:
        DemoError: There is none, or one does what cannot be in this task or ends before it does.
    """
    if not len(demos):
        raise DemoError("no episode: there is nothing to learn from")
    total, start, lost = np.zeros(features.shape[2]), np.zeros(mdp.num_states), 0.0
    for walk in _possible(mdp, walks(demos, mdp.num_states, mdp.num_actions)):
        steps = len(walk.choices)
        worth = mdp.discount ** np.arange(steps)
        total += worth @ features[walk.states[:-1], walk.choices]
        start[walk.states[0]] += 1
        lost += 0.0 if _is_whole(mdp, walk) else mdp.discount**steps
    if lost > MOST_LOST * len(demos):
        raise DemoError(
            f"the demonstrations are cut off while {lost / len(demos):.1%} of an episode's "
            f"discounted steps (at {mdp.discount}) were still to come; record longer ones, or give "
            "the task a horizon"
        )
    return Shown(total / len(demos), start / len(demos))


def ambiguity(mdp: FiniteMdp) -> str:
    """What no demonstrations of a task can tell about its reward, in words.

    Potential shaping: Ng, Harada and Russell (1999), "Policy invariance under reward
    transformations", ICML.
    """
    if not mdp.terminal.any():
        constant = "a constant on every step, since all episodes are equally long"
    elif mdp.discount == 1:
        constant = "a bonus for ending, which all episodes get alike that end before the horizon"
    else:
        constant = (
            f"a bonus for ending, with {1 - mdp.discount:.3g} of it on every step before, "
            "which come to the same for all episodes that end"
        )
    return (
        "Known up to what leaves behavior as it is: "
        f"{constant}; potentials that are gained on the way into a state and lost on the way out, "
        "where the features can say so; anything where nobody goes."
    )


def _possible(mdp: FiniteMdp, found: Iterator[Walk]) -> Iterator[Walk]:
    """The same episodes, once it is certain that they can happen."""
    for index, walk in enumerate(found):
        where = walk.episode.label or f"episode {index}"
        before, after, steps = walk.states[:-1], walk.states[1:], len(walk.choices)
        if mdp.terminal[before].any() or mdp.terminal[walk.states[0]]:
            raise DemoError(f"{where}: it goes on in a terminal state of the task")
        if mdp.start[walk.states[0]] == 0:
            raise DemoError(
                f"{where}: it begins in state {walk.states[0]}, where the task never does"
            )
        never = np.flatnonzero(mdp.transition[before, walk.choices, after] == 0)
        if len(never):
            t = never[0]
            raise DemoError(
                f"{where}: at step {t} choice {walk.choices[t]} leads from state {before[t]} to "
                f"{after[t]}, which never happens in the task; record in the task whose chances "
                "these are, or correct them"
            )
        horizon = mdp.horizon_steps
        if horizon is not None and (steps > horizon or not _is_whole(mdp, walk)):
            raise DemoError(
                f"{where}: {steps} steps, and the task ends in a terminal state or after {horizon}"
            )
        yield walk


def _is_whole(mdp: FiniteMdp, walk: Walk) -> bool:
    return bool(mdp.terminal[walk.states[-1]]) or len(walk.choices) == mdp.horizon_steps


def _checked(mdp: FiniteMdp, features: Floats) -> Floats:
    lead = mdp.num_states, mdp.num_actions
    if features.ndim != 3 or features.shape[:2] != lead or features.shape[2] == 0:
        raise ValueError(f"features {list(features.shape)}: expected [{lead[0]}, {lead[1]}, K]")
    features = np.where(mdp.terminal[:, None, None], 0.0, features)
    if not np.isfinite(features).all():
        raise ValueError("features: expected finite numbers")
    return features
