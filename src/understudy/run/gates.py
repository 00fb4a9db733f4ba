"""Who acts, the learner or its expert, and where the expert is asked: one idea a class.

A step has two questions. `asks`: where is the expert asked what to do, seeing what the learner
is about to do? Every answer is a label. `yields`: where is the answer done instead of the
learner's own action? Where the expert says nothing the learner acts, and there is no label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class GateConfig:
    """Where the expert is asked, and where it acts, once it no longer always does."""

    kind: Literal["none", "takeover", "doubt", "discrepancy", "budget"] = "none"
    """`none` asks everywhere and the learner acts (DAgger; Ross et al., 2011). `takeover` lets an
    expert that watches act whenever it wants to (HG-DAgger; Kelly et al., 2019). `doubt` asks, and
    lets act, where an ensemble disagrees by more than `threshold` (EnsembleDAgger; Menda et al.,
    2019). `discrepancy` asks everywhere and lets the expert act where it would do something else.
    `budget` is `doubt` with the threshold that asks for a `share` of the steps (ThriftyDAgger;
    Hoque et al., 2021)."""
    threshold: Annotated[float, Gt(0)] = 0.1
    """Of `doubt`: root mean variance of the ensemble, at most 0.5 for choices; of `discrepancy`:
    difference in units of the action's scale, any other choice being 1 apart."""
    share: Annotated[float, Gt(0), Le(1)] = 0.2
    """Of `budget`: on which share of the steps the expert is asked."""
    members: Annotated[int, Gt(1)] = 5
    """Policies in the ensemble of `doubt` and `budget`; the first of them is what is kept."""

    @property
    def ensemble(self) -> int:
        """How many policies learn side by side: 1 where nobody asks how sure they are."""
        return self.members if self.kind in ("doubt", "budget") else 1


class Gate(Protocol):
    """Decides who acts."""

    def asks(self, doubt: Numbers) -> Mask:
        """`[n]` where the expert is asked.

        Args:
            doubt: `[n]` see `ops.doubt.disagreement`; 0 without an ensemble.
        """
        ...

    def yields(self, apart: Numbers) -> Mask:
        """`[n]` where what the expert says is done, if it says something.

        Args:
            apart: `[n]` how far that is from what the learner would do, see
                `ops.doubt.discrepancy`; 0 where nobody was asked or said anything.
        """
        ...


class Everywhere:
    """The expert labels every step, and the learner acts.

    Ross, Gordon and Bagnell (2011), algorithm 3.1, arXiv:1011.0686.
    """

    def asks(self, doubt: Numbers) -> Mask:
        """See `Gate`."""
        return np.ones(len(doubt), bool)

    def yields(self, apart: Numbers) -> Mask:
        """See `Gate`."""
        return np.zeros(len(apart), bool)


class TakeOver:
    """The expert watches, and acts whenever it says something.

    Kelly et al. (2019), "HG-DAgger", arXiv:1810.02890: only what it does is learned from.
    """

    def asks(self, doubt: Numbers) -> Mask:
        """See `Gate`."""
        return np.ones(len(doubt), bool)

    def yields(self, apart: Numbers) -> Mask:
        """See `Gate`."""
        return np.ones(len(apart), bool)


class Doubt:
    """The expert is asked, and acts, where the ensemble disagrees by more than a threshold.

    Menda, Driggs-Campbell and Kochenderfer (2019), "EnsembleDAgger", arXiv:1807.08364: their doubt
    rule alone, which needs no answer beforehand.
    """

    def __init__(self, threshold: float) -> None:
        """Args: threshold: of the doubt, in its units."""
        self.threshold = threshold

    def asks(self, doubt: Numbers) -> Mask:
        """See `Gate`."""
        return doubt > self.threshold

    def yields(self, apart: Numbers) -> Mask:
        """See `Gate`."""
        return np.ones(len(apart), bool)


class Discrepancy:
    """The expert labels every step, and acts where the learner would do something else.

    The rule that Zhang and Cho (2017), "SafeDAgger", arXiv:1605.06450, train a classifier to guess;
    here the expert itself is asked, so it keeps the learner safe and saves no label.
    """

    def __init__(self, threshold: float) -> None:
        """Args: threshold: of the discrepancy, in its units."""
        self.threshold = threshold

    def asks(self, doubt: Numbers) -> Mask:
        """See `Gate`."""
        return np.ones(len(doubt), bool)

    def yields(self, apart: Numbers) -> Mask:
        """See `Gate`."""
        return apart > self.threshold


class Budget:
    """The expert is asked, and acts, on a share of the steps: those of the greatest doubt.

    The threshold is the quantile of all doubts so far in the round, as Hoque et al. (2021),
    "ThriftyDAgger", section 4.4, arXiv:2109.08273, set theirs from the states that were visited.
    A step of the same doubt as many others is asked about with the chance that keeps the share.

    Attributes:
        share: Of the steps.
    """

    def __init__(self, share: float, rng: np.random.Generator) -> None:
        """Args: share: in (0, 1]. rng: decides between equals."""
        self.share, self._rng = share, rng
        self._seen: list[float] = []

    def asks(self, doubt: Numbers) -> Mask:
        """See `Gate`."""
        if not len(doubt):
            return np.zeros(0, bool)
        self._seen += doubt.tolist()
        seen = np.array(self._seen)
        threshold = np.quantile(seen, 1 - self.share, method="higher")
        above, equal = float((seen > threshold).mean()), float((seen == threshold).mean())
        chance = (self.share - above) / equal
        tied = (doubt == threshold) & (self._rng.random(len(doubt)) < chance)
        return (doubt > threshold) | tied

    def yields(self, apart: Numbers) -> Mask:
        """See `Gate`."""
        return np.ones(len(apart), bool)


def make_gate(config: GateConfig, rng: np.random.Generator) -> Gate:
    """The gate of one round.

    Args:
        config: Which.
        rng: Of what it leaves to chance.
    """
    if config.kind == "takeover":
        return TakeOver()
    if config.kind == "doubt":
        return Doubt(config.threshold)
    if config.kind == "discrepancy":
        return Discrepancy(config.threshold)
    if config.kind == "budget":
        return Budget(config.share, rng)
    return Everywhere()
