"""How much is recorded, of which episodes."""

from __future__ import annotations

import pytest

from understudy.data.episode import End
from understudy.run.quota import Ledger, Wanted
from understudy.run.record import InMemory, record_episodes
from worlds import CountingActor, TinyEnv


def record(lengths, **wanted):
    """Slots whose episodes have these lengths in turn, each bringing its length."""
    env = TinyEnv({"agent": lengths})
    (spec,) = env.behaviors.values()
    kept = InMemory(spec)
    ledger = record_episodes(env, CountingActor(spec), Wanted(**wanted), kept.begin, 3)
    assert all(e.end is not End.OPEN for e in kept.episodes)
    return sorted((e.agent, len(e)) for e in kept.episodes), ledger


def test_episodes_that_bring_too_little_are_lived_again_and_counted():
    kept, ledger = record([[2, 7, 3, 9]], episodes=3, min_return=5.0)
    assert kept == [(0, 7), (0, 7), (0, 9)]
    # 2, 7, 3, 9, 2, 7
    assert ledger.tries.tolist() == [6]
    assert ledger.discarded == 3
    assert not ledger.short


def test_every_slot_keeps_its_own_number_of_episodes():
    kept, _ = record([[5], [2, 6], [9]], episodes=4, min_return=5.0)
    assert kept == [(0, 5), (0, 5), (1, 6), (2, 9)]


def test_whoever_never_brings_enough_gives_up_after_so_many_tries():
    kept, ledger = record([[5], [2]], episodes=2, min_return=5.0, tries=4)
    assert kept == [(0, 5)]
    assert ledger.short
    assert ledger.tries.tolist() == [1, 4]


def test_so_many_steps_are_whole_episodes_of_every_slot():
    kept, _ = record([[4], [1]], steps=11)
    # Shares of 6 and 5: the first slot passes its own in the middle of its second episode.
    assert kept == [(0, 4), (0, 4), *[(1, 1)] * 5]


def test_steps_and_episodes_both_bound_a_recording():
    assert record([[4]], steps=100, episodes=2)[0] == [(0, 4), (0, 4)]
    assert record([[4]], steps=5, episodes=9)[0] == [(0, 4), (0, 4)]


def test_the_first_episode_that_reaches_the_goal_is_the_last_of_its_slot():
    kept, ledger = record([[2, 3, 8, 9]], episodes=10, until_return=8.0)
    assert kept == [(0, 2), (0, 3), (0, 8)]
    assert not ledger.short


def test_an_interrupted_episode_that_had_to_earn_its_place_is_not_kept():
    env = TinyEnv({"agent": [[2], [5]]})
    memory = InMemory(env.behaviors["agent"])

    def stop(length, return_):
        raise KeyboardInterrupt

    wanted = Wanted(episodes=2, min_return=1.0)
    with pytest.raises(KeyboardInterrupt):
        record_episodes(env, CountingActor(memory.spec), wanted, memory.begin, 0, stop)
    assert [len(e) for e in memory.episodes] == [2]


def test_a_slot_that_is_told_that_it_has_enough_is_done():
    ledger = Ledger(Wanted(episodes=3), 2)
    ledger.finish(1)
    assert ledger.open.tolist() == [True, False]
