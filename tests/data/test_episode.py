"""One agent's life, and whether it fits what it says it is."""

from dataclasses import replace

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.episode import End, check_episode, empty_obs, pad_entities
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError
from worlds import episode_of, toy_demos

SPEC = Spec(
    obs={"obs": Obs(kind="vector", shape=(2,))}, action=ActionSpec(continuous=1, branches=(3,))
)


def episode(**changes):
    made = episode_of(
        SPEC,
        [[0, 1], [2, 3], [4, 5]],
        continuous=[0.5, -0.5],
        discrete=[2, 0],
        reward=np.array([1, 2], np.float32),
        label="file#3",
    )
    return replace(made, **changes)


def test_an_episode_has_one_observation_more_than_actions():
    made = episode(end=End.TERMINATED)
    assert len(made) == 2
    assert len(made.obs["obs"]) == 3
    assert made.terminated
    assert not made.truncated
    assert made.return_ == 3
    assert np.isnan(episode(reward=None).return_)
    assert check_episode(made, SPEC) is made


def test_what_was_meant_is_what_was_done_unless_it_says_otherwise():
    made = episode()
    assert made.meant is made.action
    proposed = Action(np.zeros((2, 1), np.float32), np.ones((2, 1), np.int64))
    assert episode(proposed=proposed).meant is proposed


def nan_at(index, shape):
    x = np.zeros(shape, np.float32)
    x[index] = np.nan
    return x


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"obs": {}}, r"file#3: observations \[\], expected \['obs'\]"),
        (
            {"obs": {"obs": np.zeros((2, 2), np.float32)}},
            r"observation 'obs' is float32 \[2, 2\], expected float32 \[3, 2\]",
        ),
        ({"obs": {"obs": np.zeros((3, 2))}}, r"is float64 \[3, 2\], expected float32"),
        ({"obs": {"obs": nan_at((1, 0), (3, 2))}}, "observation 'obs' is nan at step 1"),
        (
            {"action": Action(np.zeros((2, 2), np.float32), np.zeros((2, 1), np.int64))},
            r"continuous action is float32 \[2, 2\]",
        ),
        (
            {"action": Action(nan_at(1, (2, 1)), np.zeros((2, 1), np.int64))},
            "continuous action is nan at step 1",
        ),
        (
            {"action": Action(np.zeros((2, 1), np.float32), np.array([[0], [3]]))},
            "action 3 of branch 0 at step 1, the branch has 3 choices",
        ),
        (
            {"proposed": Action(np.zeros((2, 1), np.float32), np.array([[-1], [0]]))},
            "proposed action -1 of branch 0 at step 0",
        ),
        ({"reward": np.zeros(3, np.float32)}, r"reward is float32 \[3\]"),
        ({"reward": np.array([0, np.inf])}, "reward is inf at step 1"),
        ({"acted_by": np.zeros(2, np.int64)}, "acted_by is int64"),
    ],
)
def test_what_does_not_fit_is_named_with_its_step(changes, message):
    with pytest.raises(DemoError, match=message):
        check_episode(episode(**changes), SPEC)


def test_huge_numbers_of_both_signs_are_finite():
    big = np.array([[3e38, 3e38]] * 3, np.float32)
    check_episode(episode(obs={"obs": big}), SPEC)


def test_the_message_begins_with_where_it_came_from():
    with pytest.raises(DemoError, match=r"^here: "):
        check_episode(episode(obs={}), SPEC, "here")


def test_every_toy_episode_fits_its_spec():
    for obs in ("vector", "image", "entities", "all"):
        for action in ("continuous", "binary", "hybrid", "masked"):
            demos = toy_demos(obs, action, 3, 6, np.random.default_rng(0))
            for made in demos:
                check_episode(made, demos.spec)


def test_room_for_observations_is_zero_and_of_the_right_shape():
    spec = Spec(obs={"foes": Obs(kind="entities", shape=(3, 2))})
    room = empty_obs(spec, 4)
    assert room["foes"].shape == (4, 3, 2)
    assert room["foes.present"].shape == (4, 3)
    assert not any(x.any() for x in room.values())


def test_lists_of_entities_are_padded_and_say_who_is_there():
    obs = Obs(kind="entities", shape=(3, 2))
    tree = pad_entities(obs, "foes", [np.ones((1, 2)), np.zeros((0, 2)), np.full((3, 2), 2.0)])
    assert tree["foes"].shape == (3, 3, 2)
    assert tree["foes.present"].tolist() == [[True, False, False], [False] * 3, [True] * 3]
    assert tree["foes"][0].tolist() == [[1, 1], [0, 0], [0, 0]]
    with pytest.raises(DemoError, match="4 entities at step 0, the spec has room for 3"):
        pad_entities(obs, "foes", [np.ones((4, 2))])
