from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest
from PIL import Image

from made_up import HYBRID, make_demos
from understudy.data.summary import summarize
from understudy.errors import CheckpointError, MissingExtraError
from understudy.report.demo_picture import demo_overview
from understudy.report.pictures import (
    can_draw_curves,
    confusions,
    learning_curves,
    return_histograms,
    scatters,
)


def lines(scale=1.0):
    rng = np.random.default_rng(0)
    loss = [
        {"step": s, "loss": scale * np.exp(-s / 300) + rng.normal(0, 0.01)}
        for s in range(50, 1001, 10)
    ]
    held = [
        {"step": s, "held_out/log_prob": -scale * np.exp(-s / 300)} for s in range(200, 1001, 200)
    ]
    return loss + held


def pixels(path):
    """The picture, once it is certain that it is a PNG of a size that can be read."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 400 <= image.width <= 2400
        assert 200 <= image.height <= 3000
        found = np.asarray(image.convert("RGB"))
    assert found.std() > 5, "an empty picture"
    return found


def draw(function, path, *args, **options):
    function(*args, path, **options)
    return pixels(path)


def test_learning_curves_show_the_lines(tmp_path):
    first = draw(learning_curves, tmp_path / "a.png", lines())
    other = draw(learning_curves, tmp_path / "b.png", lines(2.0))
    assert first.shape == other.shape
    assert (first != other).any()


def test_same_lines_make_the_same_file(tmp_path):
    learning_curves(lines(), tmp_path / "a.png")
    learning_curves(lines(), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_best_step_is_marked_where_it_is_told(tmp_path):
    first = draw(learning_curves, tmp_path / "a.png", lines(), best_step=200)
    other = draw(learning_curves, tmp_path / "b.png", lines(), best_step=1000)
    assert (first != other).any()


@pytest.mark.parametrize(
    "some",
    [
        [{"step": 1, "loss": 2.0}],
        [{"step": 0, "held_out/log_prob": -1.0}],
        [{"step": 1, "loss": 1.0}, {"step": 2, "loss": float("nan")}, {"step": 3, "loss": 1.0}],
        [{"step": 5, "loss": 1.0}, {"step": 5, "loss": 2.0}, {"epoch": 3}],
    ],
)
def test_learning_curves_are_drawn_from_whatever_is_there(tmp_path, some):
    assert can_draw_curves(some)
    draw(learning_curves, tmp_path / "a.png", some)


def test_learning_curves_without_a_line_are_refused(tmp_path):
    assert not can_draw_curves([{"step": 1, "other": 2.0}])
    with pytest.raises(ValueError, match="held_out/log_prob"):
        learning_curves([{"step": 1, "other": 2.0}], tmp_path / "a.png")


def test_returns_of_several_actors_stand_above_each_other(tmp_path):
    rng = np.random.default_rng(0)
    expert = rng.normal(260, 20, 100)
    one = draw(return_histograms, tmp_path / "a.png", {"expert": expert})
    two = draw(
        return_histograms, tmp_path / "b.png", {"expert": expert, "random": rng.normal(0, 9, 30)}
    )
    assert two.shape[0] > one.shape[0]


@pytest.mark.parametrize(
    "returns",
    [
        {"learned": np.array([500.0] * 20)},
        {"learned": np.array([0.0])},
        {"$x_1$ [b]": np.array([1, 2, np.nan])},
        {"学習": np.arange(5)},
    ],
)
def test_odd_returns_and_names_are_drawn(tmp_path, returns):
    draw(return_histograms, tmp_path / "a.png", returns)


def test_no_return_at_all_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no actor"):
        return_histograms({"a": np.zeros(0), "b": np.array([np.nan])}, tmp_path / "a.png")


@pytest.mark.parametrize("branches", [1, 5, 13])
def test_confusion_of_any_number_of_branches(tmp_path, branches):
    rng = np.random.default_rng(0)
    counts = [rng.integers(0, 50, (k % 4 + 2, k % 4 + 2)) for k in range(branches)]
    draw(confusions, tmp_path / "a.png", counts)


def test_confusion_of_many_choices_and_of_none_shown(tmp_path):
    draw(confusions, tmp_path / "a.png", [np.eye(50, dtype=np.int64)])
    draw(confusions, tmp_path / "b.png", [np.zeros((3, 3), np.int64)])
    with pytest.raises(ValueError, match="no branch"):
        confusions([], tmp_path / "c.png")


@pytest.mark.parametrize(("steps", "width"), [(1, 1), (300, 2), (5000, 13)])
def test_scatter_of_any_width(tmp_path, steps, width):
    rng = np.random.default_rng(0)
    shown = rng.normal(size=(steps, width))
    draw(scatters, tmp_path / "a.png", shown, 0.5 * shown)


def test_scatter_of_a_number_that_never_varies(tmp_path):
    draw(scatters, tmp_path / "a.png", np.ones((20, 1)), np.ones((20, 1)))


def test_scatter_of_shapes_that_differ_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected two alike \[n, C\]"):
        scatters(np.ones((3, 1)), np.ones((3, 2)), tmp_path / "a.png")


@pytest.mark.parametrize("reward", [1.0, None])
def test_demonstrations_are_drawn_with_their_images(tmp_path, reward):
    demos = make_demos(HYBRID, (12, 3, 40), reward=reward)
    draw(lambda path: demo_overview(demos, summarize(demos), path), tmp_path / "a.png")


def test_one_episode_of_one_step_is_drawn(tmp_path):
    demos = make_demos(lengths=(1,))
    draw(lambda path: demo_overview(demos, summarize(demos), path), tmp_path / "a.png")


def test_missing_matplotlib_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **options):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **options)

    for name in [n for n in sys.modules if n.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"understudy\[plots\]"):
        learning_curves(lines(), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_picture_that_cannot_be_written_names_the_file(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere"):
        learning_curves(lines(), tmp_path / "nowhere" / "a.png")


def test_an_error_while_drawing_leaves_the_old_picture(tmp_path):
    path = tmp_path / "a.png"
    learning_curves(lines(), path)
    old = path.read_bytes()
    with pytest.raises(ValueError, match="expected two alike"):
        scatters(np.ones((3, 1)), np.ones((4, 1)), path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
