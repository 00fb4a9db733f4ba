"""Being paired with what was shown."""

from __future__ import annotations

import math

import numpy as np
import pytest

from batches import in_order, part
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.data.subsample import subsample
from understudy.ops.product import Product
from understudy.rewards.pwil import PWIL, PWILConfig, coupled
from understudy.run.mixed import side_by_side
from worlds import ACTION_KINDS, episode_of, toy_demos

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(1,))}, action=ActionSpec(branches=(2,)))
DIST = Product(SPEC.action)


def walk(*places, choice=0):
    done = [choice] * (len(places) - 1)
    return episode_of(SPEC, places, discrete=done, end=End.TRUNCATED)


def pwil(*episodes, **changes):
    config = PWILConfig(scale=1, **changes)
    return PWIL(SPEC, DIST, Demos(SPEC, episodes), config, np.random.default_rng(0))


def lived(*episodes):
    return in_order(Demos(SPEC, episodes), DIST)


def test_weight_is_carried_to_the_nearest_rows_first():
    left = np.array([0.25, 0.5, 0.25])
    distance = np.array([1.0, 3.0, 2.0])
    # 0.25 goes for 1, 0.25 for 2, and the rest, 0.1, for 3.
    assert coupled(distance, left, 0.6) == pytest.approx(0.25 + 0.5 + 0.3)
    assert left == pytest.approx([0, 0.4, 0])
    assert coupled(distance, left, 0.6) == pytest.approx(1.2), "all that is left is 0.4"
    assert (left == 0).all()


def test_shares_that_should_be_equal_leave_nothing_behind():
    count = 7
    left, distance = np.full(count, 1 / count), np.arange(count, dtype=float)
    for k in range(count):
        assert coupled(distance, left, 1 / count) == pytest.approx(k / count)
    assert not left.any()


def test_the_coupling_is_a_coupling():
    rng = np.random.default_rng(0)
    left, given = np.full(5, 1 / 5), np.zeros(5)
    for _ in range(8):
        before = left.copy()
        coupled(rng.random(5), left, 1 / 8)
        assert (before - left).sum() == pytest.approx(1 / 8)
        given += before - left
    assert given == pytest.approx(np.full(5, 1 / 5))


def test_an_episode_by_hand():
    # Shown: 0 and 2, mean 1, deviation 1: -1 and 1. Rows have 3 columns: one seen, two choices.
    signal = pwil(walk(0, 2, 2))
    assert signal.horizon_steps == 2
    found = signal.reward(lived(walk(0, 1, 1))).ravel()
    # The first row is the first one shown; the second is 1 from the row that is left.
    assert found == pytest.approx([5, 5 * math.exp(-5 / math.sqrt(3))])


def test_what_was_shown_earns_most_and_every_row_can_be_met_once():
    signal = pwil(walk(*range(11)))
    assert signal.reward(lived(walk(*range(11)))).ravel() == pytest.approx([5] * 10)
    there = signal.reward(lived(walk(*[0] * 11))).ravel()
    assert there[0] == 5
    assert (np.diff(there) < 0).all(), "who stays is paired with rows further and further away"


def test_who_outlives_the_demonstrator_earns_nothing_more():
    found = pwil(walk(0, 1, 2)).reward(lived(walk(0, 1, 2, 3, 4))).ravel()
    assert (found[:2] > 0).all()
    assert (found[2:] == 0).all()
    longer = pwil(walk(0, 1, 2), horizon_steps=4).reward(lived(walk(0, 1, 2, 3, 4))).ravel()
    assert (longer > 0).all()


def test_the_horizon_is_that_of_whole_demonstrations():
    whole = Demos(SPEC, [walk(*range(41))])
    some = subsample(whole, 10, np.random.default_rng(0))
    signal = PWIL(SPEC, DIST, some, PWILConfig(), np.random.default_rng(0))
    assert signal.horizon_steps == 40


def test_the_next_episode_has_everything_to_be_paired_with_again():
    one = walk(*range(6))
    twice = pwil(one).reward(lived(one, one)).ravel()
    assert twice[:5].tolist() == twice[6:].tolist() == [5] * 5
    assert twice[5] == 0, "nothing was done there"


def test_an_episode_may_go_on_in_the_next_rollout():
    shown, rng = walk(*range(11)), np.random.default_rng(0)
    batch = lived(walk(*rng.uniform(0, 10, 11)), walk(*rng.uniform(0, 10, 11)))
    whole, cut = pwil(shown).reward(batch), pwil(shown)
    parts = []
    for start, stop in ((0, 4), (4, 13), (13, 21)):
        rows = part(batch, start, stop)
        parts.append(cut.reward(rows))
        assert (cut.reward(rows) == parts[-1]).all(), "asking changes nothing"
        cut.update(rows)
    assert np.concatenate(parts).tolist() == whole.tolist()


def test_it_goes_on_where_it_was():
    shown = walk(*range(11))
    batch = lived(walk(*range(10, -1, -1)))
    one, other = pwil(shown), pwil(shown)
    other.load_state_dict(one.state_dict())
    one.update(part(batch, 0, 5))
    other.load_state_dict(one.state_dict())
    rest = part(batch, 5, 10)
    assert (other.reward(rest) == one.reward(rest)).all()
    assert (other.reward(rest) != pwil(shown).reward(rest)).any()


def test_slots_are_paired_apart():
    shown = walk(*range(6))
    a, b = lived(walk(*range(6))), lived(walk(*range(5, -1, -1)))
    both = side_by_side([a, b])
    found = pwil(shown).reward(both)
    assert found[:, :1].tolist() == pwil(shown).reward(a).tolist()
    assert found[:, 1:].tolist() == pwil(shown).reward(b).tolist()


@pytest.mark.parametrize("action", ACTION_KINDS)
def test_every_kind_of_action_is_paired(action):
    demos = toy_demos("vector", action, 1, 8, np.random.default_rng(0))
    dist = Product(demos.spec.action)
    signal = PWIL(demos.spec, dist, demos, PWILConfig(scale=1), np.random.default_rng(0))
    assert signal.reward(in_order(demos, dist)).ravel() == pytest.approx(5)
