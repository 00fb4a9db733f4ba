"""The sets in which a thing of zeros may be."""

import gymnasium
import numpy as np
import pytest

from understudy.data.obs_codec import ObsCodec
from understudy.worlds.presence import MOST, expert

NAME = "understudy.worlds.tasks:Presence-v0"


def drawn(sets):
    """So many sets, each with whether a thing of zeros is among them."""
    env = gymnasium.make(NAME).unwrapped
    things, found = env.reset(seed=0)[0], []
    for _ in range(sets):
        zero = any(not thing.any() for thing in things)
        found.append((things, zero))
        things, reward, *_ = env.step(np.int64(1))
        assert reward == zero
    return found


SETS = drawn(6000)
TRUTH = np.array([zero for _, zero in SETS])


def best_guess(clue):
    """The share that is right if one always guesses what is more frequent with a clue."""
    return sum(max(TRUTH[clue == c].sum(), (~TRUTH[clue == c]).sum()) for c in set(clue)) / len(
        clue
    )


def test_a_set_has_one_to_six_things_all_equally_often():
    counts = np.bincount([len(things) for things, _ in SETS], minlength=MOST + 2)
    # 1,000 each, with a standard deviation of 29.
    assert counts[1:7] == pytest.approx(1000, abs=120)
    assert counts.sum() == counts[1:7].sum()


def test_the_answer_is_even_and_cannot_be_told_from_how_many_there_are():
    counts = np.array([len(things) for things, _ in SETS])
    for count in range(1, MOST + 1):
        assert TRUTH[counts == count].mean() == pytest.approx(0.5, abs=0.065)
    assert best_guess(counts) < 0.53


def test_whoever_takes_zeros_for_padding_is_right_in_seven_of_twelve():
    # What is left without rows of zeros is noise, but for how much it is.
    seen = np.array([sum(bool(thing.any()) for thing in things) for things, _ in SETS])
    assert best_guess(seen) == pytest.approx(7 / 12, abs=0.02)
    assert TRUTH[seen == 0].all()
    assert not TRUTH[seen == MOST].any()


def test_the_thing_of_zeros_is_at_any_place():
    with_it = [things for things, zero in SETS if zero and len(things) == MOST]
    places = np.bincount([[t.any() for t in things].index(False) for things in with_it])
    assert len(places) == MOST
    assert places.min() > len(with_it) / MOST / 2


def test_padding_and_zeros_differ_in_who_is_there_alone():
    codec = ObsCodec(gymnasium.make(NAME).observation_space, MOST)
    one = np.full(3, 0.5, np.float32)
    alone, with_zero = codec.encode((one,)), codec.encode((one, np.zeros(3, np.float32)))
    assert np.array_equal(alone["obs"], with_zero["obs"])
    answers = []
    for tree in (alone, with_zero):
        batch = {name: array[None] for name, array in tree.items()}
        answers.append(expert().act(batch, {}, np.array([True]))[0].discrete.item())
    assert answers == [0, 1]


def test_sixteen_questions_make_an_episode():
    env = gymnasium.make(NAME)
    env.reset(seed=0)
    assert [env.step(np.int64(0))[3] for _ in range(16)] == [False] * 15 + [True]
