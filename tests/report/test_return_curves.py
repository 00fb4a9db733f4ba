from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from understudy.ops.statistics import bootstrap_interval
from understudy.report.return_curves import (
    POINTS,
    SECONDS,
    Curve,
    Estimate,
    band_of,
    curve_of,
    draw_returns,
    reached,
    title_of,
)


def curve(at, returns, episodes=None):
    many = np.full(len(at), 100.0) if episodes is None else np.array(episodes, np.float64)
    return Curve(np.array(at, np.float64), np.array(returns, np.float64), many)


def rising(seed, stop=1000, top=100.0):
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(1, stop, 40)).astype(np.float64)
    return curve(at, top * at / stop + rng.normal(0, 3, 40))


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_a_curve_is_what_the_lines_say_of_returns_in_the_order_of_steps():
    lines = [
        {"step": 5, "return": 1.0, "episodes": 2},
        {"step": 7, "loss": 3.0},
        {"step": 9, "return": 4.0, "episodes": 5},
    ]
    found = curve_of(lines)
    assert found is not None
    assert found.at.tolist() == [5, 9]
    assert found.returns.tolist() == [1, 4]
    assert found.episodes.tolist() == [2, 5]


def test_of_a_step_that_was_noted_twice_the_last_note_counts():
    lines = [{"step": 5, "return": 1.0}, {"step": 9, "return": 2.0}, {"step": 5, "return": 3.0}]
    found = curve_of(lines)
    assert found is not None
    assert found.returns.tolist() == [3, 2]


def test_where_no_episode_finished_there_is_no_curve():
    assert curve_of([{"step": 3, "loss": 1.0}, {"step": 4, "return": None}]) is None


def test_a_band_goes_from_where_all_runs_have_begun_to_where_the_first_one_ends():
    band = band_of([curve([10, 50, 100], [0, 1, 2]), curve([20, 80], [4, 6])])
    assert (band.at[0], band.at[-1], len(band.at)) == (20, 80, POINTS)
    # At 20 the runs stand at 0 and 4, at 80 at 1 (noted at 50) and 6: of two runs the mean.
    assert band.middle[0] == 2
    assert band.middle[-1] == 3.5
    assert band.last == Estimate(3.5)
    assert band.low is None


def test_between_two_notes_the_older_one_holds():
    band = band_of([curve([0, 100], [1, 9])])
    assert (band.middle[:-1] == 1).all()
    assert band.middle[-1] == 9


def test_from_three_runs_on_there_is_the_bootstrap_interval_of_the_interquartile_mean():
    returns = [3.0, 5.0, 10.0, 40.0]
    band = band_of([curve([0, 1], [x, x]) for x in returns])
    # The middle half of four values is the two in the middle.
    assert band.middle[0] == 7.5
    low, high = bootstrap_interval(np.array(returns), np.random.default_rng(0), draws=500)
    assert band.low is not None
    assert band.high is not None
    assert (band.low[0], band.high[0]) == (low, high)
    # The runs stand still, and so must the edges of their band.
    assert np.ptp(band.low) == np.ptp(band.high) == 0


def test_the_order_of_runs_changes_no_middle():
    runs = [rising(seed) for seed in range(5)]
    assert np.allclose(band_of(runs).middle, band_of(runs[::-1]).middle)


def test_a_goal_is_reached_where_a_note_says_so_over_as_many_episodes_as_it_tells_of():
    run = curve([10, 20, 30, 40], [99, 5, 50, 80], episodes=[1, 10, 20, 30])
    # The first episode brought 99 alone; the first note of 20 episodes is at step 30.
    assert reached(run, 50) == 30
    assert reached(run, 80) == 40
    assert math.isinf(reached(run, 90))


def test_a_title_claims_a_winner_only_where_the_intervals_lie_apart():
    a, b, c = Estimate(90, 85, 95), Estimate(60, 50, 70), Estimate(80, 60, 88)
    assert title_of({"B": b, "A": a}) == "A ends highest, at 90.00; B at 60.00"
    assert "A and C cannot be told apart" in title_of({"C": c, "A": a})
    assert title_of({"A": Estimate(90), "B": b}) == "A ends at 90.00, B at 60.00"
    assert title_of({"A": Estimate(90)}) == "A ends at 90.00"


def test_a_picture_shows_every_group(tmp_path):
    high, low = ([rising(seed, top=top) for seed in range(3)] for top in (100, 50))
    for name, second in (("high", high), ("low", low)):
        draw_returns({"A": high, "B": second}, tmp_path / f"{name}.png", "the same title")
    first, other = pixels(tmp_path / "high.png"), pixels(tmp_path / "low.png")
    assert first.shape == other.shape
    assert (first != other).any()


def test_the_same_runs_make_the_same_picture(tmp_path):
    for name in ("a.png", "b.png"):
        draw_returns({"A": [rising(seed) for seed in range(3)]}, tmp_path / name, goal=50)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("groups", "levels"),
    [
        ({"A": [curve([7], [3])]}, {}),
        ({"A": [curve([0], [0])]}, {}),
        ({"A": []}, {"B": Estimate(3.0)}),
        ({}, {"B": Estimate(3.0), "C": Estimate(4.0, 2.0, 5.0)}),
        ({"A": [rising(0)]}, {"C": Estimate(4.0, 2.0, 5.0)}),
        ({"$a_b$ {x}": [rising(0, stop=5)]}, {}),
        (
            {f"group {n} with a name that is as long as names get": [rising(n)] for n in range(9)},
            {},
        ),
    ],
)
def test_whatever_there_is_can_be_drawn(tmp_path, groups, levels):
    path = tmp_path / "some.png"
    draw_returns(groups, path, levels=levels, goal=3.5, over=SECONDS)
    found = pixels(path)
    assert found.std() > 5
    # Nothing touches the edge, where it would have been cut off.
    assert (found[:, -1] == 255).all()
    assert (found[:, 0] == 255).all()


def test_nothing_cannot_be_drawn(tmp_path):
    with pytest.raises(ValueError, match="no run has a return"):
        draw_returns({"A": []}, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
