"""Tables of steps in CSV and Parquet: columns by name and by saying, round trips, damage."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import arrow_files as a
import hdf5_files as h
import mutants as m
from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats import csv_steps, parquet_steps
from understudy.data.formats.columns import Source, find_columns
from understudy.data.formats.door import load_demos
from understudy.data.formats.footer import Chunk, num_bytes_unpacked
from understudy.data.formats.writers import WRITERS
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError, MissingExtraError

PEERS = Path(__file__).parent / "peers"
LAYOUTS = {"csv": csv_steps, "parquet": parquet_steps}
SIMPLE = "episode,obs_0,obs_1,action,reward,terminated,truncated\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def of_every_end() -> Demos:
    """Episodes of every end, with and without what may be missing."""
    demos = h.demos_of("vector", (5, 3, 4))
    first, second, third = demos.episodes
    bare = Episode(
        obs={name: np.concatenate([rows[:-1], rows[-2:-1]]) for name, rows in second.obs.items()},
        action=second.action, reward=None, end=End.UNKNOWN, final_obs_known=False,
        acted_by=second.acted_by,
    )  # fmt: skip
    return Demos(
        demos.spec, [replace(first, seed=7), bare, replace(third, end=End.OPEN, seed=2**62)]
    )


@pytest.mark.parametrize("kind", h.SPACES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_kind_comes_back_as_it_was(layout: str, kind: str, tmp_path: Path) -> None:
    demos = h.demos_of(kind)
    path = tmp_path / "table"
    lost = LAYOUTS[layout].write(path, demos)
    assert (lost == ()) == (layout == "parquet")
    back = load_demos(path, spec=demos.spec)
    assert m.content(back) == m.content(demos)
    assert back.provenance.format == layout
    if layout == "parquet":
        assert load_demos(path).spec == demos.spec


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_end_comes_back_and_so_does_what_is_missing(layout: str, tmp_path: Path) -> None:
    demos = of_every_end()
    LAYOUTS[layout].write(tmp_path / "table", demos)
    back = load_demos(tmp_path / "table", spec=demos.spec)
    assert [e.end for e in back] == [End.TERMINATED, End.UNKNOWN, End.OPEN]
    assert [e.seed for e in back] == [7, None, 2**62]
    assert m.content(back) == m.content(demos)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_spec_without_spaces_comes_back(layout: str, tmp_path: Path) -> None:
    spec = Spec(
        obs={
            "obs": Obs(kind="vector", shape=(2,)),
            "them": Obs(kind="entities", shape=(3, 2)),
            "allowed": Obs(kind="mask", shape=(5,), dtype="bool"),
        },
        action=ActionSpec(continuous=2, branches=(3, 2)),
    )
    rng = np.random.default_rng(0)
    episode = Episode(
        obs={
            "obs": rng.normal(size=(4, 2)).astype(np.float32),
            "them": rng.normal(size=(4, 3, 2)).astype(np.float32),
            "them.present": rng.random((4, 3)) < 0.5,
            "allowed": np.ones((4, 5), bool),
        },
        action=Action(
            rng.normal(size=(3, 2)).astype(np.float32), rng.integers(0, 2, (3, 2), np.int64)
        ),
        reward=np.ones(3, np.float32),
        end=End.TRUNCATED,
        acted_by=np.zeros(3, np.uint8),
    )  # fmt: skip
    demos = Demos(spec, [episode])
    LAYOUTS[layout].write(tmp_path / "table", demos)
    found = load_demos(tmp_path / "table", spec=spec)
    # CSV knows no float32, so rewards come back wider, of the same value.
    same = replace(found.episodes[0], reward=np.ones(3, np.float32))
    assert m.content(Demos(spec, [same])) == m.content(demos)


def test_names_tell_what_columns_hold(tmp_path: Path) -> None:
    rows = "0,1.5,2,0.25,1,0,0\n0,2.5,3,0.5,2,1,0\n1,3.5,4,0.75,3,0,1\n"
    demos = load_demos(written(tmp_path / "a.csv", SIMPLE + rows))
    assert demos.spec.describe() == "sees obs vector 2 float64; does 1 continuous"
    assert demos.lengths.tolist() == [2, 1]
    assert [e.end for e in demos] == [End.TERMINATED, End.TRUNCATED]
    assert not any(e.final_obs_known for e in demos)
    np.testing.assert_array_equal(demos.episodes[0].obs["obs"], [[1.5, 2], [2.5, 3], [2.5, 3]])
    assert demos.returns.tolist() == [3, 3]
    assert "the last observation of every episode is missing" in demos.provenance.notes


def test_columns_are_named_where_names_do_not_tell(tmp_path: Path) -> None:
    text = "run;x;v;force;over\na;0;1;0.5;no\na;1;2;0.5;no\nb;3;4;0.5;no\n"
    path = written(tmp_path / "a.txt", text)
    with pytest.raises(DemoError, match="names do not tell"):
        load_demos(path)
    columns = {"obs": {"place": ["x", "v"]}, "action": "force", "episode": "run"}
    demos = load_demos(path, columns=columns)
    assert demos.lengths.tolist() == [2, 1]
    np.testing.assert_array_equal(demos.episodes[0].obs["place"], [[0, 1], [1, 2], [1, 2]])
    assert {e.end for e in demos} == {End.UNKNOWN}
    assert "columns that are left out: over" in demos.provenance.notes


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"obs": "z"}, "no column 'z' for obs"),
        ({"obs": []}, "no column for obs"),
        ({"reword": "x"}, "expected obs or action"),
        ({"reward": ["x", "v"]}, "expected obs or action"),
        ({"obs": "x"}, "no column of action among"),
    ],
)
def test_columns_that_are_not_there_are_refused(columns, said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "run,x,v\n0,1,2\n")
    with pytest.raises(DemoError, match=said) as caught:
        load_demos(path, columns=columns)
    assert "\n" not in str(caught.value)


def test_columns_of_other_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", acts=np.ones(3))
    with pytest.raises(DemoError):
        load_demos(tmp_path / "a.npz", columns={"obs": "x"})
    h.written(tmp_path, h.demos_of("vector"), "d4rl")
    with pytest.raises(DemoError, match="CSV or Parquet, for columns="):
        load_demos(tmp_path / "file", columns={"obs": "x"})


def test_ends_alone_tell_episodes_apart(tmp_path: Path) -> None:
    text = "state,act,done\n0.5,1,0\n1.5,0,1\n2.5,1,0\n"
    demos = load_demos(written(tmp_path / "a.csv", text))
    assert demos.lengths.tolist() == [2, 1]
    assert [e.end for e in demos] == [End.UNKNOWN, End.OPEN]
    assert demos.spec.action.branches == (2,)
    final = "state,act,done\n0.5,1,0\n1.5,0,1\n2.5,,\n3.5,1,1\n4.5,,\n"
    demos = load_demos(written(tmp_path / "b.csv", final))
    assert demos.lengths.tolist() == [2, 1]
    assert all(e.final_obs_known for e in demos)
    np.testing.assert_array_equal(demos.episodes[0].obs["obs"], [0.5, 1.5, 2.5])


def test_numbered_columns_are_one_array_and_others_are_not() -> None:
    names = ["Obs.Arm_0", "obs.Arm_1", "obs.m_0_0", "obs.m_0_1", "obs.x_1", "obs.x_3", "action"]
    found = find_columns(names)
    assert found.obs["m"] == Source(("obs.m_0_0", "obs.m_0_1"), (1, 2))
    assert found.obs["x_1"] == Source(("obs.x_1",))
    assert found.obs["x_3"] == Source(("obs.x_3",))
    assert found.obs["Arm"] == Source(("Obs.Arm_0", "obs.Arm_1"), (2,))
    assert found.action == {"": Source(("action",))}


def test_floats_come_back_bit_by_bit(tmp_path: Path) -> None:
    spec = Spec(obs={"obs": Obs(kind="vector", shape=(3,))}, action=ActionSpec(continuous=1))
    values = np.array([[1e-45, 3.4028235e38, 0.1], [-0.0, 1 / 3, 7e-30]], np.float32)
    episode = Episode(
        obs={"obs": values},
        action=Action(np.array([[0.1]], np.float32), np.zeros((1, 0), np.int64)),
        acted_by=np.zeros(1, np.uint8),
    )
    csv_steps.write(tmp_path / "a.csv", Demos(spec, [episode]))
    back = load_demos(tmp_path / "a.csv", spec=spec).episodes[0]
    assert back.obs["obs"].tobytes() == values.tobytes()
    assert back.action.continuous.tobytes() == episode.action.continuous.tobytes()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("0,1,2\n", "line 2 has 3 cells"),
        ("0,a,2,0.5,1,0,0\n", "column 'obs_0' holds line 2: 'a'"),
        ("0,1,2,0.5,1,0,0\n0,true,2,0.5,1,0,0\n", "column 'obs_0' holds line 3: 'true'"),
        ("0,,2,0.5,1,0,0\n", "'obs_0' lacks row 0"),
        ("0,1,2,,1,0,0\n0,1,2,0.5,1,0,0\n", "row 0 has no action"),
        ("0,nan,2,0.5,1,0,0\n", "is nan at step 0"),
        ("0,1e999,2,0.5,1,0,0\n", "is inf at step 0"),
        ("0,1,2,1,1,0,0\n1,1,2,1,1,0,0\n0,1,2,1,1,0,0\n", "do not lie together"),
        ('0,"1,2,0.5,1,0,0\n', "damaged line"),
        (f"0,{'9' * 5000},2,1,1,0,0\n", "obs"),
        ("", "no episode"),
    ],
)
def test_lines_that_are_no_steps_are_refused(rows: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=said) as caught:
        load_demos(written(tmp_path / "a.csv", SIMPLE + rows))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value) or "a.csv" in str(caught.value)


def test_a_table_that_does_not_tell_episodes_apart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="tells episodes apart"):
        load_demos(written(tmp_path / "a.csv", "obs,action\n1,2\n"))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="2 different names"):
        load_demos(written(tmp_path / "a.csv", "obs,obs,action\n1,2,3\n"))


def test_a_name_that_would_be_read_as_another_is_not_written(tmp_path: Path) -> None:
    spec = Spec(
        obs={"a_0": Obs(kind="vector", shape=()), "b": Obs(kind="vector", shape=(1,))},
        action=ActionSpec(continuous=1),
    )
    episode = Episode(
        obs={"a_0": np.zeros(2, np.float32), "b": np.zeros((2, 1), np.float32)},
        action=Action.zeros(spec.action, 1),
        acted_by=np.zeros(1, np.uint8),
    )
    with pytest.raises(DemoError, match="would be read as something else"):
        csv_steps.write(tmp_path / "a.csv", Demos(spec, [episode]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_overwritten_and_no_part_is_left(layout: str, tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    written(tmp_path / "a", "mine")
    with pytest.raises(DemoError, match="exists already"):
        LAYOUTS[layout].write(tmp_path / "a", demos)
    with pytest.raises(DemoError, match="no episode"):
        LAYOUTS[layout].write(tmp_path / "b", Demos(demos.spec, []))
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_large_parquet_file_is_read_when_it_is_asked_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("understudy.data.formats.deferred.SMALL", 0)
    monkeypatch.setattr(parquet_steps, "_GROUP_BYTES", 0)
    demos = h.demos_of("dict")
    parquet_steps.write(tmp_path / "a.parquet", demos)
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == len(demos)
    back = load_demos(tmp_path / "a.parquet")
    assert not isinstance(back.episodes, list)
    assert m.content(back) == m.content(demos)


def test_a_parquet_file_of_pandas_is_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "observation.pos": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]],
            "action": [0, 1, 0],
            "rew": pa.array([1.0, 2.0, 3.0], pa.float32()),
            "traj": ["a", "a", "b"],
            "note": ["x", None, "y"],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    demos = load_demos(tmp_path / "a.parquet")
    assert demos.spec.describe() == "sees pos vector 2 float64; does choices 2"
    assert demos.returns.tolist() == [3, 3]
    assert demos.episodes[0].reward is not None
    assert demos.episodes[0].reward.dtype == np.float32
    assert "columns that are left out: note" in demos.provenance.notes


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"obs": ["a"], "action": [1], "episode": [0]}, "holds string"),
        ({"obs": [[1.0], None], "action": [1, 1], "episode": [0, 0]}, "lacks row 1"),
        ({"obs": [[1.0], [1.0, 2]], "action": [1, 1], "episode": [0, 0]}, "different lengths"),
        ({"obs": [1.0], "action": [{"a": 1}], "episode": [0]}, "holds struct"),
        ({"obs": [1.0], "action": [1.5], "episode": [0.5]}, "texts or whole numbers"),
        ({"obs_0": [1.0], "obs_1": [1], "action": [1], "episode": [0]}, "several dtypes"),
    ],
)
def test_columns_that_hold_no_steps_are_refused(columns, said: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(DemoError, match=said) as caught:
        load_demos(tmp_path / "a.parquet")
    assert "\n" not in str(caught.value)


def test_more_rows_than_a_file_of_its_size_may_have_are_refused(tmp_path: Path) -> None:
    flags = pa.array(np.zeros(1 << 25, bool))
    table = pa.table({"obs": flags, "action": flags, "episode": flags})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 1 << 20
    with pytest.raises(DemoError, match="33554432 rows"):
        load_demos(tmp_path / "a.parquet")


def test_a_page_that_unpacks_to_a_gigabyte_is_known_before_it_is() -> None:
    # A page header, field by field: kind 0 (data), 2^30 bytes unpacked, 2 packed, 3 values.
    header = bytes([0x15, 0, 0x15, 0x80, 0x80, 0x80, 0x80, 0x08, 0x15, 4, 0x2C, 0x15, 6, 0, 0])
    data = memoryview(header + b"xx")
    chunk = Chunk("obs", texts=False, num_values=3, start=0, stop=len(data))
    assert num_bytes_unpacked(data, chunk) == (1 << 30) + 3 * 16
    with pytest.raises(ValueError, match="3 values in the pages of 'obs', not 4"):
        num_bytes_unpacked(data, chunk._replace(num_values=4))
    with pytest.raises(ValueError, match="goes on after its column"):
        num_bytes_unpacked(data[:-1], chunk)


def test_without_pyarrow_csv_works_and_others_name_the_extra(tmp_path: Path, monkeypatch) -> None:
    demos = h.demos_of("vector")
    parquet_steps.write(tmp_path / "a.parquet", demos)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    csv_steps.write(tmp_path / "a.csv", demos)
    assert m.content(load_demos(tmp_path / "a.csv", spec=demos.spec)) == m.content(demos)
    for place in (tmp_path / "a.parquet", PEERS / "imitation", PEERS / "arrow-v0"):
        with pytest.raises(MissingExtraError, match=r"understudy\[arrow\]"):
            load_demos(place)
    for name in ("parquet", "imitation", "minari-arrow", "lerobot"):
        with pytest.raises(MissingExtraError, match=r"understudy\[arrow\]"):
            WRITERS[name].write(tmp_path / "b", demos)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("count", a.COUNTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_damaged_files_are_read_or_refused(layout: str, count: int, tmp_path: Path) -> None:
    LAYOUTS[layout].write(tmp_path / "a", h.demos_of("hybrid"))
    data = (tmp_path / "a").read_bytes()
    assert a.survive(a.read, data, count, 0)["refused"] > 0.3 * count


def test_damaged_files_of_other_writers_are_read_or_refused() -> None:
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "obs": list(rng.normal(size=(40, 3))),
            "action": rng.integers(0, 3, 40),
            "episode": [f"e{i // 9}" for i in range(40)],
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out, data_page_version="2.0", data_page_size=64, write_page_index=True)
    assert a.survive(a.read, out.getvalue(), 1000, 1)["refused"] > 300
