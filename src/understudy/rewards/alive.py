"""What being alive is worth to who imitates: no more and no less than to who demonstrated.

Imitation means to be in every state as often as the demonstrator is, and being over is a state too.
A discriminator does not see it: nothing is done there. So a reward that is positive everywhere
keeps a policy from finishing, one that is negative everywhere makes it give up (Kostrikov et al.,
2019, section 3.1, arXiv:1809.02925, who give the end a state of its own, a learned one).

What the discriminator of that state would say is known, though. Let each episode that terminates
spend one more step in a state after the end, and let `L` be the steps per termination. Of all steps
`L / (L + 1)` are alive and `1 / (L + 1)` are not. With a discriminator of live rows alone, whose
optimum is the log ratio `f` of shares among live rows, the log ratios of all rows are

    alive:     f + log(L_E / (L_E + 1)) - log(L_P / (L_P + 1))
    after it:      log(  1 / (L_E + 1)) - log(  1 / (L_P + 1))

for the demonstrator E and the policy P. The same number may be added to every reward, the state
after the end included, without preferring another policy; with the second line subtracted that
state is worth nothing, and a live row earns

    f + log(L_E / L_P).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from understudy.data.episode import End
from understudy.data.subsample import Whole
from understudy.errors import DemoError

LEAST = 0.5
"""Terminations that are counted where none was seen."""


class Count(NamedTuple):
    """How long somebody was seen to live.

    Attributes:
        steps: Actions taken.
        ends: Terminations among them; time limits terminate nothing.
    """

    steps: float = 0.0
    ends: float = 0.0

    @property
    def length(self) -> float:
        """Steps per termination; where there was none, so many that half of one is no surprise."""
        return self.steps / max(self.ends, LEAST)


def alive_offset(shown: Count, lived: Count, limit: float) -> float:
    """`log(L_E / L_P)`: what a live step earns beside the log ratio.

    Whoever was never seen to terminate lives at least so long, and nobody knows how much longer. So
    a policy that has not done so yet is not asked to live on: the offset is not positive. But where
    the demonstrator never did, nothing is less like what was shown than an end, and its log ratio
    is what the least is for any row: the offset is `limit`.

    Note:
        An offset of 0 there, or one from the bound, would be wrong: the log ratio of rows that a
        policy lives is below 0 on average (it is minus a divergence), so that to end would pay. On
        CartPole from 25 steps of one demonstration two of five policies that had long balanced
        began to fall again, and ended at 283 and 295 of 500.

    Args:
        shown: Of the demonstrator, in whole episodes.
        lived: Of the policy.
        limit: The offset stays within this distance of 0; no log ratio should be further from it.
    """
    if not shown.steps > 0 or not lived.steps > 0:
        return 0.0
    if shown.ends < LEAST:
        return limit
    most = 0.0 if lived.ends < LEAST else limit
    return min(max(math.log(shown.length / lived.length), -limit), most)


class Alive:
    """Counts steps and terminations, and says what being alive is worth.

    What the policy did is forgotten little by little, since it changes.

    Attributes:
        shown: Of whole demonstrations.
        lived: Of the policy, as far as it is remembered.
    """

    def __init__(self, shown: Sequence[Whole], rows: float, limit: float) -> None:
        """Count what was shown.

        Args:
            shown: Whole episodes, before anything was cut from them.
            rows: After so many rows of the policy's a row counts for 1/e.
            limit: See `alive_offset`.

        Raises:
            DemoError: It is not known how an episode ended.
        """
        if unknown := sum(whole.end is End.UNKNOWN for whole in shown):
            raise DemoError(
                f"{unknown} of {len(shown)} demonstrations do not say whether the task was over at "
                "their end or they were cut off, and imitation by a discriminator needs to know "
                "what an end is worth: say so in the recordings, or set offset=none and take the "
                "bias"
            )
        self.rows, self.limit = rows, limit
        self.shown = Count(
            sum(whole.steps for whole in shown), sum(whole.end is End.TERMINATED for whole in shown)
        )
        self.lived = Count()

    def hear(self, steps: float, ends: float) -> None:
        """Count more of what the policy did: rows, and how many of them terminated."""
        keep = math.exp(-steps / self.rows)
        self.lived = Count(keep * self.lived.steps + steps, keep * self.lived.ends + ends)

    @property
    def offset(self) -> float:
        """See `alive_offset`."""
        return alive_offset(self.shown, self.lived, self.limit)

    def state_dict(self) -> dict[str, Any]:
        """What the policy did."""
        return {"steps": self.lived.steps, "ends": self.lived.ends}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.lived = Count(float(state["steps"]), float(state["ends"]))
