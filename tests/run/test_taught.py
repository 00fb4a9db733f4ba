"""Who acts, what is said, and what nobody is asked about."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.episode import ActedBy
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.envs.env import Moment
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.run.gates import Doubt, Everywhere, TakeOver
from understudy.run.taught import Taught

SPEC = Spec(
    obs={"obs": Obs(kind="vector", shape=(1,))},
    action=ActionSpec(continuous=1, low=(-1,), high=(1,)),
)


def model_of(seed=0, memory=0):
    net = NetConfig(hidden=(4,), memory=memory, normalize=False)
    return make_model(SPEC, Product(SPEC.action), net, np.random.default_rng(seed))


def constant(number):
    return Fixed(lambda obs: Action(np.full((len(obs["obs"]), 1), number, np.float32), none(obs)))


def none(obs):
    return np.zeros((len(obs["obs"]), 0), np.int64)


class Now:
    """Says a number where what it sees is positive; remembers in how many steps it watched."""

    acted_by = ActedBy.HUMAN
    proposed = None

    def __init__(self, memory=False):
        self.memory, self.seen = memory, []

    def start(self, slots):
        return {"watched": np.zeros((slots, 1))} if self.memory else {}

    def act(self, obs, state, fresh):
        self.seen.append(len(fresh))
        self.spoke = obs["obs"][:, 0] > 0
        after = {name: np.where(fresh[:, None], 0, s) + 1 for name, s in state.items()}
        number = after["watched"] / 10 if self.memory else np.full((len(fresh), 1), 0.9)
        return Action(number.astype(np.float32), none(obs)), after


def moment(*obs, ended=(), fresh=(), slots=None):
    count = len(obs)
    at = np.arange(count)
    return Moment(
        slots=at if slots is None else np.array(slots),
        obs={"obs": np.array(obs, np.float32)[:, None]},
        reward=np.zeros(count, np.float32),
        terminated=np.isin(at, ended),
        truncated=np.zeros(count, bool),
        fresh=np.isin(at, fresh),
    )


def taught(expert, gate=None, beta=0.0, labels=100, slots=3, models=None, **changes):
    return Taught(
        models or [model_of()],
        expert,
        gate or Everywhere(),
        slots,
        beta=beta,
        labels=labels,
        rng=np.random.default_rng(0),
        **changes,
    )


def test_the_learner_acts_and_the_expert_labels():
    pair = taught(constant(0.5))
    lesson = pair.step(moment(1, 2, 3))
    assert lesson.labeled.all()
    assert (lesson.label.continuous == 0.5).all()
    assert (lesson.executed.continuous == lesson.own.continuous).all()
    assert abs(lesson.executed.continuous - 0.5).min() > 0.1
    assert (lesson.acted_by == ActedBy.LEARNER).all()
    assert (pair.num_labels, pair.num_overruled, pair.num_steps) == (3, 0, 3)


def test_the_expert_acts_as_often_as_beta_says():
    pair = taught(constant(0.5), beta=0.3, slots=2000, labels=9999)
    lesson = pair.step(moment(*np.zeros(2000)))
    acted = lesson.acted_by == ActedBy.SCRIPT
    assert acted.mean() == pytest.approx(0.3, abs=0.03)
    assert (lesson.executed.continuous[acted] == 0.5).all()
    assert (lesson.executed.continuous[~acted] == lesson.own.continuous[~acted]).all()
    assert lesson.labeled.all()


def test_what_is_done_and_said_is_within_the_bounds():
    lesson = taught(constant(7), beta=1).step(moment(1))
    assert lesson.executed.continuous == lesson.label.continuous == 1


def test_an_expert_that_says_nothing_lets_the_learner_act_unlabeled():
    lesson = taught(Now(), TakeOver(), beta=1).step(moment(-1, 1, -1))
    assert lesson.labeled.tolist() == [False, True, False]
    assert lesson.acted_by.tolist() == [ActedBy.UNLABELED, ActedBy.HUMAN, ActedBy.UNLABELED]
    done, own = lesson.executed.continuous[:, 0], lesson.own.continuous[:, 0]
    assert done.tolist() == [own[0], np.float32(0.9), own[2]]
    assert (lesson.label.continuous == lesson.executed.continuous).all()


@pytest.mark.parametrize("beta", [0, 1])
def test_nobody_is_asked_at_the_end_of_an_episode(beta):
    expert = Now()
    pair = taught(expert, beta=beta)
    lesson = pair.step(moment(1, 1, 1, ended=[1]))
    assert expert.seen == [2]
    assert lesson.labeled.tolist() == [True, False, True]
    pair.step(moment(1, ended=[0]))
    assert (expert.seen, pair.num_steps) == ([2], 2)


def test_no_more_labels_are_asked_for_than_there_are_left():
    pair = taught(constant(0.5), labels=4)
    assert pair.step(moment(1, 1, 1)).labeled.sum() == 3
    assert pair.step(moment(1, 1, 1)).labeled.tolist() == [True, False, False]
    assert (pair.left, pair.num_labels) == (0, 4)


def test_silence_costs_no_label():
    pair = taught(Now(), labels=1, slots=1)
    assert not pair.step(moment(-1)).labeled[0]
    assert pair.step(moment(1)).labeled[0]


def test_an_expert_without_memory_sees_only_what_it_is_asked_about():
    models = [model_of(0), model_of(1)]
    expert = Now()
    assert not taught(expert, Doubt(9.0), models=models).step(moment(1, 1)).labeled.any()
    assert expert.seen == []


def test_an_expert_with_memory_watches_steps_that_it_is_not_asked_about():
    # The gate opens at the third step.
    class Third(TakeOver):
        steps = 0

        def asks(self, doubt):
            self.steps += 1
            return np.full(len(doubt), self.steps == 3)

    pair = taught(Now(memory=True), Third(), slots=1)
    lessons = [pair.step(moment(1, fresh=[0] if t == 0 else [])) for t in range(3)]
    assert [bool(lesson.labeled[0]) for lesson in lessons] == [False, False, True]
    assert lessons[2].label.continuous[0, 0] == np.float32(0.3)


def test_the_learner_remembers_by_slot_as_it_would_alone():
    model = model_of(memory=3)
    pair = taught(constant(0.0), models=[model], slots=2)
    first, second = (pair.step(moment(0.5, slots=[1], fresh=[0] if t == 0 else [])) for t in (0, 1))
    pair.step(moment(0.1, slots=[0], fresh=[0]))
    third = pair.step(moment(0.5, slots=[1]))
    alone = model.actor(1)
    state = {name: np.zeros((1, *shape), np.float32) for name, shape in model.memory.items()}
    for t, lesson in enumerate((first, second, third)):
        seen = {"obs": np.full((1, 1), 0.5, np.float32)}
        head, state = alone(seen, state, np.array([t == 0]))
        expected = model.dist.mode(head).continuous
        assert lesson.own.continuous == pytest.approx(np.clip(expected, -1, 1))
    assert first.own.continuous != third.own.continuous


def test_an_ensemble_doubts_where_its_members_differ():
    one = model_of(0)
    twin, other = model_of(0), model_of(0)
    other.flat.value[:] = np.random.default_rng(5).normal(size=len(other.flat.value))
    same = taught(constant(0.0), models=[one, twin]).step(moment(1, 2, 3))
    different = taught(constant(0.0), models=[one, other]).step(moment(1, 2, 3))
    assert (same.doubt == 0).all()
    assert (different.doubt > 0.01).all()


def test_drawn_actions_differ_from_the_likeliest():
    likeliest, drawn = (
        taught(constant(0.0), sampled=sampled).step(moment(1, 1)).own.continuous
        for sampled in (False, True)
    )
    assert likeliest[0] == likeliest[1]
    assert drawn[0] != drawn[1]
