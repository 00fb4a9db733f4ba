from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import hdf5_files as h
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End
from understudy.data.formats import robomimic
from understudy.data.formats.door import load_demos
from understudy.errors import DemoError


def test_demonstrations_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a", "w") as file:
        for number in (10, 2, 0):
            group = file.create_group(f"data/demo_{number}")
            group["obs/x"] = np.full((2, 1), number, np.float32)
            group["actions"] = np.zeros((2, 1), np.float32)
    demos = load_demos(tmp_path / "a")
    assert [e.obs["x"][0, 0] for e in demos] == [0, 2, 10]
    assert [e.label for e in demos] == ["a#0", "a#2", "a#10"]
    assert all(e.reward is None and not e.final_obs_known for e in demos)
    assert any("last observation" in note for note in demos.provenance.notes)


def test_subsets_are_known_by_their_episodes(tmp_path: Path) -> None:
    path = h.written(tmp_path, h.demos_of("vector"), "robomimic")
    with h5py.File(path, "r+") as file:
        file["mask/train"] = np.array(["demo_0", "demo_2"], "S")
        file["mask/valid"] = ["demo_1"]
    infos = [e.info for e in load_demos(path)]
    assert infos == [{"subsets": ["train"]}, {"subsets": ["valid"]}, {"subsets": ["train"]}]


def test_simulator_states_stand_in_for_observations(tmp_path: Path) -> None:
    path = h.written(tmp_path, h.demos_of("vector"), "robomimic")
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():  # type: ignore[union-attr]
            demo["states"] = np.asarray(demo["obs/obs"])
            del demo["obs"]
    demos = load_demos(path)
    assert list(demos.spec.obs) == ["states"]
    assert any("simulator's states" in note for note in demos.provenance.notes)


def test_what_was_lost_is_listed(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    lost = robomimic.write(tmp_path / "a", demos)
    assert lost == ("bounds of the actions", "why episodes ended")
    acted = [
        replace(e, acted_by=e.acted_by + 1, proposed=e.action, team=1, info={"x": 1}) for e in demos
    ]
    lost = robomimic.write(tmp_path / "b", Demos(demos.spec, acted))
    assert {"who acted", "proposed actions", "agents, groups and teams"} < set(lost)
    assert "infos of episodes" in lost


def test_missing_rewards_and_last_observations_stay_missing(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    bare = [replace(e, reward=None, final_obs_known=False, end=End.UNKNOWN) for e in demos]
    about = Provenance(format="memory", env_id="Lift")
    robomimic.write(tmp_path / "a", Demos(demos.spec, bare, about))
    found = load_demos(tmp_path / "a")
    assert all(e.reward is None and not e.final_obs_known for e in found)
    assert found.provenance.env_id == "Lift"


@pytest.mark.parametrize("kind", ["discrete", "hybrid", "multi-discrete"])
def test_choices_are_refused_and_nothing_is_left_behind(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DemoError, match="continuous actions only"):
        robomimic.write(tmp_path / "a", h.demos_of(kind))
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(DemoError, match="exists already"):
        robomimic.write(tmp_path / "a", h.demos_of("vector"))
    assert (tmp_path / "a").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_episode_leaves_no_file(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    short = replace(demos.episodes[1], reward=np.zeros(1))
    with pytest.raises(DemoError, match="reward"):
        robomimic.write(tmp_path / "a", Demos(demos.spec, [demos.episodes[0], short]))
    assert not list(tmp_path.iterdir())


def test_a_file_without_demonstrations_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a", "w") as file:
        file.create_group("data/other")
    with pytest.raises(DemoError, match="holds no demo_0"):
        load_demos(tmp_path / "a")
