"""Which way to learn suits these demonstrations in this environment, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import Spec
from understudy.data.subsample import PART_OF, wholes

PLENTY = 10
"""Whole episodes from which on cloning alone is worth trying first."""
SAME = 0.95
"""Share of the steps on the way with the same reward from which on it says nothing there."""


LOOKED_AT = 1000
"""So many episodes at most are looked at, at even distances."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to learn.

    Attributes:
        method: See `understudy.run.methods`.
        why: In two sentences: what was found, and what follows.
    """

    method: str
    why: str


ASKED = Choice(
    "dagger",
    "There is an expert who can be asked. So the policy acts, and the expert says what to do where "
    "the policy gets to: nothing needs fewer labels.",
)
"""Where somebody can be asked, whatever was shown."""


def choose(demos: Demos, spec: Spec) -> Choice:
    """A method for imitating in an environment; whoever knows better names another.

    Few demonstrations say what to do where they went, and nothing about the way back to there: so
    a policy that only clones them drifts off, and one that may act learns to return (Ho and Ermon,
    2016, figure 1, arXiv:1606.03476). With many there is little left to drift to. Where the task's
    own reward comes so rarely that chance does not find it, what was shown leads there, and the
    reward then leads beyond it.

    Args:
        demos: What was shown.
        spec: What the environment shows and takes.
    """
    # A large set is on a disk, and must not be read whole to be chosen for.
    some = demos if len(demos) <= LOOKED_AT else demos.pick(_spread(len(demos)))
    thinned = any(PART_OF in episode.info for episode in some)
    count = len(wholes(demos)[0]) if thinned else len(demos)
    steps = demos.num_steps
    shown = f"{count} episode{'s' * (count != 1)} with {steps:,} steps {_was(count)} shown"
    if rare := _rare_reward(some):
        return Choice(
            "guided",
            f"{shown}, and {rare}. So the policy clones first, and then seeks the environment's "
            "reward and to be taken for who showed, cloning ever less.",
        )
    if count >= PLENTY and not thinned:
        return Choice(
            "bc",
            f"{shown}, which is plenty. So the policy clones them: that is quick, and needs no "
            "step of the environment.",
        )
    few = "only some of their steps" if thinned else "few"
    only_numbers = bool(spec.action.continuous) and not spec.action.branches
    return Choice(
        "dac" if only_numbers else "gail",
        f"{shown}, which is {few}: a policy that only clones them drifts off to where nothing was "
        "shown. So it acts, and learns to be taken for who showed.",
    )


def _spread(count: int) -> NDArray[np.int64]:
    """`[LOOKED_AT]` places at even distances among `count`."""
    return np.linspace(0, count - 1, LOOKED_AT).astype(np.int64)


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _rare_reward(demos: Demos) -> str:
    """How the rewards say next to nothing on the way; empty where they do, or are not known."""
    rewards = [e.reward for e in demos if e.reward is not None and len(e) > 1]
    if not rewards or len(rewards) < len(demos):
        return ""
    on_the_way = np.concatenate([reward[:-1] for reward in rewards])
    values, counts = np.unique(on_the_way, return_counts=True)
    most, share = float(values[counts.argmax()]), float(counts.max() / len(on_the_way))
    at_the_end = any(reward[-1] > most for reward in rewards)
    reached = any(e.end is End.TERMINATED for e in demos)
    if share < SAME or most > 0 or not (at_the_end or (most < 0 and reached)):
        return ""
    return f"{share:.0%} of the steps on the way earned the same ({most:g})"
