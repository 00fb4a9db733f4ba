from __future__ import annotations

import numpy as np
import pytest

from understudy.nets.flat import F32
from understudy.nets.normalizer import Normalizer


def test_batches_join_to_the_moments_of_all_rows():
    rng = np.random.default_rng(0)
    parts = [rng.normal(5, [1, 20, 0.1], (n, 3)) for n in (1, 7, 50, 3)]
    normalizer = Normalizer(3)
    for part in parts:
        normalizer.update(part)
    rows = np.concatenate(parts)
    np.testing.assert_allclose(normalizer.mean, rows.mean(0), rtol=1e-6)
    np.testing.assert_allclose(normalizer.inverse, 1 / rows.std(0), rtol=1e-6)


def test_leading_axes_do_not_matter_and_no_rows_change_nothing():
    rows = np.random.default_rng(0).normal(2, 3, (4, 6, 2))
    a, b = Normalizer(2), Normalizer(2)
    a.update(rows)
    b.update(rows.reshape(24, 2))
    b.update(np.zeros((0, 2)))
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.inverse, b.inverse)


def test_what_is_seen_has_mean_zero_and_deviation_one():
    rows = np.random.default_rng(0).normal([-3, 400], [2, 50], (500, 2)).astype(F32)
    normalizer = Normalizer(2)
    normalizer.update(rows)
    seen = normalizer(rows.copy())
    assert seen.dtype == F32
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(0), 1, atol=1e-5)


def test_before_the_first_update_nothing_is_changed():
    x = np.array([[3, -4]], F32)
    np.testing.assert_array_equal(Normalizer(2)(x.copy()), x)


def test_flags_and_constants_are_left_alone():
    rng = np.random.default_rng(0)
    rows = np.stack(
        [rng.integers(0, 2, 50), np.zeros(50), np.ones(50), np.full(50, 7.3), rng.random(50)], -1
    )
    normalizer = Normalizer(5)
    normalizer.update(rows[:20])
    normalizer.update(rows[20:])
    np.testing.assert_array_equal(normalizer.mean[:3], 0)
    np.testing.assert_array_equal(normalizer.inverse[:4], 1)
    # A constant is moved to zero, but not divided by the rounding that is left of it.
    assert normalizer.mean[3] == pytest.approx(7.3)
    assert normalizer.inverse[4] > 2


def test_a_flag_that_was_none_is_normalized_as_a_number():
    normalizer = Normalizer(1)
    normalizer.update(np.array([[0.0], [1.0]]))
    assert normalizer.mean[0] == 0
    normalizer.update(np.array([[0.5], [2.5]]))
    np.testing.assert_allclose(normalizer.mean, [1])


def test_far_away_numbers_are_cut():
    normalizer = Normalizer(1)
    normalizer.update(np.random.default_rng(0).standard_normal((100, 1)))
    seen = normalizer(np.array([[1e6], [-1e6]], F32))
    np.testing.assert_array_equal(seen, [[10], [-10]])


def test_numbers_far_from_zero_keep_their_deviation():
    # The textbook formula E[x^2] - E[x]^2 would have no digit left.
    rows = 1e5 + np.random.default_rng(0).standard_normal((1000, 1))
    normalizer = Normalizer(1)
    for part in np.split(rows, 10):
        normalizer.update(part)
    np.testing.assert_allclose(1 / normalizer.inverse, rows.std(0), rtol=1e-5)


def test_a_saved_normalizer_goes_on_the_same():
    rng = np.random.default_rng(0)
    a, b = Normalizer(2), Normalizer(2)
    a.update(rng.random((5, 2)))
    b.load_state_dict(a.state_dict())
    more = rng.random((5, 2))
    a.update(more)
    b.update(more)
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.inverse, b.inverse)
    assert a.count == b.count == 10
