"""Writing Stable-Baselines' expert data: what is written is read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

import mutants as m
from understudy.data.action import Action
from understudy.data.arrays import from_arrays
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.formats import expert_npz_writer
from understudy.data.formats.door import load_demos
from understudy.data.spaces import codecs_of, spec_of
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError

LENGTHS = (4, 1, 3)
SPACES: dict[str, tuple[spaces.Space[Any], spaces.Space[Any]]] = {
    "vector, choices": (spaces.Box(-9, 9, (3,)), spaces.Discrete(4, start=2)),
    "float64, numbers": (spaces.Box(-9, 9, (2,), np.float64), spaces.Box(-1, 1, (2,))),
    "matrix": (spaces.Box(-9, 9, (2, 3)), spaces.MultiDiscrete([2, 5])),
    "discrete seen": (spaces.Discrete(5, start=1), spaces.MultiBinary(3)),
    "several seen": (spaces.MultiDiscrete([3, 4]), spaces.Discrete(2)),
    "color": (spaces.Box(0, 255, (20, 21, 3), np.uint8), spaces.Discrete(3)),
    "grey": (spaces.Box(0, 255, (20, 21, 1), np.uint8), spaces.Discrete(3)),
    "flat grey": (spaces.Box(0, 255, (20, 21), np.uint8), spaces.Discrete(3)),
    "stacked": (spaces.Box(0, 255, (20, 21, 4), np.uint8), spaces.Box(-1, 1, (1,))),
    "channels first": (spaces.Box(0, 255, (3, 20, 21), np.uint8), spaces.Discrete(3)),
    "six channels": (spaces.Box(0, 255, (20, 21, 6), np.uint8), spaces.Discrete(3)),
    "frames": (spaces.Box(0, 255, (2, 20, 21, 2), np.uint8), spaces.Discrete(3)),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "expert.npz"


def demos_of(name: str) -> Demos:
    seen, done = SPACES[name]
    seen.seed(0)
    done.seed(0)
    spec = spec_of(seen, done)
    see, do = codecs_of(spec)
    obs = [see.encode_many([seen.sample() for _ in range(n)]) for n in LENGTHS]
    actions = [do.encode_many([done.sample() for _ in range(n)]) for n in LENGTHS]
    rewards = [np.arange(n) / 3 for n in LENGTHS]
    return from_arrays(obs, actions, rewards, spec=spec)


def _but_for_the_spec(lost: tuple[str, ...]) -> set[str]:
    """What is lost even when the spec is given again."""
    return {w for w in lost if "give spec=" not in w} - {"bounds of the actions"}


@pytest.mark.parametrize("name", SPACES)
def test_what_is_written_is_read_again_with_its_spaces(path: Path, name: str) -> None:
    demos = demos_of(name)
    assert _but_for_the_spec(expert_npz_writer.write(path, demos)) == set()
    assert m.content(load_demos(path, spec=demos.spec)) == m.content(demos)


@pytest.mark.parametrize("name", ["color", "grey", "stacked"])
def test_pictures_become_files_beside_it(path: Path, name: str) -> None:
    demos = demos_of(name)
    expert_npz_writer.write(path, demos, image_folder="recorded_images")
    names = sorted(place.name for place in (path.parent / "recorded_images").iterdir())
    assert names == [f"{i}.png" for i in range(8)]
    again = load_demos(path)
    for before, after in zip(demos, again, strict=True):
        np.testing.assert_array_equal(after.obs["obs"], before.obs["obs"])


def test_arrays_have_the_names_and_shapes_of_the_original(path: Path) -> None:
    expert_npz_writer.write(path, demos_of("vector, choices"))
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    assert sorted(arrays) == ["actions", "episode_returns", "episode_starts", "obs", "rewards"]
    assert arrays["actions"].shape == (8, 1)
    assert arrays["actions"].min() >= 2
    assert arrays["obs"].shape == (8, 3)
    assert arrays["obs"].dtype == np.float32
    assert np.flatnonzero(arrays["episode_starts"]).tolist() == [0, 4, 5]
    np.testing.assert_allclose(arrays["episode_returns"], [2, 0, 1])


def test_why_episodes_ended_is_kept_beside_what_the_original_knows(path: Path) -> None:
    demos = demos_of("vector, choices")
    ends = [End.TERMINATED, End.TRUNCATED, End.UNKNOWN]
    changed = [replace(e, end=end) for e, end in zip(demos, ends, strict=True)]
    lost = expert_npz_writer.write(path, replace(demos, episodes=changed))
    assert _but_for_the_spec(lost) == set()
    assert [e.end for e in load_demos(path)] == ends
    arrays = dict(np.load(path))
    for words in (["over"] * 3, ["open"] * 2):
        np.savez(path, **{**arrays, "episode_ends": np.array(words)})
        with pytest.raises(
            DemoError, match=r"'episode_ends' has . words; expected 3 of terminated"
        ):
            load_demos(path)


def test_demonstrations_without_spaces_are_written_too(path: Path) -> None:
    spec = Spec(obs={"x": Obs(kind="vector", shape=(2,))}, action=ActionSpec(branches=(3, 2)))
    obs = [np.ones((n, 2), np.float32) for n in LENGTHS]
    actions = [np.stack([np.arange(n) % 3, np.arange(n) % 2], 1) for n in LENGTHS]
    demos = from_arrays(obs, actions, [np.zeros(n) for n in LENGTHS], spec=spec)
    assert _but_for_the_spec(expert_npz_writer.write(path, demos)) == set()
    assert m.content(load_demos(path, spec=spec)) == m.content(demos)


def test_what_the_layout_has_no_place_for_is_listed(path: Path) -> None:
    obs, act = [np.zeros((3, 2), np.float32)], [np.zeros((2, 1), np.float32)]
    spec = Spec(
        obs={"obs": Obs(kind="vector", shape=(2,))},
        action=ActionSpec(continuous=1, low=(-1,), high=(1,)),
    )
    demos = from_arrays(obs, act, ends=End.TRUNCATED, spec=spec)
    assert expert_npz_writer.write(path, demos) == (
        "bounds of the actions",
        "last observations",
        "that there are no rewards",
    )
    assert load_demos(path).returns.tolist() == [0]


def test_what_it_cannot_hold_is_refused_and_nothing_left_behind(path: Path) -> None:
    several = Spec(
        obs={name: Obs(kind="vector", shape=(1,)) for name in "ab"},
        action=ActionSpec(branches=(2,)),
    )
    hybrid = Spec(
        obs={"a": Obs(kind="vector", shape=(1,))}, action=ActionSpec(continuous=1, branches=(2,))
    )
    both = {name: np.zeros((2, 1), np.float32) for name in "ab"}
    one = Action(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.int64))
    with pytest.raises(DemoError, match="one array of observations"):
        expert_npz_writer.write(path, from_arrays([both], [np.zeros((1, 1), int)], spec=several))
    with pytest.raises(DemoError, match="one array of actions"):
        expert_npz_writer.write(path, from_arrays([{"a": both["a"]}], [one], spec=hybrid))
    demos = demos_of("color")
    with pytest.raises(DemoError, match="no episode"):
        expert_npz_writer.write(path, replace(demos, episodes=[]))
    with pytest.raises(DemoError, match="a folder beside it"):
        expert_npz_writer.write(path, demos, image_folder="../elsewhere")
    assert not list(path.parent.iterdir())
    (path.parent / "expert_images").mkdir()
    with pytest.raises(DemoError, match="expert_images: it exists already"):
        expert_npz_writer.write(path, demos)
    assert not path.exists()
