from __future__ import annotations

import numpy as np
import pytest

from understudy.ops.statistics import bootstrap_interval, iqm


def test_of_eight_values_the_middle_four_count():
    assert iqm(np.array([100, 1, 2, 3, 4, 5, 6, -50])) == pytest.approx((2 + 3 + 4 + 5) / 4)


def test_of_five_values_the_middle_two_and_a_half_count():
    # Ranks 1.25 to 3.75: all of 3, three quarters of 2 and of 4.
    assert iqm(np.array([1, 2, 3, 4, 100])) == pytest.approx((0.75 * 2 + 3 + 0.75 * 4) / 2.5)
    assert iqm(np.array([1, 2, 3, 8, 100])) == pytest.approx((0.75 * 2 + 3 + 0.75 * 8) / 2.5)


@pytest.mark.parametrize(("values", "expected"), [([7], 7), ([1, 3], 2), ([1, 2, 9], 2.5)])
def test_few_values(values, expected):
    # Of three the middle 1.5 count: a quarter of 1, all of 2, a quarter of 9 = 4.5 / 1.5 = 3.
    expected = 3 if len(values) == 3 else expected
    assert iqm(np.array(values)) == pytest.approx(expected)


def test_outliers_in_the_outer_quarters_do_not_move_it():
    x = np.arange(20.0)
    y = x.copy()
    y[-5:], y[:5] = 1e9, -1e9
    assert iqm(x) == iqm(y) == pytest.approx(9.5)


def test_order_does_not_matter_and_axes_do():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 40))
    np.testing.assert_allclose(iqm(x), iqm(rng.permuted(x, axis=1)))
    np.testing.assert_allclose(iqm(x), iqm(x.T, axis=0))
    assert iqm(x).shape == (3,)


def test_an_interval_holds_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.standard_normal(50), rng, draws=300)
        hits += low <= 0 <= high
    # 95 % of 200 with a standard error of 3.1; the percentile interval is a little short.
    assert 176 <= hits <= 199


def test_an_interval_is_wider_for_a_higher_level_and_narrower_for_more_values():
    x = np.random.default_rng(0).standard_normal(400)

    def width(values, level):
        low, high = bootstrap_interval(values, np.random.default_rng(1), level)
        return high - low

    assert width(x[:40], 0.5) < width(x[:40], 0.95)
    assert width(x, 0.95) < width(x[:40], 0.95)


def test_an_interval_of_equal_values_is_a_point():
    assert bootstrap_interval(np.full(9, 3.0), np.random.default_rng(0)) == (3, 3)
