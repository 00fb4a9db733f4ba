"""Who learns from what an expert has said so far: one policy, or an ensemble, anew every round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from understudy.data.batch import Batch
from understudy.data.demos import Rows
from understudy.data.spec import Spec
from understudy.learners.learner import Metrics
from understudy.learners.supervised import Supervised, SupervisedConfig
from understudy.nets.flat import Flat
from understudy.nets.model import Model, NetConfig, make_model
from understudy.ops.product import Product
from understudy.run.cloning import action_units
from understudy.run.source import Offline, OfflineConfig
from understudy.terms.term import LossTerm


class Pupil(NamedTuple):
    """One policy and what it learns from; nothing before the first round."""

    learner: Supervised
    source: Offline | None

    @property
    def model(self) -> Model:
        """The policy."""
        return self.learner.model


@dataclass(frozen=True, slots=True)
class Recipe:
    """How every round is learned.

    Attributes:
        spec: What is seen and done.
        net: What a policy looks like.
        learner: How its weights move.
        source: How labels are served.
        start: Whether a round begins with new weights, or with those of the round before.
        updates: Updates in a round.
        members: How many policies learn.
        seed: Of weights and orders.
    """

    spec: Spec
    net: NetConfig
    learner: SupervisedConfig
    source: OfflineConfig
    start: Literal["anew", "warm"]
    updates: int
    members: int
    seed: int


class Pupils:
    """Supervised learning on a growing set of labels. See `Learner`.

    All that is random in a round comes from the seed and the round's number, so a round depends on
    its labels (and, with `start="warm"`, on the weights before) and on nothing else.

    Attributes:
        members: The policy that is kept, and whoever else is in its ensemble.
        model: The policy that is kept.
        round: The round that they learn or have learned; -1 before the first.
    """

    def __init__(self, recipe: Recipe, terms: Mapping[str, LossTerm]) -> None:
        """Make policies that have learned nothing.

        Args:
            recipe: How to learn.
            terms: What the labels are learned by, by name.
        """
        self.recipe, self.terms, self.round = recipe, terms, -1
        self.members = [self._new(m, Product(recipe.spec.action)) for m in range(recipe.members)]
        self.model = self.members[0].model

    @property
    def flats(self) -> tuple[Flat, ...]:
        """All weights."""
        return tuple(pupil.model.flat for pupil in self.members)

    @property
    def num_updates(self) -> int:
        """In this round so far."""
        return self.members[0].learner.num_updates

    @property
    def over(self) -> bool:
        """Whether this round has been learned."""
        return self.round < 0 or self.num_updates >= self.recipe.updates

    def begin(self, round_: int, first: Rows, rows: Rows) -> None:
        """Go over to a round.

        Args:
            round_: Which.
            first: What was known in the first round: with `start="warm"` it sets the units of
                actions, which must not change under weights that stay.
            rows: What is known now, labeled or not.
        """
        warm = self.recipe.start == "warm" and round_ > 0
        before, self.round = self.members, round_
        labeled = rows.labeled
        dist = _dist(self.recipe.spec, first.labeled if warm else labeled)
        self.members = []
        for m in range(self.recipe.members):
            learner = self._new(m, dist).learner
            if warm:
                _take_over(learner, before[m].learner)
            learner.model.observe({name: x[rows.acted] for name, x in rows.obs.items()})
            order = self._rng(m, 1)
            source = Offline(labeled, learner.model, self.recipe.source, order)
            self.members.append(Pupil(learner, source))
        self.model = self.members[0].model

    def batches(self) -> Iterator[Batch]:
        """A turn's batches for the policy that is kept, none after the round's last."""
        source = self.members[0].source
        if source is not None:
            for _, batch in zip(
                range(self.recipe.updates - self.num_updates), source.batches(), strict=False
            ):
                yield batch

    def update(self, batch: Batch, progress: float) -> Metrics:
        """One step of every member, each on a batch of its own; rates fall over the round."""
        done = self.num_updates / self.recipe.updates
        for learner, source in self.members[1:]:
            assert source is not None, "a round has begun"
            learner.update(source.draw(), done)
        return self.members[0].learner.update(batch, done)

    @contextmanager
    def averaged(self) -> Iterator[list[Model]]:
        """Inside, all policies have the weights that are kept."""
        with ExitStack() as stack:
            for pupil in self.members:
                stack.enter_context(pupil.learner.averaged())
            yield [pupil.model for pupil in self.members]

    def state_dict(self) -> dict[str, Any]:
        """See `Learner`; what is learned from is not in it."""
        return {
            "round": self.round,
            "members": [
                {
                    "learner": learner.state_dict(),
                    "source": None if source is None else source.state_dict(),
                }
                for learner, source in self.members
            ],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Learner`; its round must have begun.

        Raises:
            ValueError: It is the state of another ensemble.
        """
        if len(state["members"]) != len(self.members):
            raise ValueError(f"{len(state['members'])} policies, expected {len(self.members)}")
        for (learner, source), known in zip(self.members, state["members"], strict=True):
            learner.load_state_dict(known["learner"])
            if source is not None:
                source.load_state_dict(known["source"])

    def _new(self, member: int, dist: Product) -> Pupil:
        r = self.recipe
        model = make_model(r.spec, dist, r.net, self._rng(member, 0))
        return Pupil(Supervised(model, self.terms, r.learner), None)

    def _rng(self, member: int, use: int) -> np.random.Generator:
        key = (self.round + 1, member, use)
        return np.random.default_rng(np.random.SeedSequence(self.recipe.seed, spawn_key=key))


def _dist(spec: Spec, rows: Rows) -> Product:
    return Product(spec.action, *action_units(spec.action, rows))


def _take_over(learner: Supervised, before: Supervised) -> None:
    """Begin with the weights that another has come to, and with its normalizer."""
    with before.averaged():
        learner.model.load_state_dict(before.model.state_dict())
    learner.average[:] = learner.model.flat.value
