"""What labels brought."""

import pytest

from understudy.report.label_curve import draw_labels, rounds_in

LINES = [
    {"step": 10, "loss": 0.5},
    {"step": 0, "round": 0, "labels": 50, "round/labels": 50},
    {"step": 20, "round": 0, "labels": 50, "trial/return": 9.0},
    {"step": 40, "round": 1, "labels": 100, "trial/return": 3.0},
    {"step": 40, "round": 1, "labels": 100, "trial/return": 20.0},
]


def test_every_round_counts_once_the_last_time_that_it_was_tried():
    assert rounds_in(LINES) == [(50, 9), (100, 20)]
    assert rounds_in(LINES[:2]) == []


def test_rounds_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    draw_labels(rounds_in(LINES), tmp_path / "labels.png", solved=15)
    assert (tmp_path / "labels.png").stat().st_size > 5000
