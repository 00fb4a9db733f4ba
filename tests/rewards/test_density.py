"""Being likely among what was shown."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from batches import in_order
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.ops.product import Product
from understudy.rewards.density import Density, DensityConfig, log_density, squared_distances
from worlds import ACTION_KINDS, episode_of, toy_demos

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(1,))}, action=ActionSpec(branches=(2,)))
DIST = Product(SPEC.action)


def walk(places, choices=None):
    steps = len(places) - 1
    done = [0] * steps if choices is None else choices
    return Demos(SPEC, [episode_of(SPEC, places, discrete=done, end=End.TRUNCATED)])


def density(demos, **changes):
    config = DensityConfig(scale=1, **changes)
    return Density(SPEC, DIST, demos, config, np.random.default_rng(0))


def test_distances_and_densities_by_hand():
    x, y = np.array([[0.0, 3.0]]), np.array([[4.0, 0.0], [0.0, 3.0]])
    assert squared_distances(x, y).tolist() == [[25, 0]]
    # One kernel of width 2 at distance 2 in one column: exp(-1/2) / (2 sqrt(2 pi)).
    one = math.log(math.exp(-0.5) / (2 * math.sqrt(2 * math.pi)))
    assert log_density(np.array([[4.0]]), 2.0, 1).item() == pytest.approx(one)
    # Beside one that is on the spot: the mean of exp(-1/2) and 1; one infinitely far is none.
    both = math.log((math.exp(-0.5) + 1) / 2 / (2 * math.sqrt(2 * math.pi)))
    assert log_density(np.array([[4.0, 0.0, np.inf]]), 2.0, 1).item() == pytest.approx(both)


def test_a_density_sums_to_one():
    line = np.linspace(-30, 30, 6001)[:, None]
    shown = np.array([[0.0], [1.0], [5.0]])
    p = np.exp(log_density(squared_distances(line, shown), 0.7, 1))
    assert p.sum() * 0.01 == pytest.approx(1, abs=1e-4)


def test_two_shown_rows_by_hand():
    # Shown: 0 and 2, mean 1, deviation 1, so -1 and 1 in deviations; each is 2 from the other.
    signal = density(walk([0, 2, 2]), sees="states", width=2.0)
    level = math.log(math.exp(-0.5) / (2 * math.sqrt(2 * math.pi)))
    assert signal.level == pytest.approx(level)
    batch = in_order(walk([0, 5, 5]), DIST)  # -1 and 4 in deviations
    # At 4: kernels at distances 5 and 3, relative to the level.
    far = math.log((math.exp(-25 / 8) + math.exp(-9 / 8)) / 2) + 0.5
    assert signal.reward(batch).ravel() == pytest.approx([1, math.exp(far)])
    logs = density(walk([0, 2, 2]), sees="states", width=2.0, reward="log_density")
    assert logs.reward(batch).ravel() == pytest.approx([0, far])


def test_the_width_makes_shown_rows_likely_by_the_others():
    rng = np.random.default_rng(0)
    close = density(walk(rng.normal(size=400)), sees="states")
    few = density(walk(rng.normal(size=12)), sees="states")
    assert 0.05 < close.width < few.width < 1.5, "the more is shown the finer it is looked at"


def test_rows_unlike_those_shown_earn_less_in_what_they_see_and_do():
    rng = np.random.default_rng(0)
    signal = density(walk(rng.normal(size=200)))
    usual = signal.reward(in_order(walk(rng.normal(size=200)), DIST)).mean()
    other = signal.reward(in_order(walk(rng.normal(size=200), [1] * 199), DIST)).mean()
    away = signal.reward(in_order(walk(5 + rng.normal(size=200)), DIST)).mean()
    assert usual > 0.7
    assert other < 0.1
    assert away < 0.1
    blind = density(walk(rng.normal(size=200)), sees="states")
    assert blind.reward(in_order(walk(rng.normal(size=200), [1] * 199), DIST)).mean() > 0.7


def test_rows_on_which_nothing_was_done_earn_nothing():
    demos = Demos(SPEC, [*walk([0, 1, 2]), *walk([0, 1, 2])])
    assert (density(demos, width=1.0).reward(in_order(demos, DIST)).ravel() != 0).tolist() == [
        True,
        True,
        False,
        True,
        True,
    ]


def test_the_least_that_is_earned_has_a_limit():
    signal = density(walk([0, 1, 2]), width=0.1, reward="log_density", limit=7)
    assert signal.reward(in_order(walk([90, 90, 90]), DIST)).ravel().tolist() == [-7, -7]


def test_a_single_shown_row_is_all_there_is_to_be_like():
    signal = density(walk([3, 4]))
    assert signal.reward(in_order(walk([3, 4]), DIST)).item() == 1


def test_of_many_shown_rows_some_are_compared_with():
    demos = walk(np.random.default_rng(0).normal(size=100))
    one, other = (density(demos, rows=20) for _ in range(2))
    batch = in_order(demos, DIST)
    assert (one.reward(batch) == other.reward(batch)).all(), "the seed decides which"
    assert (one.reward(batch) != density(demos).reward(batch)).any()


@pytest.mark.parametrize("action", ACTION_KINDS)
def test_every_kind_of_action_is_compared(action):
    demos = toy_demos("vector", action, 4, 8, np.random.default_rng(0))
    dist = Product(demos.spec.action)
    signal = Density(demos.spec, dist, demos, DensityConfig(), np.random.default_rng(0))
    batch = in_order(demos, dist)
    shown = signal.reward(batch)
    turned = signal.reward(replace(batch, code=1 - batch.code))
    assert shown.sum() > 1.5 * turned.sum()
