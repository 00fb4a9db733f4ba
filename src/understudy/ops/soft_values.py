"""Soft-optimal behavior in a finite Markov decision process, solved exactly.

Who is soft-optimal maximizes the expected reward plus the entropy of its own choices, each given
what was known when it was made (the causal entropy): Ziebart, Bagnell and Dey (2010), "Modeling
Interaction via the Principle of Maximum Causal Entropy", ICML; with a discount, Gleave and Toyer
(2022), "A Primer on Maximum Causal Entropy Inverse Reinforcement Learning", arXiv:2203.11409.

Rewards are in nats: an agent of temperature `c` is one whose rewards were divided by `c`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_SWEEPS = 200
"""Newton's method needs about ten; policy iteration is not known to need many more than states."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiniteMdp:
    """A task of finitely many states and choices whose chances are known.

    Attributes:
        transition: `[S, A, S]` chance of the next state. What stands in rows of terminal states
            does not matter.
        start: `[S]` chance of beginning there; 0 in terminal states.
        terminal: `[S]` bool: an episode is over when it arrives there, and nothing is done there.
        discount: What a reward is worth one step later, in [0, 1]; below 1 without a horizon.
        horizon_steps: After how many steps an episode ends; None: only in a terminal state.

    Raises:
        ValueError: Shapes do not fit, chances do not sum to one, or values would not be finite.
    """

    transition: Floats
    start: Floats
    terminal: NDArray[np.bool_]
    discount: float = 1.0
    horizon_steps: int | None = None

    def __post_init__(self) -> None:
        shape, states = self.transition.shape, len(self.start)
        if len(shape) != 3 or 0 in shape or shape[0] != states or shape[2] != states:
            raise ValueError(
                f"transition {list(shape)} beside start [{states}]: expected [S, A, S] and [S]"
            )
        if self.terminal.shape != (states,) or self.terminal.dtype != bool:
            raise ValueError(
                f"terminal is {self.terminal.dtype} {list(self.terminal.shape)}, "
                f"expected bool [{states}]"
            )
        _chances("start", self.start)
        _chances("transition", self.transition[~self.terminal])
        if self.start[self.terminal].any():
            raise ValueError("an episode begins in a terminal state, where nothing can be done")
        if not 0 <= self.discount <= 1:
            raise ValueError(f"discount {self.discount}: expected a number in [0, 1]")
        if self.horizon_steps is None and self.discount == 1:
            raise ValueError(
                "discount 1 without a horizon: values may be infinite; give horizon_steps, "
                "or a discount below 1"
            )
        if self.horizon_steps is not None and self.horizon_steps < 1:
            raise ValueError(f"horizon_steps {self.horizon_steps}: expected at least 1")

    @property
    def num_states(self) -> int:
        """`S`."""
        return self.transition.shape[0]

    @property
    def num_actions(self) -> int:
        """`A`."""
        return self.transition.shape[1]

    def going_on(self) -> Floats:
        """`[S * A, S]` chance to be there next with something still to be done."""
        alive = ~self.terminal
        kept = self.transition * (alive[:, None, None] & alive)
        return kept.reshape(-1, self.num_states)


class SoftSolution(NamedTuple):
    """Values and choices of a soft-optimal agent.

    Attributes:
        value: `[T, S]` reward and entropy still to come, discounted; 0 in terminal states. `T` is
            the horizon, or 1 without one, because time then does not matter.
        policy: `[T, S, A]` chance of every choice; uniform in terminal states.
        error: Bound on how far `value` is from the truth; 0 with a horizon, but for rounding.
    """

    value: Floats
    policy: Floats
    error: float


def soft_values(mdp: FiniteMdp, reward: Floats, tolerance: float = 1e-9) -> SoftSolution:
    """The soft-optimal values and policy of a reward.

    V = log sum_a exp Q(., a), Q = r + discount P V, policy = exp(Q - V): backward from the horizon,
    or as the fixed point where there is none.

    Args:
        mdp: The task.
        reward: `[S, A]` of a step in nats, finite; an average over next states where it depends on
            them. Rows of terminal states do not matter.
        tolerance: Largest error of a value without a horizon, relative to the largest value.

    Raises:
        ValueError: The reward does not fit or is not finite.
        ArithmeticError: Rounding keeps the error above the tolerance (a discount very near 1).

    Example:
        Two choices that bring 0 and log 3, once:

        >>> mdp = FiniteMdp(
        ...     transition=np.ones((1, 2, 1)),
        ...     start=np.ones(1),
        ...     terminal=np.zeros(1, bool),
        ...     horizon_steps=1,
        ... )
        >>> soft_values(mdp, np.log([[1.0, 3.0]])).policy.round(2).tolist()
        [[[0.25, 0.75]]]
    """
    shape = mdp.num_states, mdp.num_actions
    if reward.shape != shape or not np.isfinite(reward[~mdp.terminal]).all():
        raise ValueError(f"reward {list(reward.shape)}: expected finite numbers {list(shape)}")
    reward = np.where(mdp.terminal[:, None], 0.0, reward)
    if mdp.horizon_steps is None:
        return _fixed_point(mdp, reward, tolerance)
    return _backward(mdp, reward, mdp.horizon_steps)


def visitation(mdp: FiniteMdp, policy: Floats) -> Floats:
    """How often every choice is made in every state of an episode, discounted, on average.

    Forward from the start, or by one linear system where there is no horizon; exact either way.

    Args:
        mdp: The task.
        policy: `[T, S, A]`, see `SoftSolution`; step t follows row t, and the last row after that.

    Returns:
        `[S, A]`; its sum is the discounted length of an episode.
    """
    onward, shape = mdp.going_on(), policy.shape[1:]
    if mdp.horizon_steps is None:
        if len(policy) != 1:
            raise ValueError(f"{len(policy)} policies over time, expected one without a horizon")
        flow = _chain(onward, policy[0])
        states = np.linalg.solve(np.eye(len(flow)) - mdp.discount * flow.T, mdp.start)
        return states[:, None] * policy[0]
    states, worth, visits = mdp.start, 1.0, np.zeros(shape)
    for t in range(mdp.horizon_steps):
        done = states[:, None] * policy[min(t, len(policy) - 1)]
        visits += worth * done
        states, worth = done.ravel() @ onward, worth * mdp.discount
    return visits


def _backward(mdp: FiniteMdp, reward: Floats, horizon_steps: int) -> SoftSolution:
    onward, shape = mdp.going_on(), reward.shape
    value = np.zeros((horizon_steps + 1, mdp.num_states))
    policy = np.empty((horizon_steps, *shape))
    for t in reversed(range(horizon_steps)):
        q = reward + mdp.discount * (onward @ value[t + 1]).reshape(shape)
        value[t], policy[t] = _soft_best(q)
        value[t, mdp.terminal] = 0
    return SoftSolution(value[:-1], policy, 0.0)


def _fixed_point(mdp: FiniteMdp, reward: Floats, tolerance: float) -> SoftSolution:
    """Newton's method on V = log sum exp (r + discount P V), which is soft policy iteration.

    Plain value iteration gains a factor of the discount a sweep, 1,400 sweeps for six digits at
    0.99; a sweep of this doubles the digits. The error bound is that of a contraction, of which
    rounding is a part.
    """
    onward, shape, discount = mdp.going_on(), reward.shape, mdp.discount
    value, error = np.zeros(mdp.num_states), np.inf
    for _ in range(MOST_SWEEPS):
        q = reward + discount * (onward @ value).reshape(shape)
        better, policy = _soft_best(q)
        better[mdp.terminal] = 0
        size = max(1.0, float(np.abs(better).max()))
        missed = float(np.abs(better - value).max()) + 4 * np.finfo(float).eps * size
        error = missed * discount / (1 - discount)
        if error <= tolerance * size:
            return SoftSolution(better[None], policy[None], error)
        # What this policy is worth: the tangent of the soft maximum at the old values.
        gain = better - discount * (policy * (onward @ value).reshape(shape)).sum(1)
        flow = _chain(onward, policy)
        value = np.linalg.solve(np.eye(len(flow)) - discount * flow, gain)
    raise ArithmeticError(
        f"soft values are known to {error:.1e} only, which is not the {tolerance:.0e} that was "
        f"asked for, at discount {discount}; give a horizon, or a larger tolerance"
    )


def _soft_best(q: Floats) -> tuple[Floats, Floats]:
    """`[S]` log sum exp over choices, and `[S, A]` the chances that go with it."""
    top = q.max(1, keepdims=True)
    weight = np.exp(q - top)
    total = weight.sum(1, keepdims=True)
    return (top + np.log(total))[:, 0], weight / total


def _chain(onward: Floats, policy: Floats) -> Floats:
    """`[S, S]` where a step of the policy leads."""
    states, actions = policy.shape
    return np.einsum("sa,san->sn", policy, onward.reshape(states, actions, states))


def _chances(name: str, chance: NDArray[Any]) -> None:
    sums = chance.sum(-1)
    if not (np.isfinite(chance).all() and (chance >= 0).all() and np.allclose(sums, 1)):
        raise ValueError(f"{name}: chances must be at least 0 and sum to 1")
