from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.ops.returns import gae, standardized

KINDS = pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])


def column(*x: float) -> np.ndarray:
    return np.array(x, float)[:, None, None]


@KINDS
def test_advantages_by_hand(kind):
    # One slot, discount 0.5, lam 0.5, so errors are carried by a quarter.
    # errors: 1 + .5*4 - 2 = 1;  0 + .5*6 - 4 = -1;  2 + .5*8 - 6 = 0
    # advantages from the end: 0;  -1 + .25*0 = -1;  1 + .25*-1 = 0.75
    found = gae(
        kind(column(1, 0, 2)),
        kind(column(2, 4, 6, 8)),
        kind(np.zeros((3, 1), bool)),
        kind(np.ones((3, 1), bool)),
        kind(np.array([0.5])),
        0.5,
    )
    np.testing.assert_allclose(np.asarray(found)[:, 0, 0], [0.75, -1, 0])


@KINDS
def test_a_terminated_row_cuts_the_bootstrap_and_a_time_limit_does_not(kind):
    reward, value = kind(column(1, 1)), kind(column(0, 10, 7))
    acted = kind(np.array([[True], [False]]))  # row 1 is the last observation of an episode
    for over, expected in ((False, 1 + 0.9 * 10), (True, 1.0)):
        terminated = kind(np.array([[over], [False]]))
        found = gae(reward, value, terminated, acted, kind(np.array([0.9])), 0.95)
        np.testing.assert_allclose(np.asarray(found)[:, 0, 0], [expected, 0])


@KINDS
def test_value_flows_over_a_termination_for_signals_that_do_not_end_there(kind):
    # Row 0 ends the episode, row 1 is its last observation and worth 10 to both signals.
    acted = kind(np.array([[True], [False]]))
    found = gae(
        kind(np.ones((2, 1, 2))),
        kind(np.array([[[0.0, 0.0]], [[10.0, 10.0]], [[7.0, 7.0]]])),
        kind(np.array([[True], [False]])),
        acted,
        kind(np.array([0.9, 0.5])),
        0.95,
        kind(np.array([True, False])),
    )
    np.testing.assert_allclose(np.asarray(found)[:, 0], [[1, 1 + 0.5 * 10], [0, 0]])


def brute_force(reward, value, terminated, acted, discount, lam, t, n, s):
    total, weight = 0.0, 1.0
    while t < len(reward) and acted[t, n]:
        bootstrap = 0 if terminated[t, n] else discount[s] * value[t + 1, n, s]
        total += weight * (reward[t, n, s] + bootstrap - value[t, n, s])
        weight *= discount[s] * lam
        t += 1
    return total


def test_any_rollout_equals_the_sum_of_its_errors_slot_by_slot_and_signal_by_signal():
    rng = np.random.default_rng(0)
    reward, value = rng.standard_normal((20, 4, 2)), rng.standard_normal((21, 4, 2))
    acted = rng.random((20, 4)) < 0.8
    terminated = (rng.random((20, 4)) < 0.1) & acted
    # After a termination comes a row on which nothing is done.
    acted[1:] &= ~terminated[:-1]
    terminated &= acted
    discount = np.array([0.9, 0.5])
    found = gae(reward, value, terminated, acted, discount, 0.95)
    for t, n, s in np.ndindex(*reward.shape):
        expected = brute_force(reward, value, terminated, acted, discount, 0.95, t, n, s)
        assert found[t, n, s] == pytest.approx(expected if acted[t, n] else 0)


@KINDS
@pytest.mark.parametrize("rows", [*range(10), 64, 65])
def test_errors_are_summed_to_the_last_row_however_many_there_are(kind, rows):
    # Every error is 1 and a half of the next sum comes back: 2 less a half per row that follows.
    found = gae(
        kind(np.ones((rows, 2, 1))),
        kind(np.zeros((rows + 1, 2, 1))),
        kind(np.zeros((rows, 2), bool)),
        kind(np.ones((rows, 2), bool)),
        kind(np.array([1.0])),
        0.5,
    )
    expected = 2 - 0.5 ** np.arange(rows)[::-1, None]
    np.testing.assert_allclose(np.asarray(found)[..., 0], expected.repeat(2, 1))


@KINDS
def test_standardized_numbers_have_mean_0_and_deviation_1_under_their_weights(kind):
    rng = np.random.default_rng(0)
    x, share = kind(rng.standard_normal((5, 7)) * 3 + 2), rng.random((5, 7))
    share = kind(share / share.sum())
    y = standardized(x, share)
    assert float((share * y).sum()) == pytest.approx(0, abs=1e-9)
    assert float((share * y * y).sum()) == pytest.approx(1)
