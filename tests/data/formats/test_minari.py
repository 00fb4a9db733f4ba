from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import hdf5_files as h
from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode
from understudy.data.formats import minari, robomimic
from understudy.data.formats.door import load_demos
from understudy.data.spec import ActionSpec, Obs, Spec, present
from understudy.errors import DemoError


def _metadata(folder: Path) -> dict[str, object]:
    return json.loads((folder / "data" / "metadata.json").read_text())


def test_spaces_are_made_up_for_demonstrations_that_came_without(tmp_path: Path) -> None:
    spec = Spec(
        obs={
            "place": Obs(kind="vector", shape=(3,)),
            "camera/front": Obs(kind="image", shape=(16, 18, 3), dtype="uint8"),
            "balls/rows": Obs(kind="entities", shape=(4, 2)),
            "action_mask": Obs(kind="mask", shape=(5,), dtype="bool"),
        },
        action=ActionSpec(continuous=2, low=(-1, -2), high=(1, 2), branches=(3, 2)),
    )
    rng = np.random.default_rng(0)
    there = np.arange(4) < rng.integers(0, 5, (6, 1))
    obs = {
        "place": rng.normal(size=(6, 3)).astype(np.float32),
        "camera/front": rng.integers(0, 256, (6, 16, 18, 3), np.uint8),
        "balls/rows": (rng.normal(size=(6, 4, 2)) * there[..., None]).astype(np.float32),
        present("balls/rows"): there,
        "action_mask": rng.random((6, 5)) < 0.5,
    }
    action = Action(
        rng.uniform(-1, 1, (5, 2)).astype(np.float32),
        np.stack([rng.integers(0, 3, 5), rng.integers(0, 2, 5)], axis=1),
    )
    episode = Episode(
        obs=obs, action=action, reward=np.ones(5), end=End.TRUNCATED, seed=5,
        acted_by=np.zeros(5, np.uint8),
    )  # fmt: skip
    assert minari.write(tmp_path / "set-v0", Demos(spec, [episode])) == ()
    found = load_demos(tmp_path / "set-v0")
    assert spec.difference(found.spec) is None
    assert found.spec.action == spec.action
    (back,) = found
    assert set(back.obs) == set(obs)
    for name, array in obs.items():
        np.testing.assert_array_equal(back.obs[name], array)
        assert back.obs[name].dtype == array.dtype
    np.testing.assert_array_equal(back.action.continuous, action.continuous)
    np.testing.assert_array_equal(back.action.discrete, action.discrete)
    assert (back.end, back.seed) == (End.TRUNCATED, 5)


def test_entities_get_a_name_of_two_parts_and_the_user_is_told(tmp_path: Path) -> None:
    obs = {"balls": Obs(kind="entities", shape=(4, 2), goal=True)}
    spec = Spec(obs=obs, action=ActionSpec(branches=(2,)))
    there = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    episode = Episode(
        obs={"balls": np.ones((2, 4, 2), np.float32) * there[..., None], present("balls"): there},
        action=Action(np.zeros((1, 0), np.float32), np.ones((1, 1), np.int64)),
        acted_by=np.zeros(1, np.uint8),
    )
    lost = minari.write(tmp_path / "set-v0", Demos(spec, [episode]))
    name = "the name of 'balls', which is read as 'balls/rows'"
    assert lost == (name, "which observations are goals")
    (back,) = load_demos(tmp_path / "set-v0")
    np.testing.assert_array_equal(back.obs["balls/rows"], episode.obs["balls"])
    np.testing.assert_array_equal(back.obs["balls/rows.present"], there)


def test_what_no_space_says_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    obs = {"room": Obs(kind="vector", shape=(20, 20), dtype="uint8")}  # would pass for a picture
    spec = Spec(obs=obs, action=ActionSpec(continuous=1))
    with pytest.raises(DemoError, match="no Gymnasium space says"):
        minari.write(tmp_path / "set-v0", Demos(spec, []))
    assert not list(tmp_path.iterdir())


def test_missing_rewards_stay_missing(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    bare = [replace(e, reward=None) for e in demos]
    minari.write(tmp_path / "set-v0", Demos(demos.spec, bare))
    found = load_demos(tmp_path / "set-v0")
    assert all(e.reward is None for e in found)
    assert np.isnan(found.returns).all()


def test_what_was_lost_is_listed(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    assert minari.write(tmp_path / "a-v0", demos) == ()
    others = [replace(e, end=End.OPEN, final_obs_known=False, group=1) for e in demos]
    about = Provenance(format="memory", env_id="Reach-v0")
    lost = minari.write(tmp_path / "b-v0", Demos(demos.spec, others, about))
    assert [line.split(",")[0].split(" (")[0] for line in lost] == [
        "agents",
        "that last observations are missing",
        "the environment's id",
        "which recordings stopped in the middle",
    ]
    assert all(e.end is End.UNKNOWN for e in load_demos(tmp_path / "b-v0"))


def test_an_episode_without_steps_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    first = demos.episodes[0]
    empty = replace(
        first, obs={"obs": first.obs["obs"][:1]}, action=first.action.at(slice(0, 0)),
        reward=np.zeros(0), acted_by=np.zeros(0, np.uint8),
    )  # fmt: skip
    for write in (minari.write, robomimic.write):
        with pytest.raises(DemoError, match="without steps"):
            write(tmp_path / "set-v0", Demos(demos.spec, [first, empty]))
        assert not list(tmp_path.iterdir())


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    for name, group in (("a", "other"), ("b", "episode_0/observations")):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_group(group)
        with pytest.raises(DemoError, match=r"no episode_0|is not there"):
            minari.read(tmp_path / name)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    minari.write(tmp_path / "set-v0", h.demos_of("vector"))
    with pytest.raises(DemoError, match="exists already"):
        minari.write(tmp_path / "set-v0", h.demos_of("vector"))


def test_the_metadata_counts_what_there_is(tmp_path: Path) -> None:
    minari.write(tmp_path / "set-v0", h.demos_of("dict"))
    about = _metadata(tmp_path / "set-v0")
    assert about["total_episodes"] == 3
    assert about["total_steps"] == 9
    assert about["jpeg_encoding"] is False
    with h5py.File(tmp_path / "set-v0" / "data" / "main_data.hdf5") as file:
        assert file["episode_1"].attrs["total_steps"] == 3
        assert list(file["episode_1/observations/arm"]) == ["gripper", "joints"]  # type: ignore[arg-type]


def test_without_metadata_the_spaces_are_those_that_are_asked_for(tmp_path: Path) -> None:
    demos = h.demos_of("tuple")
    minari.write(tmp_path / "set-v0", demos)
    main = tmp_path / "set-v0" / "data" / "main_data.hdf5"
    main.with_name("metadata.json").unlink()
    found = load_demos(main, spec=demos.spec)
    assert found.spec == demos.spec
    assert "there is no metadata.json" in found.provenance.notes[0]


def test_a_task_that_went_on_after_its_end_says_so(tmp_path: Path) -> None:
    minari.write(tmp_path / "set-v0", h.demos_of("vector"))
    with h5py.File(tmp_path / "set-v0" / "data" / "main_data.hdf5", "r+") as file:
        file["episode_1/terminations"][0] = True  # type: ignore[index]
    second = load_demos(tmp_path / "set-v0").episodes[1]
    assert second.end is End.TRUNCATED
    assert second.info == {"terminations_before_the_end": 1}


def test_pictures_of_different_sizes_are_refused(tmp_path: Path) -> None:
    import io

    from PIL import Image

    def jpeg(side: int) -> np.ndarray:
        out = io.BytesIO()
        Image.fromarray(np.zeros((side, side), np.uint8)).save(out, format="JPEG")
        return np.frombuffer(out.getvalue(), np.uint8)

    for name, last, found in (("a", jpeg(24), "picture of"), ("b", np.ones(9, np.uint8), "row 1")):
        with h5py.File(tmp_path / name, "w") as file:
            rows = file.create_dataset("episode_0/observations", (2,), h5py.vlen_dtype(np.uint8))
            rows[0], rows[1] = jpeg(32), last
            file["episode_0/actions"] = np.zeros((1, 1), np.float32)
            for flag in ("terminations", "truncations"):
                file[f"episode_0/{flag}"] = np.zeros(1, bool)
        with pytest.raises(DemoError, match=found):
            load_demos(tmp_path / name)
