from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.envs.env import Moment
from understudy.errors import EnvError
from understudy.report import film as films
from understudy.report.film import MOST_FRAMES, WIDTH, film, film_episode

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(1,))}, action=ActionSpec(branches=(2,)))


def frames(count, height=30, width=40):
    """A square that moves: no two frames are alike."""
    for t in range(count):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[:, : 1 + t * (width - 1) // max(1, count)] = (200, t % 256, 90)
        frame[0, :, 2] = t % 251
        yield frame


def frames_of(image) -> int:
    return cast(Any, image).n_frames


class Stage:
    """Two slots that count; slot 1 ends after 3 steps, slot 0 after `length`."""

    env_id = "Stage-v0"

    def __init__(self, length=10, pictures=True):
        self.behaviors: Mapping[str, Spec] = {"agent": SPEC}
        self.slots: Mapping[str, int] = {"agent": 2}
        self.versions: Mapping[str, str] = {}
        self.length, self.pictures = length, pictures

    def reset(self, seed=None) -> Mapping[str, Moment]:
        self.t = 0
        return self.moments

    def step(self, actions) -> Mapping[str, Moment]:
        self.t += 1
        return self.moments

    @property
    def moments(self) -> Mapping[str, Moment]:
        ended = np.array([self.t == self.length, self.t % 4 == 3])
        return {
            "agent": Moment(
                slots=np.array([0, 1]),
                obs={"obs": np.full((2, 1), self.t, np.float32)},
                reward=np.ones(2, np.float32),
                terminated=ended,
                truncated=np.zeros(2, bool),
                fresh=np.array([self.t == 0, self.t % 4 == 0]),
            )
        }

    def seeds(self, behavior) -> list[int | None]:
        return [0, 1]

    def render(self):
        # The same memory again and again, as simulators do.
        if not self.pictures:
            return None
        if self.t == 0:
            self.frame = np.zeros((20, 30, 3), np.uint8)
        self.frame[:] = 20 * self.t
        return self.frame

    def state_dict(self) -> dict[str, Any]:
        return {"t": self.t}

    def load_state_dict(self, state) -> None:
        self.t = state["t"]

    def close(self):
        pass


ACTOR = Fixed(lambda obs: Action.zeros(SPEC.action, len(obs["obs"])))


def test_film_is_an_animated_picture_at_the_speed_of_the_frames(tmp_path):
    path = film(frames(10), tmp_path / "a.any", fps=20)
    assert path == tmp_path / "a.webp"
    with Image.open(path) as image:
        assert frames_of(image) == 10
        assert image.size == (40, 30)
        assert image.info["loop"] == 0
        image.seek(4)
        image.load()
        assert image.info["duration"] == 50


def test_long_film_leaves_frames_out_and_keeps_its_length_and_its_end(tmp_path):
    count = 3 * MOST_FRAMES + 5
    path = film(frames(count), tmp_path / "a", fps=100)
    with Image.open(path) as image:
        assert frames_of(image) <= MOST_FRAMES + 1
        total = 0
        for n in range(frames_of(image)):
            image.seek(n)
            image.load()
            total += image.info["duration"]
        # The last one is the last frame of the episode: all but filled.
        assert np.asarray(image.convert("RGB"))[15, 37, 0] > 150
    seconds = count / 100 + films.LAST_SECONDS
    assert total / 1000 == pytest.approx(seconds, rel=0.05)


def test_wide_frames_become_smaller(tmp_path):
    with Image.open(film(frames(3, 500, 1000), tmp_path / "a")) as image:
        assert image.size == (WIDTH, WIDTH // 2)


def test_noise_is_pressed_until_it_is_small_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(films, "MAX_BYTES", 100_000)
    rng = np.random.default_rng(0)
    noise = (rng.integers(0, 256, (100, 150, 3), dtype=np.uint8) for _ in range(20))
    path = film(noise, tmp_path / "a")
    assert path.stat().st_size <= 100_000
    with Image.open(path) as image:
        assert image.width < 150


def test_without_webp_it_is_a_gif(tmp_path, monkeypatch):
    monkeypatch.setattr(films, "_webp", lambda: False)
    path = film(frames(5), tmp_path / "a.webp")
    assert path.suffix == ".gif"
    with Image.open(path) as image:
        assert (image.format, frames_of(image)) == ("GIF", 5)


def test_one_frame_is_a_still_picture(tmp_path):
    with Image.open(film(frames(1), tmp_path / "a")) as image:
        assert image.size == (40, 30)


def test_no_frame_and_odd_frames_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        film([], tmp_path / "a")
    with pytest.raises(ValueError, match=r"float64 \[2, 2\]"):
        film(cast(Any, [np.zeros((2, 2))]), tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_episode_of_slot_0_is_filmed_to_its_end(tmp_path):
    path = film_episode(Stage(10), ACTOR, tmp_path / "a", seed=0)
    with Image.open(path) as image:
        assert frames_of(image) == 11  # what was seen first, and after each of ten steps
        image.seek(0)
        first = np.asarray(image.convert("RGB")).mean()
        image.seek(10)
        assert first < 30 < 170 < np.asarray(image.convert("RGB")).mean()


def test_endless_episode_is_cut(tmp_path):
    with Image.open(film_episode(Stage(10**9), ACTOR, tmp_path / "a", 0, max_frames=6)) as image:
        assert frames_of(image) == 6


def test_environment_without_pictures_is_named(tmp_path):
    with pytest.raises(EnvError, match="Stage-v0 gives no picture"):
        film_episode(Stage(pictures=False), ACTOR, tmp_path / "a", 0)
