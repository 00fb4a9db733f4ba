"""Actors in environments: who is asked when, and what follows."""

import itertools

import numpy as np
import pytest

from understudy.envs.check import check_env
from understudy.envs.env import Moment
from understudy.errors import EnvError
from understudy.run.rollouts import Tally, only_behavior, quotas, turns
from worlds import CountingActor, TinyEnv


def play(env, actors, count):
    return list(itertools.islice(turns(env, actors, 0), count))


@pytest.mark.parametrize(
    "env",
    [
        TinyEnv(),
        TinyEnv({"agent": [[1], [2, 4], [3]]}, {"agent": [1, 3, 2]}),
        TinyEnv({"cats": [[2], [5]], "dogs": [[3]]}, {"cats": [2, 4], "dogs": [3]}),
    ],
)
def test_the_tiny_world_keeps_the_contract_of_environments(env):
    assert check_env(env, steps=60) == []


def test_the_first_turn_has_no_actions():
    env = TinyEnv()
    first, second = play(env, {"agent": CountingActor(env.behaviors["agent"])}, 2)
    assert first.actions is None
    assert first.moments["agent"].fresh.all()
    assert second.actions is not None
    assert second.proposed == {"agent": None}


def test_every_slot_has_a_memory_of_its_own_that_begins_again_with_its_episodes():
    env = TinyEnv({"agent": [[2], [3, 1], [4]]})
    play(env, {"agent": CountingActor(env.behaviors["agent"])}, 30)
    received = env.received["agent"]
    assert len(received) > 50
    assert all(action.discrete[0] == step for _, _, step, action in received)


def test_slots_that_do_not_always_speak_keep_their_memory_meanwhile():
    env = TinyEnv({"agent": [[4], [4], [4]]}, {"agent": [1, 2, 5]})
    play(env, {"agent": CountingActor(env.behaviors["agent"])}, 60)
    received = env.received["agent"]
    assert {slot for slot, *_ in received} == {0, 1, 2}
    assert all(action.discrete[0] == step for _, _, step, action in received)


def test_behaviors_have_actors_of_their_own_and_may_be_silent():
    env = TinyEnv({"cats": [[3], [5]], "dogs": [[2]]}, {"cats": [2, 4], "dogs": [3]})
    actors = {name: CountingActor(spec) for name, spec in env.behaviors.items()}
    played = play(env, actors, 40)
    assert {tuple(turn.moments) for turn in played} == {
        ("cats", "dogs"),
        ("cats",),
        ("dogs",),
        (),
    }
    for received in env.received.values():
        assert received
        assert all(action.discrete[0] == step for _, _, step, action in received)


def test_what_was_meant_is_said_beside_what_was_done():
    env = TinyEnv()
    actor = CountingActor(env.behaviors["agent"], lambda a: a._replace(discrete=a.discrete + 7))
    for turn in play(env, {"agent": actor}, 5)[1:]:
        meant = turn.proposed["agent"]
        assert meant is not None
        assert turn.actions is not None
        assert (meant.discrete == turn.actions["agent"].discrete + 7).all()


def told(tally, reward, ended, known):
    """What a tally says when every row is told by itself."""
    slots, found = np.arange(reward.shape[1]), []
    for r, e, k in zip(reward, ended, known, strict=True):
        moment = Moment(slots[k], {}, r[k], e[k], np.zeros(k.sum(), bool), np.zeros(k.sum(), bool))
        found += tally.hear(moment)
    return found


def test_episodes_bring_the_same_whether_told_at_once_or_row_by_row():
    rng = np.random.default_rng(0)
    one_by_one, at_once, episodes = Tally(3), Tally(3), 0
    for chance in (0.3, 0.0, 0.9, 0.1):
        reward = rng.integers(-3, 4, (12, 3)).astype(np.float32)
        ended = rng.random((12, 3)) < chance
        known = np.arange(12)[:, None] < np.array([12, 7, 0])
        expected = told(one_by_one, reward, ended, known)
        reward[~known] = np.nan  # nobody knows
        assert at_once.hear_rows(reward, ended, known) == expected
        assert (at_once.state_dict()["sums"] == one_by_one.state_dict()["sums"]).all()
        episodes += len(expected)
    assert episodes > 10


def test_quotas_are_fixed_and_differ_by_one_at_most():
    assert quotas(7, 3).tolist() == [3, 2, 2]
    assert quotas(2, 4).tolist() == [1, 1, 0, 0]
    assert quotas(0, 2).tolist() == [0, 0]


def test_an_environment_of_several_behaviors_is_refused_by_name():
    assert only_behavior(TinyEnv()) == "agent"
    with pytest.raises(EnvError, match="Tiny-v0: expected one behavior, found cats, dogs"):
        only_behavior(TinyEnv({"cats": [[1]], "dogs": [[1]]}))
    assert np.all(quotas(5, 5) == 1)
