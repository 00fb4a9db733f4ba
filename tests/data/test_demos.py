"""Episodes of one spec: chosen, split, joined, and as rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance, Rows, join
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError
from worlds import episode_of, toy_demos

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=())}, action=ActionSpec(branches=(9,)))


def demos(*lengths, returns=None):
    """Episode e sees 100 e + t, and does t."""
    made = []
    for e, length in enumerate(lengths):
        reward = None
        if returns is not None:
            reward = np.full(length, returns[e] / max(length, 1), np.float32)
        made.append(
            episode_of(
                SPEC,
                [100 * e + t for t in range(length + 1)],
                discrete=list(range(length)),
                reward=reward,
            )
        )
    return Demos(SPEC, made)


def first(chosen):
    """The number of every episode."""
    return [int(e.obs["obs"][0] // 100) for e in chosen]


def test_every_observation_has_one_row_and_the_last_one_does_nothing():
    rows = demos(2, 0, 3).rows()
    assert len(rows) == 2 + 1 + 0 + 1 + 3 + 1
    assert rows.obs["obs"].tolist() == [0, 1, 2, 100, 200, 201, 202, 203]
    assert rows.acted.tolist() == [True, True, False, False, True, True, True, False]
    assert rows.fresh.tolist() == [True, False, False, True, True, False, False, False]
    assert rows.episode.tolist() == [0, 0, 0, 1, 2, 2, 2, 2]
    assert rows.action.discrete[:, 0].tolist() == [0, 1, 0, 0, 0, 1, 2, 0]
    assert not rows.reward.any()


def test_rows_hold_what_was_meant_and_what_it_earned():
    episode = replace(
        demos(2).episodes[0],
        proposed=Action(np.zeros((2, 0), np.float32), np.array([[5], [6]])),
        reward=np.array([1.5, 2.5], np.float32),
    )
    rows = Rows.of(Demos(SPEC, [episode]))
    assert rows.action.discrete[:, 0].tolist() == [5, 6, 0]
    assert rows.reward.tolist() == [1.5, 2.5, 0]


def test_rows_of_no_episode_are_refused():
    with pytest.raises(DemoError, match="no episode: there is nothing to learn from"):
        demos().rows()


def test_counts_are_those_of_the_episodes():
    made = demos(2, 0, 3, returns=[1, 0, 6])
    assert made.num_steps == 5
    assert made.lengths.tolist() == [2, 0, 3]
    assert made.returns.tolist() == [1, 0, 6]
    assert np.isnan(demos(2).returns).all()


def test_the_best_share_is_chosen_by_return_in_the_old_order():
    made = demos(1, 1, 1, 1, returns=[3, 1, 4, 2])
    assert first(made.best(0.5)) == [0, 2]
    assert first(made.best(0.01)) == [2]
    assert first(made.best(1)) == [0, 1, 2, 3]


def test_the_best_of_equals_are_the_first():
    assert first(demos(1, 1, 1, returns=[1, 1, 1]).best(0.7)) == [0, 1]


def test_the_best_cannot_be_chosen_without_rewards_or_beyond_a_whole():
    with pytest.raises(DemoError, match="no rewards to choose by"):
        demos(1, 1).best(0.5)
    for fraction in (0, -1, 1.5, float("nan")):
        with pytest.raises(DemoError, match=r"expected a share of the episodes in \(0, 1\]"):
            demos(1, returns=[1]).best(fraction)


@given(st.integers(1, 40), st.floats(0, 0.999), st.integers(0, 2**32 - 1))
def test_a_split_never_mixes_episodes(count, fraction, seed):
    made = demos(*[1] * count)
    learned, held = made.split(fraction, np.random.default_rng(seed))
    assert sorted(first(learned) + first(held)) == list(range(count))
    assert first(learned) == sorted(first(learned))
    assert len(learned) >= 1
    assert (len(held) >= 1) == (fraction > 0 and count > 1)


def test_a_split_holds_out_the_asked_share_and_is_decided_by_the_generator():
    made = demos(*[1] * 20)
    held = [first(made.split(0.25, np.random.default_rng(seed))[1]) for seed in (0, 0, 1)]
    assert [len(h) for h in held] == [5, 5, 5]
    assert held[0] == held[1] != held[2]


def test_sets_of_one_spec_are_joined_and_say_where_they_came_from():
    a, b = demos(1), demos(2, 3)
    a = replace(a, provenance=Provenance(format="a", files=("x",), env_id="E", notes=("n",)))
    b = replace(b, provenance=Provenance(format="b", files=("y",), env_id="E", notes=("n", "m")))
    both = join([a, b])
    assert both.lengths.tolist() == [1, 2, 3]
    assert both.provenance.files == ("x", "y")
    assert both.provenance.format == "several"
    assert both.provenance.env_id == "E"
    assert both.provenance.notes == ("n", "m")
    assert join([a]) is a


def test_sets_that_do_not_fit_are_not_joined():
    other = toy_demos("vector", "discrete", 1, 2, np.random.default_rng(0))
    other = replace(other, provenance=Provenance(format="b", files=("y.demo",)))
    with pytest.raises(DemoError, match=r"y.demo does not fit demonstrations: observation 'obs'"):
        join([demos(1), other])
    with pytest.raises(DemoError, match="no demonstrations were given"):
        join([])
