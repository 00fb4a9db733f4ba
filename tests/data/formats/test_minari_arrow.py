"""Minari's data sets in Arrow: nested spaces, ends, what is lost, and damaged files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import arrow_files as a
import hdf5_files as h
import mutants as m
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End
from understudy.data.formats import minari, minari_arrow
from understudy.data.formats.door import load_demos
from understudy.errors import DemoError

PEERS = Path(__file__).parent / "peers"


def read(path: Path) -> str:
    """A digest of a data set one of whose files is damaged."""
    return a.read_beside(path, PEERS / "arrow-v0", "data/1/part-0.arrow")


def read_metadata(path: Path) -> str:
    """The same with damaged metadata."""
    return a.read_beside(path, PEERS / "arrow-v0", "data/metadata.json")


@pytest.mark.parametrize("kind", h.SPACES)
def test_every_kind_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    demos = h.demos_of(kind)
    assert minari_arrow.write(tmp_path / "set-v0", demos) == ()
    for place in (tmp_path / "set-v0", tmp_path / "set-v0" / "data"):
        back = load_demos(place)
        assert back.spec == demos.spec
        assert m.content(back) == m.content(demos)


def test_both_storages_of_minari_are_read_alike(tmp_path: Path) -> None:
    demos = h.demos_of("dict")
    minari.write(tmp_path / "a-v0", demos)
    minari_arrow.write(tmp_path / "b-v0", demos)
    first, second = load_demos(tmp_path / "a-v0"), load_demos(tmp_path / "b-v0")
    assert m.content(first) == m.content(second)


def test_what_minari_wrote_is_read() -> None:
    demos = load_demos(PEERS / "arrow-v0")
    assert demos.spec.describe() == (
        "sees place vector 2, light/0 vector 3 uint8, light/1 vector 2; "
        "does 1 continuous and choices 3 x 2"
    )
    assert [e.end for e in demos] == [End.TERMINATED, End.TRUNCATED]
    assert [e.seed for e in demos] == [7, 8]
    last = demos.episodes[1]
    np.testing.assert_array_equal(last.obs["place"], [[10, 0], [11, -1], [12, -2], [13, -3]])
    np.testing.assert_array_equal(last.action.discrete, [[0, 0], [1, 1], [2, 0]])
    assert last.reward is not None
    assert last.reward.tolist() == [0, 1, 2]
    assert demos.provenance.actor == "fixture"
    assert "infos of every step are left out" in " ".join(demos.provenance.notes)


def test_pictures_that_minari_packed_into_arrow_are_unpacked() -> None:
    demos = load_demos(PEERS / "arrow-jpeg-v0")
    assert demos.spec.describe() == "sees obs image 32x32x1 uint8; does choices 3"
    for episode in demos:
        np.testing.assert_array_equal(
            episode.obs["obs"][:, 7, 9, 0], 50 * np.arange(len(episode) + 1)
        )


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    odd = replace(demos.episodes[0], end=End.OPEN, final_obs_known=False, team=1, reward=None)
    about = Provenance(format="memory", env_id="Reach-v0")
    lost = minari_arrow.write(tmp_path / "set-v0", Demos(demos.spec, [odd], about))
    assert [
        what for word in ("agents", "stopped", "last obs", "id") for what in lost if word in what
    ]
    assert len(lost) == 4
    assert load_demos(tmp_path / "set-v0").episodes[0].reward is None


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "set-v0").mkdir()
    with pytest.raises(DemoError, match="exists already"):
        minari_arrow.write(tmp_path / "set-v0", h.demos_of("vector"))
    demos = h.demos_of("vector")
    empty = replace(
        demos.episodes[1],
        obs={k: v[:1] for k, v in demos.episodes[1].obs.items()},
        action=demos.episodes[1].action.at(slice(0)), reward=None,
        acted_by=np.zeros(0, np.uint8),
    )  # fmt: skip
    with pytest.raises(DemoError, match="without steps"):
        minari_arrow.write(tmp_path / "b", Demos(demos.spec, [demos.episodes[0], empty]))
    assert [p.name for p in tmp_path.iterdir()] == ["set-v0"]


def test_a_large_set_is_read_when_it_is_asked_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("understudy.data.formats.deferred.SMALL", 0)
    demos = h.demos_of("dict")
    minari_arrow.write(tmp_path / "set-v0", demos)
    back = load_demos(tmp_path / "set-v0")
    assert not isinstance(back.episodes, list)
    assert back.returns.tolist() == demos.returns.tolist()
    assert m.content(back) == m.content(demos)


def test_an_episode_of_two_files_is_refused(tmp_path: Path) -> None:
    minari_arrow.write(tmp_path / "set-v0", h.demos_of("vector"))
    (tmp_path / "set-v0" / "data" / "1" / "part-1.arrow").write_bytes(b"x")
    with pytest.raises(DemoError, match=r"2 files \*\.arrow"):
        load_demos(tmp_path / "set-v0")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pa.table({"observations": ["a"]}), "a column 'actions'"),
        (pa.table({"observations": [[1.0], [1.0, 2.0]], "actions": [1, 2]}), "different lengths"),
        (pa.table({"observations": [[1.0], None], "actions": [1, 2]}), "rows of nothing"),
        (pa.table({"observations": [1.0, 2.0], "actions": ["a", "b"]}), "holds string"),
    ],
)
def test_files_that_are_no_episode_are_refused(table, said: str, tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "metadata.json").write_text("{}")
    (tmp_path / "0" / "metadata.json").write_text("{}")
    for name, values in (("rewards", [0.0, 0]), ("terminations", [True] * 2)):
        if name not in table.column_names and table.num_rows == 2:
            table = table.append_column(name, pa.array(values))
    with pa.ipc.new_file(str(tmp_path / "0" / "x.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DemoError, match=said) as caught:
        load_demos(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", a.COUNTS)
def test_damaged_files_are_read_or_refused(count: int) -> None:
    data = (PEERS / "arrow-v0" / "data" / "1" / "part-0.arrow").read_bytes()
    assert a.survive(read, data, count, 0)["refused"] > 0.2 * count


def test_damaged_metadata_is_read_or_refused() -> None:
    data = (PEERS / "arrow-v0" / "data" / "metadata.json").read_bytes()
    assert a.survive(read_metadata, data, 100, 1)["refused"] > 20


def test_numbers_that_only_a_metadata_says_are_no_memory(tmp_path: Path) -> None:
    minari_arrow.write(tmp_path / "set-v0", h.demos_of("vector"))
    place = tmp_path / "set-v0" / "data" / "metadata.json"
    about = json.loads(place.read_text()) | {"total_steps": 10**15, "total_episodes": 10**12}
    place.write_text(json.dumps(about))
    assert len(load_demos(tmp_path / "set-v0")) == 3
