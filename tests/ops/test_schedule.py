from __future__ import annotations

import pytest

from understudy.ops.schedule import scheduled


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_a_schedule_starts_and_ends_where_it_should(shape):
    assert scheduled(3, shape, 0, 1) == pytest.approx(3)
    assert scheduled(3, shape, 1, 1) == pytest.approx(1)
    assert scheduled(3, shape, 0.5, 1) == pytest.approx(2)


def test_a_constant_does_not_change():
    assert scheduled(3, "constant", 0.7) == 3


def test_a_quarter_of_a_cosine_by_hand():
    # 0.5 * (1 + cos(pi / 4)) = 0.853553
    assert scheduled(1, "cosine", 0.25) == pytest.approx(0.8535534)


@pytest.mark.parametrize("shape", ["constant", "linear", "cosine"])
def test_progress_beyond_the_run_stays_at_its_end(shape):
    assert scheduled(3, shape, 1.5, 1) == scheduled(3, shape, 1, 1)
    assert scheduled(3, shape, -0.5, 1) == scheduled(3, shape, 0, 1)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_a_falling_schedule_only_falls(shape):
    values = [scheduled(1, shape, p / 20) for p in range(21)]
    assert values == sorted(values, reverse=True)
