"""Recording: what was seen, done, meant and received, and how it ended."""

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.episode import ActedBy, End, check_episode
from understudy.data.spec import ActionSpec
from understudy.envs.actors import noisy
from understudy.envs.gym import GymEnv
from understudy.errors import EnvError
from understudy.run.record import InMemory, record_episodes
from worlds import CountingActor, TinyEnv


def record(env, episodes, actor=None, **more):
    (spec,) = env.behaviors.values()
    kept = InMemory(spec)
    record_episodes(env, actor or CountingActor(spec), episodes, kept.begin, 3, **more)
    for episode in kept.episodes:
        check_episode(episode, spec)
    return kept.episodes


def by_slot(episodes):
    return sorted((e.agent, int(e.obs["obs"][0, 1])) for e in episodes)


def test_an_episode_holds_what_was_seen_and_what_was_then_done():
    episodes = record(TinyEnv({"agent": [[3, 2]]}), 2)
    first, second = episodes
    assert first.obs["obs"].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 0, 3]]
    assert first.action.discrete[:, 0].tolist() == [0, 1, 2]
    assert first.return_ == 3
    assert first.end is End.TERMINATED
    assert first.acted_by.tolist() == [ActedBy.SCRIPT] * 3
    assert first.proposed is None
    assert second.action.discrete[:, 0].tolist() == [0, 1]
    assert second.end is End.TRUNCATED


def test_every_slot_records_a_fixed_number_of_episodes():
    episodes = record(TinyEnv({"agent": [[1], [20], [3]]}), 5)
    assert by_slot(episodes) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    assert all(e.end is not End.OPEN for e in episodes)


def test_fewer_episodes_than_slots_are_recorded_by_the_first():
    assert by_slot(record(TinyEnv({"agent": [[2], [2], [2]]}), 2)) == [(0, 0), (1, 0)]
    assert record(TinyEnv(), 0) == []


def test_an_episode_knows_its_seed():
    episodes = record(TinyEnv({"agent": [[2], [3]]}), 4)
    assert sorted(e.seed or 0 for e in episodes) == [3000, 3001, 3100, 3101]


def test_slots_that_do_not_always_speak_record_their_own_actions():
    env = TinyEnv({"agent": [[4], [3], [2, 5]]}, {"agent": [1, 2, 3]})
    episodes = record(env, 9)
    assert len(episodes) == 9
    for episode in episodes:
        assert (episode.obs["obs"][:, 0] == episode.agent).all()
        assert episode.obs["obs"][:, 2].tolist() == list(range(len(episode) + 1))
        assert episode.action.discrete[:, 0].tolist() == list(range(len(episode)))
        assert episode.return_ == len(episode)


def test_moments_in_which_nobody_speaks_are_waited_for():
    assert by_slot(record(TinyEnv({"agent": [[2], [3]]}, {"agent": [3, 2]}), 2)) == [(0, 0), (1, 0)]


def test_length_and_return_of_every_finished_episode_are_told():
    told = []
    record(TinyEnv({"agent": [[3], [5]]}), 2, saw=lambda *episode: told.append(episode))
    assert told == [(3, 3.0), (5, 5.0)]


def test_a_disturbed_actor_records_what_it_meant():
    env = TinyEnv({"agent": [[40], [30]]}, action=ActionSpec(continuous=1, branches=(100,)))
    spec = env.behaviors["agent"]
    episodes = record(env, 2, noisy(CountingActor(spec), spec, 0.5, seed=1))
    for episode in episodes:
        assert episode.proposed is not None
        assert episode.meant.discrete[:, 0].tolist() == list(range(len(episode)))
        assert not episode.meant.continuous.any()
        assert (episode.action.discrete != episode.meant.discrete).mean() > 0.2
        assert episode.action.continuous.std() > 0.2
        received = [a for slot, e, _, a in env.received["agent"] if (slot, e) == (episode.agent, 0)]
        executed = [int(action.discrete[0]) for action in received]
        assert episode.action.discrete[:, 0].tolist() == executed


def test_an_action_beyond_the_bounds_is_recorded_as_executed_and_as_proposed():
    env = TinyEnv({"agent": [[6]]}, action=ActionSpec(continuous=1, low=(-1,), high=(2.5,)))
    leaving = Fixed(
        lambda obs: Action(
            obs["obs"][:, 2:].astype(np.float64), np.zeros((len(obs["obs"]), 0), int)
        )
    )
    (episode,) = record(env, 1, leaving)
    assert episode.action.continuous[:, 0].tolist() == [0, 1, 2, 2.5, 2.5, 2.5]
    assert episode.proposed is not None
    assert episode.proposed.continuous[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert episode.action.continuous.dtype == episode.proposed.continuous.dtype == np.float32


def test_an_action_inside_the_bounds_was_not_proposed_besides():
    env = TinyEnv({"agent": [[6]]}, action=ActionSpec(continuous=1, low=(-1,), high=(9,)))
    # A double that no float32 equals: rounding is no correction.
    steady = Fixed(lambda obs: Action(np.full((len(obs["obs"]), 1), 0.1), np.zeros((1, 0), int)))
    (episode,) = record(env, 1, steady)
    assert episode.proposed is None


def test_what_gymnasium_executes_is_what_is_recorded():
    env = GymEnv("Pendulum-v1")
    strong = Fixed(lambda obs: Action(np.full((len(obs["obs"]), 1), -7.5), np.zeros((1, 0), int)))
    (episode,) = record(env, 1, strong)
    assert set(episode.action.continuous[:, 0].tolist()) == {-2.0}
    assert set(episode.meant.continuous[:, 0].tolist()) == {-7.5}


def test_an_error_leaves_unfinished_episodes_open():
    env = TinyEnv({"agent": [[2], [5]]})
    kept = InMemory(env.behaviors["agent"])

    def stop(length, return_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_episodes(env, CountingActor(kept.spec), 2, kept.begin, 0, stop)
    assert sorted((e.agent, len(e), str(e.end)) for e in kept.episodes) == [
        (0, 2, "terminated"),
        (1, 1, "open"),
    ]


def test_several_behaviors_cannot_be_recorded_in_one_file():
    env = TinyEnv({"a": [[1]], "b": [[1]]})
    kept = InMemory(env.behaviors["a"])
    with pytest.raises(EnvError, match="expected one behavior, found a, b"):
        record_episodes(env, CountingActor(kept.spec), 1, kept.begin, 0)


def test_actions_of_an_actor_are_recorded_with_their_dtype():
    env = TinyEnv({"agent": [[2]]}, action=ActionSpec(continuous=2, dtype="float64"))
    (episode,) = record(env, 1)
    assert episode.action.continuous.dtype == np.float64
