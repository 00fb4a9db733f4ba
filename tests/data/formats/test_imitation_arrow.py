"""Folders of `imitation`: round trips, what is lost, infos that are never decoded, damage."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import arrow_files as a
import hdf5_files as h
import mutants as m
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.formats import imitation_arrow
from understudy.data.formats.door import load_demos
from understudy.errors import DemoError

PEER = Path(__file__).parent / "peers" / "imitation"
DATA = "data-00000-of-00001.arrow"
ONE_ARRAY = ("vector", "image", "multi-discrete", "discrete")


def read(path: Path) -> str:
    """A digest of a folder whose data is damaged."""
    return a.read_beside(path, PEER, DATA)


def read_state(path: Path) -> str:
    """A digest of a folder whose state is damaged."""
    return a.read_beside(path, PEER, "state.json")


def as_written(demos: Demos) -> Demos:
    """The same without what `imitation` has no place for."""
    ends = [replace(e, end=End.UNKNOWN if e.end is not End.OPEN else End.OPEN) for e in demos]
    return Demos(demos.spec, ends)


@pytest.mark.parametrize("kind", ONE_ARRAY)
def test_every_kind_of_one_array_comes_back(kind: str, tmp_path: Path) -> None:
    demos = h.demos_of(kind)
    lost = imitation_arrow.write(tmp_path / "set", demos)
    assert "why episodes ended" in lost
    assert m.content(load_demos(tmp_path / "set", spec=demos.spec)) == m.content(as_written(demos))
    alone = load_demos(tmp_path / "set")
    assert {n: o.shape for n, o in alone.spec.obs.items()} == {
        n: o.shape for n, o in demos.spec.obs.items()
    }
    assert {o.dtype for o in alone.spec.obs.values()} == {o.dtype for o in demos.spec.obs.values()}


@pytest.mark.parametrize("kind", sorted(h.SPACES.keys() - set(ONE_ARRAY)))
def test_several_arrays_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="write it as Minari"):
        imitation_arrow.write(tmp_path / "set", h.demos_of(kind))
    assert not list(tmp_path.iterdir())


def test_what_imitation_wrote_is_read() -> None:
    demos = load_demos(PEER)
    assert demos.spec.describe() == "sees obs vector 2; does choices 3"
    assert [e.end for e in demos] == [End.UNKNOWN, End.OPEN]
    assert demos.lengths.tolist() == [4, 3]
    assert demos.returns.tolist() == [6, 3]
    last = demos.episodes[1]
    np.testing.assert_array_equal(last.obs["obs"], [[10, 0], [11, -1], [12, -2], [13, -3]])
    np.testing.assert_array_equal(last.action.discrete, [[0], [1], [2]])
    assert last.final_obs_known
    assert last.label == "imitation#1"
    assert "infos of steps are left out" in " ".join(demos.provenance.notes)


def test_infos_that_name_objects_are_only_text(tmp_path: Path) -> None:
    # jsonpickle would import `os` and call it: the peer's own fixture holds such a text.
    assert b"py/object" in (PEER / DATA).read_bytes() or b"py/reduce" in (PEER / DATA).read_bytes()
    assert all(e.info == {} for e in load_demos(PEER))


def test_rewards_are_left_out_where_not_all_have_them(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    mixed = Demos(demos.spec, [demos.episodes[0], replace(demos.episodes[1], reward=None)])
    assert "rewards, which not all episodes have" in imitation_arrow.write(tmp_path / "a", mixed)
    assert all(e.reward is None for e in load_demos(tmp_path / "a"))
    none = Demos(demos.spec, [replace(e, reward=None) for e in demos])
    assert not [what for what in imitation_arrow.write(tmp_path / "b", none) if "reward" in what]


def test_open_recordings_stay_open(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    opened = Demos(demos.spec, [replace(e, end=End.OPEN) for e in demos])
    assert "why episodes ended" not in imitation_arrow.write(tmp_path / "set", opened)
    assert {e.end for e in load_demos(tmp_path / "set")} == {End.OPEN}


def test_several_files_and_batches_are_one_set(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(imitation_arrow, "_BATCH_BYTES", 0)
    demos = h.demos_of("vector")
    imitation_arrow.write(tmp_path / "set", demos)
    shutil.copy(tmp_path / "set" / DATA, tmp_path / "set" / "second.arrow")
    state = {"_data_files": [{"filename": DATA}, {"filename": "second.arrow"}]}
    (tmp_path / "set" / "state.json").write_text(json.dumps(state))
    twice = load_demos(tmp_path / "set", spec=demos.spec)
    expected = as_written(Demos(demos.spec, [*demos, *demos]))
    assert m.content(twice) == m.content(expected)


def test_a_large_set_is_read_when_it_is_asked_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("understudy.data.formats.deferred.SMALL", 0)
    demos = h.demos_of("image")
    imitation_arrow.write(tmp_path / "set", demos)
    back = load_demos(tmp_path / "set", spec=demos.spec)
    assert not isinstance(back.episodes, list)
    assert m.content(back) == m.content(as_written(demos))


@pytest.mark.parametrize(
    "name", ["../secret.arrow", "/etc/passwd", "a/b.arrow", ".arrow", "a.txt", "", None, 3]
)
def test_a_file_elsewhere_is_never_opened(name, tmp_path: Path) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    shutil.copy(PEER / DATA, tmp_path / "secret.arrow")
    state = {"_data_files": [{"filename": name}]}
    (tmp_path / "set" / "state.json").write_text(json.dumps(state))
    with pytest.raises(DemoError, match=r"beside it") as caught:
        load_demos(tmp_path / "set")
    assert "\n" not in str(caught.value)


BATCH = {"obs": [[[1.0], [2.0]]], "acts": [[1]], "terminal": [True], "rews": [[1.0]]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"obs": [[[1.0], [2.0, 3.0]]]}, "different lengths"),
        ({"obs": [[[1.0]] * 3]}, "has 3 rows"),
        ({"obs": [None]}, "1 of them nothing"),
        ({"obs": [[[1.0], None]]}, "rows of nothing"),
        ({"obs": [["a", "b"]]}, "holds string"),
        ({"obs": [1.0]}, "a list for each trajectory"),
        ({"acts": [[float("nan")]]}, "is nan at step 0"),
        ({"rews": [[1.0, 2.0]]}, "other numbers of rews"),
        ({"terminal": ["yes"]}, "holds string"),
        ({"terminal": None}, "a column 'terminal'"),
        ({"obs": [], "acts": [], "terminal": [], "rews": []}, "no episode"),
    ],
)
def test_rows_that_are_no_trajectory_are_refused(change, said: str, tmp_path: Path) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    columns = {name: values for name, values in (BATCH | change).items() if values is not None}
    kinds = {"obs": pa.list_(pa.list_(pa.float64())), "acts": pa.list_(pa.int64())}
    table = pa.table(
        {n: pa.array(v, None if v else kinds.get(n, pa.bool_())) for n, v in columns.items()}
    )
    with pa.ipc.new_stream(str(tmp_path / "set" / DATA), table.schema) as stream:
        stream.write_table(table)
    with pytest.raises(DemoError, match=said) as caught:
        load_demos(tmp_path / "set")
    assert "\n" not in str(caught.value)


def test_packed_batches_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    shutil.copytree(PEER, tmp_path / "set")
    table = pa.table({"obs": np.zeros(1 << 20)})
    how = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(str(tmp_path / "set" / DATA), table.schema, options=how) as stream:
        stream.write_table(table)
    with pytest.raises(DemoError, match="packed batches"):
        load_demos(tmp_path / "set")


@pytest.mark.parametrize("count", a.COUNTS)
def test_damaged_files_are_read_or_refused(count: int) -> None:
    assert a.survive(read, (PEER / DATA).read_bytes(), count, 0)["refused"] > 0.2 * count


def test_a_damaged_state_is_read_or_refused() -> None:
    assert a.survive(read_state, (PEER / "state.json").read_bytes(), 200, 1)["refused"] > 40
