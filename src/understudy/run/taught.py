"""A learner and its expert side by side: who is asked, who acts, and what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.episode import ActedBy, Tree
from understudy.envs.env import Moment
from understudy.nets.model import Act, Model, start_state
from understudy.ops.doubt import disagreement, discrepancy
from understudy.run.gates import Gate


class Sparing(Actor, Protocol):
    """An expert that need not say anything: a person who watches, above all.

    Attributes:
        spoke: `[n]` bool, for which slots it said something in the last `act`. What it returned for
            the others means nothing: the learner acts there, and there is no label.
    """

    spoke: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What happened in `n` slots at once.

    Attributes:
        executed: `[n, ...]` what was done, within the bounds.
        label: `[n, ...]` what the expert would have done, within the bounds; where it said
            nothing, what was done.
        own: `[n, ...]` what the learner would have done, within the bounds.
        labeled: `[n]` bool, where the expert said something.
        acted_by: `[n]` uint8, an `ActedBy` for every slot.
        doubt: `[n]` how much the ensemble disagreed; 0 without one.
    """

    executed: Action
    label: Action
    own: Action
    labeled: NDArray[np.bool_]
    acted_by: NDArray[np.uint8]
    doubt: NDArray[np.float64]


class Taught:
    """A learner and its expert in an environment of one behavior, with the memory of every slot.

    In every step the expert acts with probability `beta`, as in the mixture of Ross et al. (2011),
    algorithm 3.1, arXiv:1011.0686; elsewhere a gate decides. An expert with a memory watches every
    step; one without sees only what it is asked about. At the end of an episode nobody is asked.

    Attributes:
        left: How many more labels may be asked for.
        num_labels: How many the expert has given.
        num_overruled: In how many steps it acted.
        num_steps: How many steps there were.
    """

    def __init__(
        self,
        models: Sequence[Model],
        expert: Actor,
        gate: Gate,
        slots: int,
        *,
        beta: float,
        labels: int,
        rng: np.random.Generator,
        sampled: bool = False,
    ) -> None:
        """Begin; nobody remembers anything yet.

        Args:
            models: The learner, and whoever else is in its ensemble.
            expert: Who is asked; it may be `Sparing`.
            gate: Where it is asked and where it acts.
            slots: How many the environment has.
            beta: Chance in [0, 1] that the expert is asked and acts whatever the gate says.
            labels: How many may be asked for.
            rng: Decides by `beta`, and draws actions.
            sampled: The learner draws its actions instead of taking the likeliest.
        """
        self.models, self.expert, self.gate = models, expert, gate
        self.beta, self.left, self.sampled, self._rng = beta, labels, sampled, rng
        self.num_labels = self.num_overruled = self.num_steps = 0
        self._states = [start_state(model, slots) for model in models]
        self._said = expert.start(slots)
        self._watches = bool(self._said)
        self._acts: dict[int, list[Act]] = {}

    def step(self, moment: Moment) -> Lesson:
        """What the slots that speak do now."""
        count, going = len(moment.slots), ~moment.ended
        spec, dist = self.models[0].spec.action, self.models[0].dist
        heads = self._look(moment)
        doubt = disagreement(dist, heads) if len(heads) > 1 else np.zeros(count)
        noise = dist.noise(self._rng, count) if self.sampled else None
        own = (dist.mode(heads[0]) if noise is None else dist.sample(heads[0], noise)).within(spec)

        expert_acts = self._rng.random(count) < self.beta
        # The gate judges only steps that are really taken: it may remember what it has seen.
        gated = np.zeros(count, bool)
        gated[going] = self.gate.asks(doubt[going])
        asked = going & (expert_acts | gated)
        asked &= asked.cumsum() <= self.left
        said, labeled = self._ask(moment, asked, own)
        said = said.within(spec)

        apart = np.where(labeled, discrepancy(dist, own, said), 0.0)
        acts = labeled & (expert_acts | self.gate.yields(apart))
        executed = _chosen(acts, said, own)
        acted_by = np.where(labeled, ActedBy.LEARNER, ActedBy.UNLABELED).astype(np.uint8)
        acted_by[acts] = self.expert.acted_by
        self.left -= int(labeled.sum())
        self.num_labels += int(labeled.sum())
        self.num_overruled += int(acts.sum())
        self.num_steps += int(going.sum())
        return Lesson(executed, _chosen(labeled, said, executed), own, labeled, acted_by, doubt)

    def _look(self, moment: Moment) -> NDArray[np.float32]:
        """`[members, n, ...]` the heads of all members, which remember what they see."""
        count = len(moment.slots)
        if count not in self._acts:
            # Of one size only: where slots come and go each would keep its buffers.
            self._acts = {count: [model.actor(count) for model in self.models]}
        heads: list[NDArray[Any]] = []
        for act, memory in zip(self._acts[count], self._states, strict=True):
            told = {name: s[moment.slots] for name, s in memory.items()}
            head, after = act(moment.obs, told, moment.fresh)
            heads.append(np.array(head))
            for name, s in after.items():
                memory[name][moment.slots] = s
        return np.stack(heads)

    def _ask(
        self, moment: Moment, asked: NDArray[np.bool_], otherwise: Action
    ) -> tuple[Action, NDArray[np.bool_]]:
        """`[n, ...]` what the expert says, and `[n]` where it says something."""
        rows = np.flatnonzero(~moment.ended if self._watches else asked)
        said = Action(otherwise.continuous.copy(), otherwise.discrete.copy())
        labeled = np.zeros(len(asked), bool)
        if not len(rows):
            return said, labeled
        slots = moment.slots[rows]
        told = {name: s[slots] for name, s in self._said.items()}
        obs: Tree = {name: x[rows] for name, x in moment.obs.items()}
        answer, after = self.expert.act(obs, told, moment.fresh[rows])
        for name, s in after.items():
            self._said[name][slots] = s
        labeled[rows] = getattr(self.expert, "spoke", True)
        labeled &= asked
        heard = labeled[rows]
        said.continuous[labeled] = answer.continuous[heard]
        said.discrete[labeled] = answer.discrete[heard]
        return said, labeled


def _chosen(where: NDArray[np.bool_], one: Action, other: Action) -> Action:
    return Action(
        np.where(where[:, None], one.continuous, other.continuous),
        np.where(where[:, None], one.discrete, other.discrete),
    )
