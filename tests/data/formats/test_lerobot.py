"""LeRobot's data sets: round trips, what is lost, pictures, damage."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import arrow_files as a
import hdf5_files as h
import mutants as m
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats import lerobot_writer
from understudy.data.formats.door import load_demos
from understudy.errors import DemoError

PEER = Path(__file__).parent / "peers" / "lerobot"
DATA = "data/chunk-000/file-000.parquet"


def read(path: Path) -> str:
    """A digest of a data set whose data is damaged."""
    return a.read_beside(path, PEER, DATA)


def read_info(path: Path) -> str:
    """A digest of a data set whose description is damaged."""
    return a.read_beside(path, PEER, "meta/info.json")


def as_written(demos: Demos) -> Demos:
    """The same without what LeRobot has no place for: the last observations."""

    def bare(episode: Episode) -> Episode:
        obs = {name: np.concatenate([r[:-1], r[-2:-1]]) for name, r in episode.obs.items()}
        return replace(episode, obs=obs, final_obs_known=False)

    return Demos(demos.spec, [bare(episode) for episode in demos])


@pytest.mark.parametrize("kind", h.SPACES)
def test_every_kind_comes_back_but_for_last_observations(kind: str, tmp_path: Path) -> None:
    demos = h.demos_of(kind)
    lost = lerobot_writer.write(tmp_path / "set", demos)
    assert "last observations, on which nothing was done" in lost
    back = load_demos(tmp_path / "set", spec=demos.spec)
    assert m.content(back) == m.content(as_written(demos))


def test_what_lerobot_wrote_is_read() -> None:
    demos = load_demos(PEER)
    assert demos.spec.describe() == (
        "sees state vector 2, images.top image 16x18x3 uint8; does 1 continuous"
    )  # fmt: skip
    assert demos.lengths.tolist() == [4, 3]
    assert demos.returns.tolist() == [6, 3]
    assert {e.end for e in demos} == {End.UNKNOWN}
    last = demos.episodes[1]
    np.testing.assert_array_equal(last.obs["state"], [[10, 0], [11, -1], [12, -2], [12, -2]])
    np.testing.assert_array_equal(last.obs["images.top"][:, 3, 4, 1], [0, 50, 100, 100])
    np.testing.assert_array_equal(last.action.continuous, np.array([[0], [0.1], [0.2]], np.float32))
    assert last.reward is not None
    assert last.reward.dtype == np.float32
    assert not last.final_obs_known
    assert demos.provenance.versions == {"lerobot data set": "v3.0"}
    assert "next.done says where an episode ends, not why" in demos.provenance.notes


def test_why_episodes_ended_is_kept(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    ends = (End.TERMINATED, End.OPEN, End.UNKNOWN)
    odd = [replace(e, end=end) for e, end in zip(demos, ends, strict=True)]
    lerobot_writer.write(tmp_path / "set", Demos(demos.spec, odd))
    assert [e.end for e in load_demos(tmp_path / "set")] == [*ends]


def test_statistics_are_those_of_all_steps(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    lerobot_writer.write(tmp_path / "set", demos, fps=5)
    stats = json.loads((tmp_path / "set" / "meta" / "stats.json").read_text())
    seen = np.concatenate([e.obs["obs"][:-1] for e in demos]).astype(np.float64)
    of = stats["observation.state"]
    np.testing.assert_allclose(of["mean"], seen.mean(axis=0))
    np.testing.assert_allclose(of["std"], seen.std(axis=0))
    np.testing.assert_allclose(of["min"], seen.min(axis=0))
    np.testing.assert_allclose(of["max"], seen.max(axis=0))
    assert of["count"] == [9]
    rows = pq.read_table(tmp_path / "set" / DATA)
    np.testing.assert_allclose(rows["timestamp"][:5].to_numpy(), np.arange(5) / 5, rtol=1e-6)
    assert rows["index"].to_pylist() == list(range(9))


def test_files_roll_over_and_are_one_set(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(lerobot_writer, "_FILE_BYTES", 1 << 20)
    monkeypatch.setattr(lerobot_writer, "_FILES_PER_CHUNK", 2)
    monkeypatch.setattr(lerobot_writer, "_FILE_BYTES", 1)
    demos = h.demos_of("vector")
    lerobot_writer.write(tmp_path / "set", demos)
    files = sorted(
        str(p.relative_to(tmp_path / "set")) for p in tmp_path.rglob("data/**/*.parquet")
    )
    assert files == [
        "data/chunk-000/file-000.parquet",
        "data/chunk-000/file-001.parquet",
        "data/chunk-001/file-000.parquet",
    ]
    back = load_demos(tmp_path / "set", spec=demos.spec)
    assert m.content(back) == m.content(as_written(demos))
    shutil.rmtree(tmp_path / "set" / "data" / "chunk-001")
    with pytest.raises(DemoError, match=r"8 rows in its data files; expected 9"):
        load_demos(tmp_path / "set")


def test_two_arrays_of_one_name_are_not_written(tmp_path: Path) -> None:
    demos = h.demos_of("dict")
    spec = replace(demos.spec, observation_space=None, action_space=None)
    names = {"arm/joints": "arm.gripper"}
    spec = replace(spec, obs={names.get(n, n): o for n, o in spec.obs.items()})
    odd = [replace(e, obs={names.get(n, n): r for n, r in e.obs.items()}) for e in demos]
    with pytest.raises(DemoError, match=r"two arrays called observation\.arm\.gripper"):
        lerobot_writer.write(tmp_path / "set", Demos(spec, odd))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"codebase_version": "v2.1"}, "version 'v2.1'"),
        ({"codebase_version": None}, "version None"),
        ({"features": []}, "no features"),
        ({"features": {"action": {"dtype": "float32", "shape": [1]}}}, "observation"),
        ({"total_frames": 10**12}, "7 rows in its data files"),
    ],
)
def test_sets_that_cannot_be_read_are_refused(change, said: str, tmp_path: Path) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    place = tmp_path / "set" / "meta" / "info.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | change))
    with pytest.raises(DemoError, match=said) as caught:
        load_demos(tmp_path / "set")
    assert "\n" not in str(caught.value)


def test_pictures_in_other_files_are_never_opened(tmp_path: Path) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    rows = pq.read_table(PEER / DATA)
    at = rows.column_names.index("observation.images.top")
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    elsewhere = pa.array([{"bytes": None, "path": "/etc/passwd"}] * rows.num_rows, kind)
    rows = rows.set_column(at, "observation.images.top", elsewhere)
    pq.write_table(rows, tmp_path / "set" / DATA)
    with pytest.raises(DemoError, match="lies in other files"):
        load_demos(tmp_path / "set")


@pytest.mark.parametrize("count", a.COUNTS)
def test_damaged_files_are_read_or_refused(count: int) -> None:
    assert a.survive(read, (PEER / DATA).read_bytes(), count, 0)["refused"] > 0.3 * count


def test_a_damaged_description_is_read_or_refused() -> None:
    assert a.survive(read_info, (PEER / "meta" / "info.json").read_bytes(), 300, 1)["refused"] > 50
