"""DI-engine's HDF5 files of transitions, as it would write and load them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import hdf5_files as h
import mutants as m
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.formats import di_engine
from understudy.data.formats.door import load_demos
from understudy.errors import DemoError

PEER = Path(__file__).parent / "peers" / "di_engine_demos.hdf5"


def _arrays(path: Path) -> dict[str, h5py.Dataset]:
    file = h5py.File(path)
    return {name: array for name, array in file.items() if isinstance(array, h5py.Dataset)}


def test_what_it_wrote_itself_is_written_as_it_was(tmp_path: Path) -> None:
    di_engine.write(tmp_path / "a", load_demos(PEER))
    theirs, ours = _arrays(PEER), _arrays(tmp_path / "a")
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert ours[name].dtype == array.dtype, name
        assert ours[name].compression == "gzip"
        np.testing.assert_array_equal(ours[name][()], array[()], err_msg=name)


def test_every_end_is_done_and_why_is_listed(tmp_path: Path) -> None:
    demos = h.demos_of("discrete", (3, 2, 4))
    last = replace(demos.episodes[2], end=End.OPEN)
    lost = di_engine.write(tmp_path / "a", Demos(demos.spec, [*demos.episodes[:2], last]))
    assert "why episodes ended" in lost
    done = _arrays(tmp_path / "a")["done"][()]
    assert np.flatnonzero(done).tolist() == [2, 4, 8]
    assert [e.end for e in load_demos(tmp_path / "a")] == [End.UNKNOWN] * 3


def test_what_is_written_in_its_spaces_is_read_with_them(tmp_path: Path) -> None:
    demos = h.demos_of("multi-discrete")
    plain = Demos(demos.spec, [replace(e, end=End.UNKNOWN) for e in demos])
    assert di_engine.write(tmp_path / "a", plain) == (
        "how many choices there are (give spec= when it is read again)",
    )
    assert m.content(load_demos(tmp_path / "a", spec=demos.spec)) == m.content(plain)


def test_rewards_are_written_where_all_have_them(tmp_path: Path) -> None:
    demos = h.demos_of("vector")
    none = [replace(e, reward=None) for e in demos]
    lost = di_engine.write(tmp_path / "a", Demos(demos.spec, [*none[:1], *demos.episodes[1:]]))
    assert "rewards, which not all episodes have" in lost
    assert "reward" not in _arrays(tmp_path / "a")
    lost = di_engine.write(tmp_path / "b", Demos(demos.spec, none))
    assert not [what for what in lost if "rewards" in what]


@pytest.mark.parametrize("kind", ["dict", "hybrid"])
def test_several_arrays_are_refused_and_nothing_is_left(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="one array of observations and one of actions"):
        di_engine.write(tmp_path / "a", h.demos_of(kind))
    with pytest.raises(DemoError, match="no episode"):
        di_engine.write(tmp_path / "a", Demos(h.demos_of("vector").spec, []))
    assert not list(tmp_path.iterdir())
