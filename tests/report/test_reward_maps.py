"""The picture of a recovered reward."""

import numpy as np
import pytest
from PIL import Image

from understudy.report.reward_maps import RewardMaps, draw_reward_maps

pytest.importorskip("matplotlib")


def maps(rows=3, columns=4, **changes):
    drawn = np.arange(rows * columns, dtype=float).reshape(rows, columns) - 5
    drawn[0, 1] = np.nan
    four = {"true": drawn, "recovered": -drawn, "expert": abs(drawn), "learner": abs(drawn)}
    return RewardMaps(**{**four, **changes})


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_picture_is_drawn_and_other_rewards_are_another_picture(tmp_path):
    one = maps()
    draw_reward_maps(one, tmp_path / "a.png", "Grid", "Known up to much.")
    draw_reward_maps(maps(recovered=one.true), tmp_path / "b.png", "Grid", "Known up to much.")
    a, b = pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png")
    assert a.shape == b.shape
    changed = np.flatnonzero((a != b).any((0, 2))) / a.shape[1]
    assert 0.24 < changed.min() < 0.3, "the second quarter"
    assert 0.45 < changed.max() < 0.52


def test_equal_rewards_have_equal_colors_on_both_maps(tmp_path):
    one = maps()
    draw_reward_maps(maps(recovered=one.true), tmp_path / "a.png", "Grid", "")
    colors = pixels(tmp_path / "a.png").reshape(-1, 3)
    distinct, counts = np.unique(colors, axis=0, return_counts=True)
    small = 40  # lines, letters and their edges aside
    filled = {tuple(color) for color in distinct[counts > small * small]}
    other = maps(recovered=one.true / 100)
    draw_reward_maps(other, tmp_path / "b.png", "Grid", "")
    colors = pixels(tmp_path / "b.png").reshape(-1, 3)
    distinct, counts = np.unique(colors, axis=0, return_counts=True)
    faded = {tuple(color) for color in distinct[counts > small * small]}
    assert len(faded - filled) >= 1, "a reward near 0 is pale beside the true one"


@pytest.mark.parametrize("size", [(1, 1), (30, 20)])
def test_any_size_is_drawn_even_where_all_is_zero(tmp_path, size):
    zero = np.zeros(size)
    drawn = RewardMaps(true=zero, recovered=zero, expert=zero, learner=zero)
    draw_reward_maps(drawn, tmp_path / "a.png", "Nothing", "")
    assert pixels(tmp_path / "a.png").size


def test_maps_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="expected"):
        maps(recovered=np.zeros((2, 2)))
