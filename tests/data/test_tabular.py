"""States that can be counted."""

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import Episode
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.data.tabular import TabularActor, state_of, walks
from understudy.errors import DemoError

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(3,))}, action=ActionSpec(branches=(2,)))


def seen(*states):
    return {"obs": np.eye(3, dtype=np.float32)[list(states)]}


def discrete(*choices):
    return Action(np.zeros((len(choices), 0), np.float32), np.array(choices)[:, None])


def episode(states, choices, **more):
    return Episode(
        obs=seen(*states),
        action=discrete(*choices),
        acted_by=np.zeros(len(choices), np.uint8),
        **more,
    )


def test_a_walk_is_states_and_what_was_meant():
    shown = episode([0, 2, 1], [1, 0], proposed=discrete(1, 1))
    (walk,) = walks(Demos(SPEC, [shown]), 3, 2)
    assert walk.states.tolist() == [0, 2, 1]
    assert walk.choices.tolist() == [1, 1]


@pytest.mark.parametrize(("states", "actions"), [(4, 2), (3, 3)])
def test_demonstrations_of_another_size_are_refused(states, actions):
    with pytest.raises(DemoError, match="expected a one-hot of"):
        list(walks(Demos(SPEC, [episode([0, 1], [0])]), states, actions))


def test_an_unknown_last_state_is_refused():
    shown = episode([0, 1], [0], final_obs_known=False, label="walk.demos#3")
    with pytest.raises(DemoError, match=r"walk\.demos#3: its last observation is missing"):
        list(walks(Demos(SPEC, [shown]), 3, 2))


@pytest.mark.parametrize("odd", [[0, 0, 0], [1, 1, 0], [0, 0.5, 0.5], [2, 0, -1]])
def test_what_is_no_one_hot_is_refused(odd):
    with pytest.raises(DemoError, match="expected a one-hot of 3"):
        state_of({"obs": np.array([[0, 1, 0], odd])})


def test_an_actor_looks_its_choice_up_by_state_and_time():
    # Choice 0 at first in states 0 and 1, and choice 1 in state 2; from then on the opposite.
    policy = np.array([[[1, 0], [1, 0], [0, 1]], [[0, 1], [0, 1], [1, 0]]], np.float64)
    actor, no = TabularActor(policy), np.zeros(3, np.bool_)
    first, state = actor.act(seen(0, 1, 2), actor.start(3), ~no)
    later, state = actor.act(seen(0, 1, 2), state, no)
    again, state = actor.act(seen(0, 1, 2), state, no)
    assert first.discrete.tolist() == [[0], [0], [1]]
    assert later.discrete.tolist() == again.discrete.tolist() == [[1], [1], [0]]
    fresh, _ = actor.act(seen(0, 1, 2), state, np.array([True, False, True]))
    assert fresh.discrete.tolist() == [[0], [1], [1]]


def test_an_actor_draws_with_the_chances_of_its_table():
    chances = np.array([0.6, 0.0, 0.3, 0.1])
    actor = TabularActor(np.tile(chances, (1, 3, 1)), seed=1)
    many = 20_000
    action, _ = actor.act(seen(*[1] * many), actor.start(many), np.ones(many, bool))
    counts = np.bincount(action.discrete[:, 0], minlength=4)
    assert counts[1] == 0
    # Four standard deviations of a count of 20,000.
    assert np.abs(counts / many - chances).max() < 4 * (0.25 / many) ** 0.5


def test_the_same_seed_draws_the_same():
    policy, no = np.full((1, 3, 2), 0.5), np.zeros(50, bool)
    one, other = (TabularActor(policy, seed=3) for _ in range(2))
    obs = seen(*[0] * 50)
    first, second = (a.act(obs, a.start(50), no)[0].discrete for a in (one, other))
    assert np.array_equal(first, second)
