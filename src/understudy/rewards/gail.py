"""Generative adversarial imitation (Ho and Ermon, 2016, arXiv:1606.03476) as a reward signal.

A discriminator learns to tell rows that were shown from rows that the policy lived; the policy is
rewarded for rows that are taken for shown. With a learner that learns from fresh rollouts this is
GAIL; with one that remembers it is discriminator-actor-critic (Kostrikov et al., 2019,
arXiv:1809.02925): rewards are asked for when rows are drawn, so none of them is older than the
discriminator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, SupportsFloat

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray

from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.spec import Spec
from understudy.data.subsample import wholes
from understudy.errors import DemoError
from understudy.nets.bounded import bound
from understudy.nets.discriminator import DiscriminatorConfig, make_discriminator
from understudy.nets.flat import F32, Adam
from understudy.ops.cost import Cost
from understudy.ops.discriminate import FAMILIES, Family, cross_entropy, slope_penalty
from understudy.ops.product import Product
from understudy.rewards.alive import Alive
from understudy.rewards.steps import Steps, lived, steps_at

JUDGED_ROWS = 2000
"""So many rows at most are looked at for a figure of the log."""
PRICE_STEP = 1e-3
"""How fast the price of what gets through a bottleneck follows what does, a step and nat; Peng et
al. (2019), eq. 10, arXiv:1810.00821, ascend the dual like this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GAILConfig:
    """How a policy is rewarded for being taken for the demonstrator."""

    discount: Annotated[float, Ge(0), Le(1)] = 0.98
    """What a reward is worth one step later."""
    strength: Annotated[float, Ge(0)] = 1.0
    """How much it counts among other signals."""
    reward: Family = "logit"
    """What a logit `f` earns: `logit` is `f` itself, `softplus` is `-log(1 - D)` and never
    negative, `log_prob` is `log D` and never positive."""
    offset: Literal["alive", "none"] = "alive"
    """What being alive earns beside that: what it takes to end as often as the demonstrator does
    (`alive`), or nothing. With `none` a reward that is mostly positive keeps the policy from
    finishing, and one that is mostly negative makes it give up."""
    offset_rows: Annotated[int, Gt(0)] = 10_000
    """After so many rows of the policy's a row counts for 1/e in that: as many as lie between two
    policies that differ. Where the count is older than the policy, lengths of episodes overshoot
    and swing."""
    limit: Annotated[float, Gt(0)] = 5.0
    """Logits and the offset are cut at this distance from 0; so no row is worth less than an end
    where no end was shown."""
    scale: Annotated[float, Gt(0)] = 0.1
    """What all of that is multiplied with: critics learn small values sooner."""
    net: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """What the discriminator looks like."""
    learning_rate: Annotated[float, Gt(0)] = 3e-4
    """Step size of its Adam."""
    updates: Annotated[int, Gt(0)] = 1
    """Its steps for every batch that the learner learns from."""
    batch_size: Annotated[int, Gt(0)] = 256
    """Rows of the policy in a step, where the learner's batch has so many; as many are shown."""
    penalty: Annotated[float, Ge(0)] = 2.0
    """How much the length of the logit's gradient counts, at random mixes of both kinds of row and
    over all that is seen and done."""
    penalty_norm: Annotated[float, Ge(0)] = 0.0
    """What that length should be: 0, or 1 where much was shown (Gulrajani et al., 2017)."""
    lipschitz: Annotated[float, Gt(0)] | None = None
    """What no dense layer may stretch anything by more than, which bounds how fast the logit
    changes: 1 for spectral normalization's bound (Miyato et al., 2018, arXiv:1802.05957), kept by
    cutting the weights after every step (Gouk et al., 2021, section 3, arXiv:1804.04368). Kernels
    of convolutions are cut as matrices, as by Miyato et al., which bounds them less strictly, and
    attention is not bounded at all. None for no bound."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of what a row is told by that is hidden from it while it learns, anew for every row."""
    information: Annotated[float, Gt(0)] = 0.5
    """Nats that may get through the bottleneck of `net.bottleneck`, where there is one."""
    mixed: Annotated[int, Ge(0)] = 500
    """So many of the policy's first rows are measured along with the demonstrations. Of a few rows
    of one careful demonstrator alone the deviations can be near 0, and everything that a beginner
    does is out of all proportion."""
    held_out: Annotated[float, Ge(0), Lt(1)] = 0.2
    """Share of whole episodes that the discriminator does not learn from, rounded down: of fewer
    than five it learns from all."""
    alarm: Annotated[float, Gt(0)] = 0.2
    """By how much more often it may be right of what it has learned from than of what was held out
    before the figure `alarm` is 1."""

    def __post_init__(self) -> None:
        if self.offset == "alive" and self.reward != "logit":
            raise ValueError(
                f"reward={self.reward} with offset=alive: the offset is that of log ratios; use "
                "reward=logit, or offset=none and take the bias"
            )


class GAIL:
    """Being taken for the demonstrator. See `RewardSignal`.

    Attributes:
        net: The discriminator.
        price: What a nat costs that gets through its bottleneck.
        alive: What being alive is worth; None where it is worth nothing.
        shown: What it learns from.
        held_out: What it does not; None where too little was shown.
    """

    ends = True

    def __init__(
        self, spec: Spec, dist: Product, demos: Demos, config: GAILConfig, rng: np.random.Generator
    ) -> None:
        """Read the demonstrations, and draw a discriminator.

        Args:
            spec: What the policy sees and does.
            dist: Its distribution: the codes of its actions.
            demos: What was shown; may be sub-sampled by `understudy.data.subsample`.
            config: See `GAILConfig`.
            rng: Draws weights, who is held out, and rows; part of this object's state.

        Raises:
            ConfigError: Something is seen that the discriminator cannot look at.
            DemoError: The demonstrations do not fit, or hold no step to learn from.
        """
        demos.check_fit(spec)
        self.config, self.rng = config, rng
        self.discount, self.strength = config.discount, config.strength
        self.net = make_discriminator(spec, dist, config.net, rng)
        self.adam = Adam(self.net.flat)
        self.price = 0.0
        episodes, which = wholes(demos)
        alive = config.offset == "alive"
        self.alive = Alive(episodes, config.offset_rows, config.limit) if alive else None
        self.shown, self.held_out = self._divided(demos, dist, which, len(episodes))
        self.net.observe(self.shown.obs)
        self._left_to_measure = config.mixed

    def _divided(
        self, demos: Demos, dist: Product, which: NDArray[np.int64], count: int
    ) -> tuple[Steps, Steps | None]:
        """Rows to learn from and rows to be judged by: parts of a whole are never on both sides."""
        rows = demos.rows()
        usable = np.flatnonzero(rows.labeled.acted)
        if self.net.sees == "pairs":
            known = np.array([episode.final_obs_known for episode in demos])
            # Where the last observation is not known its row repeats the one before.
            usable = usable[rows.acted[usable + 1] | known[rows.episode[usable]]]
        if not len(usable):
            raise DemoError("no step in any episode: there is nothing to learn from")
        num_held = int(self.config.held_out * count)
        held = np.isin(which[rows.episode[usable]], self.rng.permutation(count)[:num_held])
        over = np.zeros(len(usable), F32)  # nobody looks: what is worth nothing then is an offset
        told = steps_at(rows, dist, usable, over)
        if held.all() or not held.any():
            return told, None
        return told.at(~held), told.at(held)

    def reward(self, batch: Batch) -> NDArray[np.float32]:
        """See `RewardSignal`; 0 on rows on which nothing was done."""
        c, rows = self.config, len(batch.code)
        f = self._said(lived(batch))
        earned = FAMILIES[c.reward](f.clip(-c.limit, c.limit)) + F32(self.offset)
        return F32(c.scale) * earned * (batch.acted[:rows] > 0)

    def _said(self, rows: Steps) -> NDArray[np.float32]:
        """`[L, B]` logits, some rows at a time."""
        parts = rows.parts(self.net.width)
        return np.concatenate([self._logit(part) for part in parts])

    def _logit(self, rows: Steps) -> NDArray[np.float32]:
        return self.net(self.net.see(*rows[:3])).array[..., 0]

    @property
    def offset(self) -> float:
        """What being alive earns now, before `scale`."""
        return 0.0 if self.alive is None else self.alive.offset

    def update(self, batch: Batch) -> Mapping[str, SupportsFloat]:
        """Some steps of the discriminator; see `RewardSignal`.

        Demonstrations that are mixed into the batch are not taken for the policy's own rows.
        """
        own = batch.acted[: len(batch.code)] > 0
        if batch.shown is not None:
            own &= batch.shown == 0
        mine = lived(batch).at(own)
        if not mine.rows:
            return {}
        if self.alive is not None:
            self.alive.hear(mine.rows, float((batch.terminated & own).sum()))
        if self._left_to_measure:
            measured = slice(0, self._left_to_measure)
            self.net.observe({name: x[measured] for name, x in mine.obs.items()})
            self._left_to_measure = max(0, self._left_to_measure - mine.rows)
        told = penalty = Cost()
        for _ in range(self.config.updates):
            told, penalty = self._step(mine)
        return {"loss": told, "penalty": penalty, **self._figures(mine)}

    def _step(self, mine: Steps) -> tuple[Cost, Cost]:
        """One step on as many rows of either kind."""
        c, size = self.config, min(self.config.batch_size, mine.rows)
        if size < mine.rows:
            mine = mine.at(self.rng.permutation(mine.rows)[:size])
        theirs = self.shown.at(self.rng.integers(self.shown.rows, size=size))
        x, y = (self._partly(self.net.see(*rows[:3])) for rows in (mine, theirs))
        # Either kind weighs one in all, so that the penalty's weight is that of the papers.
        label = np.repeat(np.array([0, 1], F32), size)
        logit, through = self.net.tell(np.concatenate([x, y]), self.rng)
        told = cross_entropy(logit, label, np.full_like(label, 1 / size))
        mix = self.rng.random((size, 1), dtype=np.float32)
        between = (x + mix * (y - x)).astype(F32, copy=False)
        slope = self.net.slope(between)
        penalty = slope_penalty(slope, np.full(size, 1 / size, F32), c.penalty_norm)
        loss = told + c.penalty * penalty
        if c.net.bottleneck:
            loss += self.price * through
        loss.backward()
        self.adam.step(c.learning_rate, {"loss": told, "penalty": penalty})
        if c.lipschitz is not None:
            bound(self.net.flat, c.lipschitz)
        if c.net.bottleneck:
            self.price = max(0.0, self.price + PRICE_STEP * (through.value - c.information))
        return told, penalty

    def _partly(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[m, D]` with some of it hidden, what is left as much larger."""
        keep = 1 - self.config.dropout
        if keep == 1:
            return x
        left = self.rng.random(x.shape, dtype=np.float32) < keep
        return np.where(left, x / F32(keep), F32(0))

    def _figures(self, mine: Steps) -> dict[str, SupportsFloat]:
        """How well rows are told apart, and how much better those that were learned from."""

        def shown_share(rows: Steps) -> float:
            return float((self._logits(rows) > 0).mean())

        figures: dict[str, SupportsFloat] = {
            "accuracy/lived": _figure(lambda: 1 - shown_share(mine)),
            "accuracy/shown": _figure(lambda: shown_share(self.shown)),
            "logit/lived": _figure(lambda: float(self._logits(mine).mean())),
            "logit/shown": _figure(lambda: float(self._logits(self.shown).mean())),
        }
        if (held_out := self.held_out) is not None:
            gap = _figure(lambda: shown_share(self.shown) - shown_share(held_out))
            figures["accuracy/held_out"] = _figure(lambda: shown_share(held_out))
            figures["overfit"] = gap
            figures["alarm"] = _figure(lambda: float(float(gap) > self.config.alarm))
        if self.alive is not None:
            figures |= {"offset": self.offset, "lived_length": self.alive.lived.length}
        return figures

    def _logits(self, rows: Steps) -> NDArray[np.float32]:
        """`[m]` of rows at even distances, `JUDGED_ROWS` at most."""
        return self._logit(rows.at(np.arange(0, rows.rows, -(-rows.rows // JUDGED_ROWS))))

    def state_dict(self) -> dict[str, Any]:
        """See `RewardSignal`."""
        return {
            "net": self.net.state_dict(),
            "adam": self.adam.state_dict(),
            "price": self.price,
            "alive": None if self.alive is None else self.alive.state_dict(),
            "left_to_measure": self._left_to_measure,
            "rng": self.rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `RewardSignal`."""
        self.net.load_state_dict(state["net"])
        self.adam.load_state_dict(state["adam"])
        self.price = float(state["price"])
        if self.alive is not None:
            self.alive.load_state_dict(state["alive"])
        self._left_to_measure = int(state["left_to_measure"])
        self.rng.bit_generator.state = state["rng"]


def _figure(work: Callable[[], float]) -> Cost:
    """A number that is worked out when somebody reads it, and pulls at nothing."""
    return Cost(work)
