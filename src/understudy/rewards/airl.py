"""Adversarial inverse reinforcement learning: a reward that also holds where the world has changed.

Fu, Luo and Levine (2018), "Learning Robust Rewards with Adversarial Inverse Reinforcement
Learning", arXiv:1710.11248. A discriminator tells shown steps from lived ones, as in GAIL, but its
logit has the form

    f(s, a, s') - log pi(a|s),    f(s, a, s') = g(s) + discount h(s') - h(s)

(eq. 4 and section 6). At its optimum f is the advantage of whoever showed, and where chance plays
no part and `g` sees states alone, `g` is the reward behind it up to a constant, while `h`, 0 where
the task is over, has learned the value of states (theorem 5.1): `g` can be taken elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, NamedTuple, SupportsFloat

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from understudy.data.batch import Batch
from understudy.data.demos import Demos, Rows
from understudy.data.episode import Tree
from understudy.data.subsample import wholes
from understudy.nets.discriminator import DiscriminatorConfig, make_discriminator
from understudy.nets.flat import F32, Adam
from understudy.nets.model import Model, start_state
from understudy.ops.cost import Cost, Out
from understudy.ops.discriminate import cross_entropy, slope_penalty
from understudy.rewards.alive import Alive
from understudy.rewards.steps import Steps, lived, own, steps_at, whole_steps

_PARTS = "reward_net", "shaping_net", "reward_adam", "shaping_adam"


@dataclass(frozen=True, kw_only=True, slots=True)
class AIRLConfig:
    """How the reward behind demonstrations is learned, and what it earns meanwhile."""

    discount: Annotated[float, Ge(0), Le(1)] = 0.98
    """What a reward is worth one step later, to the policy and in the shaping."""
    strength: Annotated[float, Ge(0)] = 1.0
    """How much it counts among other signals."""
    offset: Literal["alive", "none"] = "alive"
    """What being alive earns beside the logit, as for `gail`; no part of the recovered reward."""
    offset_rows: Annotated[int, Gt(0)] = 2000
    """After so many rows of the policy's a row counts for 1/e in that."""
    limit: Annotated[float, Gt(0)] = 5.0
    """What is earned, and the offset, are cut at this distance from 0."""
    scale: Annotated[float, Gt(0)] = 0.1
    """What all of that is multiplied with: critics learn small values sooner."""
    net: DiscriminatorConfig = field(default_factory=lambda: DiscriminatorConfig(sees="states"))
    """What the reward's network looks like; the shaping's is alike and always sees states alone.
    With `sees: actions` the reward is no longer told from advantages: it does not transfer."""
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    """Step size of their Adam."""
    updates: Annotated[int, Gt(0)] = 1
    """Their steps for every batch that the learner learns from."""
    batch_size: Annotated[int, Gt(0)] = 256
    """Rows of the policy in a step, where the learner's batch has so many; about as many are
    shown."""
    penalty: Annotated[float, Ge(0)] = 0.5
    """How much the length of the gradient of f counts, at random mixes of both kinds of row."""
    mixed: Annotated[int, Ge(0)] = 500
    """So many of the policy's first rows are measured along with the demonstrations, see `gail`."""
    length: Annotated[int, Gt(0)] = 16
    """Demonstrations are shown to a policy that remembers in windows of so many rows, behind as
    many others that warm its memory; 1 is used without memory."""

    def __post_init__(self) -> None:
        if self.net.sees == "pairs":
            raise ValueError(
                "net.sees=pairs: the reward sees states or actions; what comes next is the "
                "business of the shaping"
            )
        if self.net.bottleneck:
            raise ValueError(
                f"net.bottleneck={self.net.bottleneck}: a reward that is to be kept has none; use "
                "gail, or 0"
            )


class Windows(NamedTuple):
    """Demonstrations in windows of consecutive rows.

    Attributes:
        rows: The rows.
        number: `[L, W]` which rows make a window.
        counted: `[L, W]` bool, whether it is learned from; others warm a memory.
        over: `[R]` float32, of every row, whether the task was over after it.
    """

    rows: Rows
    number: NDArray[np.int64]
    counted: NDArray[np.bool_]
    over: NDArray[np.float32]

    @classmethod
    def of(cls, demos: Demos, length: int, warm: int) -> Windows:
        """Every usable row in one window of `length` rows, behind `warm` others.

        Raises:
            DemoError: There is no step.
        """
        rows = demos.rows()
        usable, over = whole_steps(demos, rows)
        begins = np.flatnonzero(rows.fresh)
        place = np.arange(len(rows)) - begins[rows.episode]
        # A window begins at every `length`-th row of an episode; `fresh` keeps others out of it.
        first = np.unique(usable - place[usable] % length)
        index = first + np.arange(-warm, length)[:, None]
        # On the last row of all nothing was done, and it has no next one.
        inside = index.clip(0, len(rows) - 2)
        good, ends = np.zeros(len(rows), bool), np.zeros(len(rows), F32)
        good[usable], ends[usable] = True, over
        counted = good[inside] & (rows.episode[inside] == rows.episode[first])
        counted &= (index == inside) & (np.arange(-warm, length) >= 0)[:, None]
        return cls(rows, inside, counted, ends)


class AIRL:
    """Being taken for the demonstrator, by a reward that can be kept. See `RewardSignal`.

    What is earned is the logit `f - log pi` (Fu et al., algorithm 1: `log D - log(1 - D)`), which
    holds the policy's entropy, so that an on-policy learner seeks reward and entropy in the balance
    that the paper's theorems ask for; a bonus of its own would count it twice.

    Note:
        A learner that learns from rows of older policies and pays for entropy itself earns `f`.
        Taken with the rest, the present `-log pi` of a remembered action would make what the policy
        does already look bad, and the next policy as wrong in the other direction: its best answer
        to `f - log pi` is proportional to `exp(f) / pi`.

    Attributes:
        reward_net: `g`.
        shaping_net: `h`.
        alive: What being alive is worth; None where it is worth nothing.
    """

    ends = True

    def __init__(
        self,
        model: Model,
        demos: Demos,
        config: AIRLConfig,
        rng: np.random.Generator,
        *,
        soft: bool = False,
    ) -> None:
        """Read the demonstrations, and draw both networks.

        Args:
            model: Who is told from the demonstrator.
            demos: What was shown; of episodes without their neighbors (`subsample`) a policy that
                remembers is asked what it would do there without a memory.
            config: See `AIRLConfig`.
            rng: Draws weights and rows; part of this object's state.
            soft: Whether the learner pays for entropy itself, from remembered rows.

        Raises:
            ConfigError: An image is too small for the networks, or entities have no numbers.
            DemoError: The demonstrations do not fit, or hold no step to learn from.
        """
        demos.check_fit(model.spec)
        self.model, self.config, self.rng, self.soft = model, config, rng, soft
        self.discount, self.strength = config.discount, config.strength
        self.reward_net = make_discriminator(model.spec, model.dist, config.net, rng)
        states = replace(config.net, sees="states")
        self.shaping_net = make_discriminator(model.spec, model.dist, states, rng)
        self.reward_adam, self.shaping_adam = (
            Adam(net.flat) for net in (self.reward_net, self.shaping_net)
        )
        alive = config.offset == "alive"
        self.alive = Alive(wholes(demos)[0], config.offset_rows, config.limit) if alive else None
        length, warm = (config.length, config.length) if model.memory else (1, 0)
        self.windows = Windows.of(demos, length, warm)
        self._observe({n: x[self._counted()] for n, x in self.windows.rows.obs.items()})
        self._left_to_measure = config.mixed

    def _counted(self) -> NDArray[np.int64]:
        return np.sort(self.windows.number[self.windows.counted])

    def _observe(self, obs: Tree) -> None:
        for net in (self.reward_net, self.shaping_net):
            net.observe(obs)

    def f(self, steps: Steps) -> Out:
        """`[..., 1]` `g(s) + discount h(s') - h(s)`, where `h` is 0 once the task is over."""
        g, h = self.reward_net, self.shaping_net
        here, there = h.see(*steps[:3]), h.see(steps.after, steps.code, steps.after)
        earned, worth, then = g(g.see(*steps[:3])), h(here), h(there)
        carry = F32(self.discount) * (1 - steps.over)[..., None]

        def pull(u: NDArray[np.float32]) -> None:
            earned.pull(u)
            worth.pull(-u)
            then.pull(carry * u)

        return Out(earned.array + carry * then.array - worth.array, pull)

    def _slope(self, one: Steps, other: Steps) -> Out:
        """`[M, D]` the gradient of f at random mixes of two kinds of step, in all that f sees."""
        g, h = self.reward_net, self.shaping_net
        mix = self.rng.random((one.rows, 1), dtype=np.float32)

        def between(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
            return (x + mix * (y - x)).astype(F32, copy=False)

        seen = between(g.see(*one[:3]), g.see(*other[:3]))
        then = between(
            h.see(one.after, one.code, one.after), h.see(other.after, other.code, other.after)
        )
        carry = F32(self.discount) * (1 - between(one.over[:, None], other.over[:, None]))
        both, width = h.width, g.width
        earned, worth, later = g.slope(seen), h.slope(seen[:, :both].copy()), h.slope(then)
        slope = np.concatenate([earned.array, carry * later.array], -1)
        slope[:, :both] -= worth.array

        def pull(u: NDArray[np.float32]) -> None:
            earned.pull(u[:, :width])
            worth.pull(-u[:, :both])
            later.pull(carry * u[:, width:])

        return Out(slope, pull)

    def reward(self, batch: Batch) -> NDArray[np.float32]:
        """See `RewardSignal`; 0 on rows on which nothing was done."""
        c, rows = self.config, len(batch.code)
        logit = self._said(lived(batch))
        if not self.soft:
            logit = logit - log_prob(self.model, batch)
        earned = logit.clip(-c.limit, c.limit) + F32(self.offset)
        return F32(c.scale) * earned * (batch.acted[:rows] > 0)

    def _said(self, steps: Steps) -> NDArray[np.float32]:
        """`[L, B]` f of steps, some at a time: rows of images are long."""
        parts = steps.parts(self.reward_net.width)
        return np.concatenate([self.f(part).array[..., 0] for part in parts])

    @property
    def offset(self) -> float:
        """What being alive earns now, before `scale`."""
        return 0.0 if self.alive is None else self.alive.offset

    def update(self, batch: Batch) -> Mapping[str, SupportsFloat]:
        """Some steps of both networks against the policy as it is now; see `RewardSignal`.

        Demonstrations that are mixed into the batch are not taken for the policy's own rows.
        """
        mine = own(batch)
        steps, chance = lived(batch).at(mine), log_prob(self.model, batch)[mine]
        if not steps.rows:
            return {}
        if self.alive is not None:
            self.alive.hear(steps.rows, float(steps.over.sum()))
        if self._left_to_measure:
            measured = slice(0, self._left_to_measure)
            self._observe({name: x[measured] for name, x in steps.obs.items()})
            self._left_to_measure = max(0, self._left_to_measure - steps.rows)
        figures: dict[str, SupportsFloat] = {}
        for _ in range(self.config.updates):
            figures = self._step(steps, chance)
        if self.alive is not None:
            figures |= {"offset": self.offset, "lived_length": self.alive.lived.length}
        return figures

    def _step(self, steps: Steps, chance: NDArray[np.float32]) -> dict[str, SupportsFloat]:
        """One step on about as many rows of either kind."""
        c, size = self.config, min(self.config.batch_size, steps.rows)
        if size < steps.rows:
            some = self.rng.permutation(steps.rows)[:size]
            steps, chance = steps.at(some), chance[some]
        theirs, their_chance = self._drawn(size)
        policy, demonstrator = self._logit(steps, chance), self._logit(theirs, their_chance)
        told = Cost()
        # Either kind weighs one in all, so that the penalty's weight is that of the papers.
        for logit, label in ((policy, 0.0), (demonstrator, 1.0)):
            count = len(logit.array)
            told += cross_entropy(logit, np.full(count, label, F32), np.full(count, 1 / count, F32))
        pairs = min(steps.rows, theirs.rows)
        slope = self._slope(steps.at(slice(0, pairs)), theirs.at(slice(0, pairs)))
        penalty = slope_penalty(slope, np.full(pairs, 1 / pairs, F32), 0.0)
        (told + c.penalty * penalty).backward()
        figures: dict[str, SupportsFloat] = {"loss": told, "penalty": penalty}
        self.reward_adam.step(c.learning_rate, figures)
        self.shaping_adam.step(c.learning_rate, figures)
        for name, logit in (("lived", policy), ("shown", demonstrator)):
            said = logit.array
            figures[f"logit/{name}"] = Cost(lambda said=said: float(said.mean()))
            right = (said > 0) == (name == "shown")
            figures[f"accuracy/{name}"] = Cost(lambda right=right: float(right.mean()))
        return figures

    def _logit(self, steps: Steps, chance: NDArray[np.float32]) -> Out:
        f = self.f(steps)
        return f.through(f.array - chance[..., None], lambda g: g)

    def _drawn(self, size: int) -> tuple[Steps, NDArray[np.float32]]:
        """About `size` shown steps in random windows, and how likely the policy finds them."""
        w, dist = self.windows, self.model.dist
        count = max(1, size // int(w.counted.any(1).sum()))
        some = self.rng.integers(w.number.shape[1], size=count)
        index, counted = w.number[:, some], w.counted[:, some]
        steps = steps_at(w.rows, dist, index, w.over[index])
        batch = Batch(
            obs=self.model.place(steps.obs),
            code=steps.code,
            acted=counted.astype(F32),
            fresh=w.rows.fresh[index],
            state=self.model.place(start_state(self.model, count)),
        )
        return steps.at(counted), log_prob(self.model, batch)[counted]

    def state_dict(self) -> dict[str, Any]:
        """See `RewardSignal`."""
        return {
            **{name: getattr(self, name).state_dict() for name in _PARTS},
            "alive": None if self.alive is None else self.alive.state_dict(),
            "left_to_measure": self._left_to_measure,
            "rng": self.rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `RewardSignal`."""
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        if self.alive is not None:
            self.alive.load_state_dict(state["alive"])
        self._left_to_measure = int(state["left_to_measure"])
        self.rng.bit_generator.state = state["rng"]


def log_prob(model: Model, batch: Batch) -> NDArray[np.float32]:
    """`[L, B]` how likely the model finds what was done, in nats, of its codes; no gradient.

    A squashed number at its bound is taken to be a thousandth away from it (`ops.squashed.EDGE`),
    so this is finite.
    """
    rows = len(batch.code)
    # One row more than is known may be there to look at: it needs no answer.
    obs = {name: x[:rows] for name, x in batch.obs.items()}
    head, _, _ = model.look(obs, batch.state, batch.fresh[:rows])
    return -model.dist.surprise(head, batch.code)[0]()
