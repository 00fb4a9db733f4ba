from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, MultiBinary

from understudy.data.episode import End
from understudy.data.formats import imitation_npz
from understudy.data.spaces import spec_of
from understudy.data.spec import ActionSpec, Obs
from understudy.errors import DemoError


def trajectories(path: Path, **change: Any) -> Path:
    """Three trajectories of two, one and three steps; the last one was cut off."""
    arrays: dict[str, Any] = {
        "obs": np.arange(18, dtype=np.float64).reshape(9, 2),
        "acts": np.array([0, 1, 1, 0, 1, 0]),
        "infos": np.array([{"x": 1}] * 6, object),
        "terminal": np.array([True, True, False]),
        "indices": np.array([2, 3]),
        "rews": np.array([1.0, 2, 3, 4, 5, 6]),
    }
    np.savez(path, **{k: v for k, v in (arrays | change).items() if v is not None})
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "final.npz"


def test_each_trajectory_has_one_observation_more_than_acts(path: Path) -> None:
    demos = imitation_npz.read(trajectories(path))
    assert demos.spec.obs == {"obs": Obs(kind="vector", shape=(2,), dtype="float64")}
    assert demos.spec.action == ActionSpec(branches=(2,))
    assert [e.obs["obs"][:, 0].tolist() for e in demos] == [[0, 2, 4], [6, 8], [10, 12, 14, 16]]
    assert [e.action.discrete[:, 0].tolist() for e in demos] == [[0, 1], [1], [0, 1, 0]]
    assert demos.returns.tolist() == [3, 3, 15]
    assert all(e.final_obs_known for e in demos)


def test_a_done_may_be_a_time_limit_and_no_done_is_a_recording_cut_off(path: Path) -> None:
    demos = imitation_npz.read(trajectories(path))
    assert [e.end for e in demos] == [End.UNKNOWN, End.UNKNOWN, End.OPEN]
    assert "time limit" in demos.provenance.notes[-1]


def test_rewards_may_be_missing_and_infos_are_never_needed(path: Path) -> None:
    demos = imitation_npz.read(trajectories(path, rews=None, infos=None))
    assert all(e.reward is None for e in demos)


def test_a_single_trajectory_has_no_indices(path: Path) -> None:
    demos = imitation_npz.read(
        trajectories(path, obs=np.ones((7, 2)), terminal=np.array([True]), indices=np.array([]))
    )
    assert demos.lengths.tolist() == [6]


def test_pictures_and_several_branches_are_understood(path: Path) -> None:
    demos = imitation_npz.read(
        trajectories(
            path,
            obs=np.zeros((9, 20, 16, 3), np.uint8),
            acts=np.array([[0, 2], [1, 0], [0, 0], [1, 1], [0, 0], [0, 0]]),
        )
    )
    assert demos.spec.obs["obs"] == Obs(kind="image", shape=(20, 16, 3), dtype="uint8")
    assert demos.spec.action == ActionSpec(branches=(2, 3))


def test_a_given_spec_decides(path: Path) -> None:
    spec = spec_of(Box(-99, 99, (2,)), MultiBinary(2))
    acts = np.array([[0, 1], [1, 0], [0, 0], [1, 1], [0, 0], [0, 0]], np.int8)
    demos = imitation_npz.read(trajectories(path, acts=acts), spec=spec)
    assert demos.spec == spec
    assert demos.episodes[0].obs["obs"].dtype == np.float32
    assert demos.episodes[0].action.discrete.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"obs": np.ones((8, 2))}, "'obs' has 8 rows; expected 9"),
        ({"rews": np.ones(5)}, "'rews' has 5 rows"),
        ({"indices": np.array([2])}, "'indices' has 1 entries; expected 2"),
        ({"indices": np.array([3, 2])}, "does not rise"),
        ({"indices": np.array([-1, 2])}, "does not rise"),
        ({"indices": np.array([2, 2**63], np.uint64)}, "does not rise"),
        ({"indices": np.array([2.0, 3.0])}, "holds float64"),
        ({"terminal": np.ones(3)}, "holds float64"),
        ({"terminal": np.zeros(0, bool), "indices": np.zeros(0, int)}, "entries|rows"),
        ({"obs": np.array([{}] * 9, object)}, "never loaded"),
    ],
)
def test_files_that_contradict_themselves_are_refused(path: Path, change, found: str) -> None:
    with pytest.raises(DemoError, match=found) as caught:
        imitation_npz.read(trajectories(path, **change))
    assert "final.npz" in str(caught.value)
    assert "\n" not in str(caught.value)
