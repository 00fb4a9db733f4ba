"""Descent: what it reaches, and that it never rises."""

import numpy as np
import pytest

from understudy.ops.quasi_newton import bfgs


def bowl(curvatures, bottom):
    def objective(x):
        gap = x - bottom
        return float((curvatures * gap**2).sum() / 2), curvatures * gap

    return objective


def test_reaches_the_bottom_of_a_stretched_bowl_in_few_steps():
    bottom = np.arange(5.0)
    points = list(bfgs(bowl(np.array([1, 10, 100, 1e3, 1e4]), bottom), np.full(5, 7.0)))
    near = [i for i, point in enumerate(points) if np.abs(point.x - bottom).max() < 1e-6]
    assert near[0] < 60, "plain descent takes a hundred thousand"


def test_begins_where_it_is_told_and_never_rises():
    def objective(x):
        return float(np.logaddexp.reduce([*x, -x.sum()])), np.array(
            [np.exp(x[i]) - np.exp(-x.sum()) for i in range(len(x))]
        ) / (np.exp(x).sum() + np.exp(-x.sum()))

    start = np.array([3.0, -2.0])
    points = list(bfgs(objective, start))
    assert np.array_equal(points[0].x, start)
    values = [point.value for point in points]
    assert values == sorted(values, reverse=True)
    assert points[-1].x == pytest.approx([0, 0], abs=1e-6)


def test_at_the_bottom_it_stays():
    assert len(list(bfgs(bowl(np.ones(2), np.ones(2)), np.ones(2)))) == 1


def test_goes_on_where_there_is_no_bottom():
    points = bfgs(lambda x: (float(x[0]), np.ones(1)), np.zeros(1))
    values = [next(points).value for _ in range(5)]
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()


def test_where_there_is_no_bottom_steps_are_long_and_not_endless():
    points = bfgs(lambda x: (float(x[0]), np.ones(1)), np.zeros(1))
    first, second = next(points), next(points)
    assert 100 < first.x[0] - second.x[0] <= 1024
