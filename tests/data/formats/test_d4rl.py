from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import hdf5_files as h
from understudy.data.episode import End
from understudy.data.formats import d4rl, di_engine
from understudy.data.formats.door import load_demos
from understudy.errors import DemoError


def _file(path: Path, **arrays: object) -> Path:
    steps = 6
    good: dict[str, object] = {
        "observations": np.arange(steps, dtype=np.float32)[:, None],
        "actions": np.zeros((steps, 1), np.float32),
        "rewards": np.arange(steps, dtype=np.float64),
        "terminals": np.array([0, 0, 1, 0, 0, 0], bool),
        "timeouts": np.array([0, 0, 0, 0, 1, 0], bool),
    }
    with h5py.File(path, "w") as file:
        for name, array in (good | arrays).items():
            if array is not None:
                file[name] = array
    return path


def _notes(demos) -> str:
    return " ".join(demos.provenance.notes)


def test_episodes_end_at_terminals_and_timeouts(tmp_path: Path) -> None:
    demos = load_demos(_file(tmp_path / "a"))
    assert demos.lengths.tolist() == [3, 2, 1]
    assert [e.end for e in demos] == [End.TERMINATED, End.TRUNCATED, End.OPEN]
    assert demos.episodes[1].obs["obs"][:, 0].tolist() == [3, 4, 4]
    assert demos.returns.tolist() == [3, 7, 5]


def test_a_step_that_is_both_was_the_task_s_end(tmp_path: Path) -> None:
    both = np.array([0, 0, 1, 0, 0, 1], bool)
    demos = load_demos(_file(tmp_path / "a", terminals=both, timeouts=both))
    assert [e.end for e in demos] == [End.TERMINATED, End.TERMINATED]


def test_without_timeouts_the_user_is_told(tmp_path: Path) -> None:
    demos = load_demos(_file(tmp_path / "a", timeouts=None))
    assert demos.lengths.tolist() == [3, 3]
    assert "there are no timeouts" in _notes(demos)


def test_ends_of_d3rlpy_version_1_that_are_no_terminals_were_cut(tmp_path: Path) -> None:
    ends = np.array([0, 0, 1, 0, 1, 1], np.float32)
    demos = load_demos(_file(tmp_path / "a", timeouts=None, episode_terminals=ends))
    assert [e.end for e in demos] == [End.TERMINATED, End.TRUNCATED, End.TRUNCATED]


def test_flags_may_be_numbers_in_a_column(tmp_path: Path) -> None:
    terminals = np.array([0, 0, 1, 0, 0, 0], np.float32)[:, None]
    assert load_demos(_file(tmp_path / "a", terminals=terminals)).lengths.tolist() == [3, 2, 1]


def test_episodes_are_cut_where_the_next_observation_is_another(tmp_path: Path) -> None:
    # The next observation of row 1 is 9, but row 2 shows 2.
    following = np.array([1, 9, 3, 4, 5, 6], np.float32)[:, None]
    demos = load_demos(_file(tmp_path / "a", next_observations=following))
    assert demos.lengths.tolist() == [2, 1, 2, 1]
    ends = [End.UNKNOWN, End.TERMINATED, End.TRUNCATED, End.OPEN]
    assert [e.end for e in demos] == ends
    assert demos.episodes[0].obs["obs"][:, 0].tolist() == [0, 1, 9]
    assert all(e.final_obs_known for e in demos)
    assert "at 1 places the next observation is not that of the row after" in _notes(demos)


def test_gaps_are_found_on_the_borders_of_the_blocks_too(tmp_path: Path, monkeypatch) -> None:
    following = np.array([1, 9, 3, 4, 5, 6], np.float32)[:, None]
    path = _file(tmp_path / "a", next_observations=following)
    for num_bytes in (1, 8, 12):
        monkeypatch.setattr("understudy.data.formats.flat._BLOCK_BYTES", num_bytes)
        assert load_demos(path).lengths.tolist() == [2, 1, 2, 1]


def test_shuffled_transitions_are_episodes_of_a_step_each(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    h.write_di_engine(tmp_path / "a", demos)
    order = np.array([4, 0, 7, 2, 5, 1, 8, 3, 6])
    with h5py.File(tmp_path / "a", "r+") as file:
        for name in list(file):
            rows = np.asarray(file[name])[order]
            del file[name]
            file[name] = rows
    found = di_engine.read(tmp_path / "a")
    assert found.lengths.tolist() == [1] * 9
    whole = np.concatenate([e.obs["obs"][:-1] for e in demos])
    for row, episode in zip(order, found, strict=True):
        np.testing.assert_array_equal(episode.obs["obs"][0], whole[row])


def test_missing_rewards_are_none(tmp_path: Path) -> None:
    demos = load_demos(_file(tmp_path / "a", rewards=None))
    assert all(e.reward is None for e in demos)
    assert np.isnan(demos.returns).all()


def test_numbers_of_the_other_byte_order_are_the_same_numbers(tmp_path: Path) -> None:
    swapped = np.arange(6, dtype=">f8")[:, None]
    demos = load_demos(_file(tmp_path / "a", observations=swapped))
    assert demos.spec.obs["obs"].dtype == "float64"
    assert demos.episodes[0].obs["obs"][:, 0].tolist() == [0, 1, 2, 2]


def test_a_flag_of_seven_is_true_and_nothing_else(tmp_path: Path) -> None:
    path = _file(tmp_path / "a", observations=np.ones((6, 1), bool))
    with h5py.File(path) as file:
        at = file["observations"].id.get_offset()  # type: ignore[union-attr]
    data = bytearray(path.read_bytes())
    data[at : at + 6] = b"\x07\x01\x00\xff\x01\x00"
    path.write_bytes(data)
    seen = np.concatenate([e.obs["obs"][:-1] for e in load_demos(path)])
    assert seen.tobytes() == b"\x01\x01\x00\x01\x01\x00"


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"actions": np.zeros((5, 1))}, "'actions' has 5 rows"),
        ({"rewards": np.zeros((6, 2))}, "'rewards' has the shape [6, 2]"),
        ({"timeouts": np.zeros(5, bool)}, "'timeouts' has the shape [5]"),
        ({"terminals": np.float32(1)}, "'terminals' is a single number"),
        ({"actions": np.zeros((6, 0), np.float32)}, "have no numbers in a row"),
        ({"next_observations": np.zeros((6, 2), np.float32)}, "'next_observations' is float32"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(tmp_path: Path, arrays, found: str) -> None:
    with pytest.raises(DemoError) as caught:
        d4rl.read(_file(tmp_path / "a", **arrays))
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)
