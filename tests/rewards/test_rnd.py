"""Being surprised."""

from __future__ import annotations

import numpy as np
import pytest

from batches import in_order
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.ops.product import Product
from understudy.rewards.rnd import RND, RNDConfig
from understudy.run.mixed import side_by_side
from worlds import episode_of

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(2,))}, action=ActionSpec(branches=(2,)))
DIST = Product(SPEC.action)


def rnd(seed=0, **changes):
    config = RNDConfig(hidden=(16,), features=8, learning_rate=1e-3, **changes)
    return RND(SPEC, DIST, config, np.random.default_rng(seed))


def around(x, y, seed=0, steps=64):
    seen = np.array([x, y]) + 0.1 * np.random.default_rng(seed).standard_normal((steps + 1, 2))
    done = np.zeros(steps, int)
    demos = Demos(SPEC, [episode_of(SPEC, seen, discrete=done, end=End.TERMINATED)])
    return in_order(demos, DIST)


def test_before_it_has_learned_nothing_is_earned():
    assert (rnd().reward(around(0, 0)) == 0).all()


def test_the_first_rows_earn_one_on_average():
    signal, batch = rnd(updates=1, limit=100), around(0, 0)
    fresh = rnd(updates=1, limit=100)
    signal.update(batch)
    # With the predictor as it was, the same rows earn their error by its mean.
    fresh.load_state_dict({**signal.state_dict(), "predictor": fresh.state_dict()["predictor"]})
    assert fresh.reward(batch).mean() == pytest.approx(1, rel=1e-5)


def test_what_was_seen_often_is_dull_and_what_was_not_stays_curious():
    signal = rnd()
    signal.update(side_by_side([around(1, 0), around(-1, 0)]))
    for k in range(400):
        signal.update(around(1, 0, seed=k))
    known, new = (signal.reward(around(x, 0, seed=999)).mean() for x in (1, -1))
    assert known < 0.2
    assert new > 5 * known


def test_the_network_that_is_asked_for_never_changes():
    signal = rnd()
    before = signal.target_flat.value.copy()
    own = signal.flat.value.copy()
    signal.update(around(0, 0))
    assert (signal.target_flat.value == before).all()
    assert (signal.flat.value != own).any()


def test_the_gradient_is_that_of_the_mean_squared_error():
    signal = rnd()
    x = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)

    def loss():
        return float(signal._error(x)[0].mean())

    squares, (said, off) = signal._error(x)
    said.pull(off * np.float32(2 / off.size))
    for k in (0, 7, 40, len(signal.flat.value) - 1):
        slope, kept = signal.flat.grad[k], signal.flat.value[k]
        found = []
        for step in (1e-2, -1e-2):
            signal.flat.value[k] = kept + step
            found.append(loss())
        signal.flat.value[k] = kept
        assert slope == pytest.approx((found[0] - found[1]) / 2e-2, rel=2e-2, abs=1e-4)
    assert squares.shape == (5, 8)


def test_curiosity_outlives_episodes_and_looks_at_what_comes():
    assert not RND.ends
    signal, batch = rnd(), around(0, 0)
    signal.update(batch)
    before = signal.reward(batch)
    batch.obs["obs"][0] += 3  # seen before the first action: nobody's consequence
    assert (signal.reward(batch) == before).all()
    batch.obs["obs"][1] += 3
    changed = signal.reward(batch) != before
    assert changed[0]
    assert not changed[1:].any()


def test_demonstrations_and_rows_on_which_nothing_was_done_teach_nothing():
    signal, batch = rnd(), around(0, 0)
    batch.shown[:] = 1
    assert signal.update(batch) == {}
    signal.update(around(0, 0))
    batch.acted[3] = 0
    assert signal.reward(batch)[3] == 0
    assert (signal.reward(batch)[4:] > 0).all(), "but they are rewarded"


def test_it_goes_on_where_it_was():
    one, other = rnd(0), rnd(1)
    for k in range(3):
        one.update(around(0, 0, seed=k))
    other.load_state_dict(one.state_dict())
    for signal in (one, other):
        signal.update(around(2, 1))
    assert (one.reward(around(1, 1)) == other.reward(around(1, 1))).all()
