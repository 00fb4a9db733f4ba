from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from demo_files import png
from understudy.data.episode import End
from understudy.data.formats import expert_npz
from understudy.data.spaces import spec_of
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError


def expert(path: Path, **change: Any) -> Path:
    """Two episodes of three and two steps."""
    arrays: dict[str, Any] = {
        "actions": np.array([[0], [1], [2], [1], [0]]),
        "obs": np.arange(10, dtype=np.float32).reshape(5, 2),
        "rewards": np.array([1.0, 2, 3, 4, 5]),
        "episode_returns": np.array([6.0, 9]),
        "episode_starts": np.array([True, False, False, True, False]),
    }
    np.savez(path, **{k: v for k, v in (arrays | change).items() if v is not None})
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "expert.npz"


def test_episodes_are_cut_at_their_starts_and_repeat_their_last_observation(path: Path) -> None:
    demos = expert_npz.read(expert(path))
    first, second = demos
    assert demos.spec.obs == {"obs": Obs(kind="vector", shape=(2,))}
    assert demos.spec.action == ActionSpec(branches=(3,))
    assert first.obs["obs"].tolist() == [[0, 1], [2, 3], [4, 5], [4, 5]]
    assert first.action.discrete.tolist() == [[0], [1], [2]]
    assert second.obs["obs"].tolist() == [[6, 7], [8, 9], [8, 9]]
    assert second.action.discrete.tolist() == [[1], [0]]
    assert demos.returns.tolist() == [6, 9]
    assert [(e.end, e.final_obs_known) for e in demos] == [(End.UNKNOWN, False)] * 2
    assert demos.provenance.format == "stable-baselines expert"
    assert "taken from the largest" in demos.provenance.notes[0]
    assert "last observation of every episode is missing" in demos.provenance.notes[1]


def test_continuous_actions_keep_their_dtype(path: Path) -> None:
    demos = expert_npz.read(expert(path, actions=np.ones((5, 2))))
    assert demos.spec.action == ActionSpec(continuous=2, dtype="float64")
    assert demos.episodes[0].action.discrete.shape == (3, 0)


def test_a_given_spec_says_how_many_choices_there_are(path: Path) -> None:
    spec = spec_of(Box(-9, 9, (2,)), Discrete(7))
    demos = expert_npz.read(expert(path), spec=spec)
    assert demos.spec == spec
    assert demos.episodes[0].action.discrete.tolist() == [[0], [1], [2]]
    plain = Spec(obs={"state": Obs(kind="vector", shape=(2,))}, action=ActionSpec(branches=(4,)))
    assert expert_npz.read(expert(path), spec=plain).episodes[0].obs["state"].shape == (4, 2)


def test_values_of_a_discrete_space_are_read_as_its_values(path: Path) -> None:
    """Stable-Baselines stores both as whole numbers with an axis of one."""
    spec = spec_of(Discrete(12), Discrete(3, start=5))
    expert(path, obs=np.arange(5)[:, None], actions=np.array([[5], [6], [7], [6], [5]]))
    demos = expert_npz.read(path, spec=spec)
    assert demos.episodes[0].action.discrete.tolist() == [[0], [1], [2]]
    np.testing.assert_array_equal(demos.episodes[0].obs["obs"][2], np.eye(12)[2])


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (spec_of(Box(-9, 9, (3,)), Discrete(7)), "rows of shape \\[2\\]; expected \\[3\\]"),
        (spec_of(Box(-9, 9, (2,)), Discrete(2)), "does not fit the spec"),
        (spec_of(Box(-9, 9, (2,)), Box(0, 1, (3,))), "rows of shape"),
        (Spec(obs={"a": Obs(kind="vector", shape=(3,))}), "rows of shape"),
        (Spec(obs={n: Obs(kind="vector", shape=(1,)) for n in "ab"}), "a, b as in the spec"),
        (
            Spec(
                obs={"a": Obs(kind="vector", shape=(2,))},
                action=ActionSpec(continuous=1, branches=(2,)),
            ),
            "numbers and choices",
        ),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(path: Path, spec: Spec, found: str) -> None:
    with pytest.raises(DemoError, match=found):
        expert_npz.read(expert(path), spec=spec)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"episode_starts": np.array([False] * 5)}, "does not begin with a start"),
        ({"episode_starts": np.zeros(0, bool)}, "0 as episode_starts"),
        ({"actions": np.ones((4, 1), int)}, "'actions' has 4 rows; expected 5"),
        ({"rewards": np.ones(6)}, "'rewards' has 6 rows"),
        ({"obs": np.ones((2, 2))}, "'obs' has 2 rows"),
        ({"actions": np.full((5, 1), -1)}, "choices -1 to 0"),
        ({"actions": np.full((5, 1), 2**40)}, "choices 0 to 1099511627776"),
        ({"actions": np.zeros((5, 0))}, "no numbers in a row"),
        ({"actions": np.array(3)}, "is a single number"),
        ({"obs": np.full((5, 2), np.nan)}, "observation 'obs' is nan at step 0"),
        ({"rewards": np.full(5, np.inf)}, "reward is inf"),
        ({"actions": np.full((5, 1), np.nan)}, "action is nan"),
        ({"rewards": np.array([{}] * 5, object)}, "never loaded"),
        ({"obs": np.array([["a"]] * 5, object)}, "never loaded"),
    ],
)
def test_files_that_contradict_themselves_are_refused(path: Path, change, found: str) -> None:
    with pytest.raises(DemoError, match=found) as caught:
        expert_npz.read(expert(path, **change))
    assert "expert.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_too_large_for_the_spec_are_refused(path: Path) -> None:
    expert(path, obs=np.full((5, 2), 1e300))
    plain = Spec(obs={"a": Obs(kind="vector", shape=(2,))}, action=ActionSpec(branches=(4,)))
    for spec in (spec_of(Box(-9, 9, (2,)), Discrete(3)), plain):
        with pytest.raises(DemoError, match="is inf at step 0"):
            expert_npz.read(path, spec=spec)


def _pictures(folder: Path, channels: int = 3) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 9, channels), np.uint8)
    (folder / "recorded_images").mkdir(exist_ok=True)
    for i, picture in enumerate(pixels):
        (folder / "recorded_images" / f"{i}.png").write_bytes(png(picture))
    return pixels


@pytest.mark.parametrize("prefix", ["", "data/atari/"])
def test_pictures_are_read_from_beside_the_file(path: Path, prefix: str) -> None:
    pixels = _pictures(path.parent)
    names = np.array([f"{prefix}recorded_images/{i}.png" for i in range(5)])
    demos = expert_npz.read(expert(path, obs=names))
    assert demos.spec.obs["obs"] == Obs(kind="image", shape=(8, 9, 3), dtype="uint8")
    np.testing.assert_array_equal(demos.episodes[1].obs["obs"], pixels[[3, 4, 4]])


def test_four_stacked_frames_come_in_the_order_that_opencv_was_given(path: Path) -> None:
    pixels = _pictures(path.parent, 4)
    names = np.array([f"recorded_images/{i}.png" for i in range(5)])
    demos = expert_npz.read(expert(path, obs=names))
    np.testing.assert_array_equal(demos.episodes[0].obs["obs"][0], pixels[0][:, :, [2, 1, 0, 3]])


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "recorded_images/../../secret.png",
        "/etc/secret.png",
        "..\\secret.png",
        "C:\\secret.png",
        "recorded_images/0.txt",
        "recorded_images/none.png",
        "recorded_images/link.png",
        "recorded_images/a\0.png",
        "x" * 3000 + ".png",
        "",
        "\ud800.png",
    ],
)
def test_pictures_elsewhere_are_never_opened(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    _pictures(folder)
    (tmp_path / "secret.png").write_bytes(png(np.zeros((8, 9, 3), np.uint8)))
    (folder / "recorded_images" / "0.txt").write_bytes(png(np.zeros((8, 9, 3), np.uint8)))
    (folder / "recorded_images" / "link.png").symlink_to(tmp_path / "secret.png")
    names = np.array([name] * 5)
    with pytest.raises(DemoError, match="obs' names") as caught:
        expert_npz.read(expert(folder / "expert.npz", obs=names))
    assert "\n" not in str(caught.value)


def test_pictures_that_differ_or_are_none_are_refused(path: Path) -> None:
    _pictures(path.parent)
    names = np.array([f"recorded_images/{i}.png" for i in range(5)])
    place = path.parent / "recorded_images" / "3.png"
    place.write_bytes(png(np.zeros((8, 8, 3), np.uint8)))
    with pytest.raises(DemoError, match=r"3\.png: a picture of \[8, 8, 3\]"):
        expert_npz.read(expert(path, obs=names))
    place.write_bytes(b"nothing")
    with pytest.raises(DemoError, match=r"3\.png: byte 0: a file that is neither PNG nor JPEG"):
        expert_npz.read(expert(path, obs=names))


def test_text_beyond_unicode_is_refused(path: Path) -> None:
    names = np.full((5, 4), 2**31, np.uint32).view("<U4").reshape(5)
    with pytest.raises(DemoError, match="text that is none"):
        expert_npz.read(expert(path, obs=names))


def test_a_million_episodes_in_a_small_file_are_refused(path: Path) -> None:
    count = 1_000_000
    np.savez_compressed(
        path,
        actions=np.zeros((count, 1), np.int8),
        obs=np.zeros((count, 1), np.int8),
        rewards=np.zeros(count, np.float32),
        episode_starts=np.ones(count, bool),
    )
    with pytest.raises(DemoError, match="1000000 episodes; expected at most 100000"):
        expert_npz.read(path)
