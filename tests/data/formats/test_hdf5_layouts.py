"""Every HDF5 layout and every kind of observation and action that it can express."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hdf5_files as h
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats.door import load_demos

EXPRESSES = {
    "minari": ("vector", "image", "dict", "multi-discrete", "hybrid", "discrete", "tuple"),
    "robomimic": ("vector", "image", "dict"),
    "d4rl": ("vector", "image", "dict", "multi-discrete", "discrete"),
    "di-engine": ("vector", "image", "dict", "multi-discrete", "discrete"),
    "tianshou": ("vector", "image", "dict", "multi-discrete", "hybrid", "discrete", "tuple"),
    "d3rlpy": ("vector", "image", "multi-discrete", "discrete"),
}
KEEPS_THE_LAST_OBSERVATION = {"minari", "robomimic", "di-engine", "tianshou"}
KEEPS_WHY_IT_ENDED = {"minari", "d4rl", "tianshou", "d3rlpy"}
ROUNDS_REWARDS = {"d4rl", "di-engine", "d3rlpy"}  # to float32
CELLS = [(layout, kind) for layout, kinds in EXPRESSES.items() for kind in kinds]


def assert_same(found: Demos, expected: Demos, layout: str) -> None:
    assert found.lengths.tolist() == expected.lengths.tolist()
    for one, other in zip(found, expected, strict=True):
        _assert_same_episode(one, other, layout)


def _assert_same_episode(found: Episode, expected: Episode, layout: str) -> None:
    known = layout in KEEPS_THE_LAST_OBSERVATION
    assert found.final_obs_known is known
    assert set(found.obs) == set(expected.obs)
    for name, rows in expected.obs.items():
        last = rows[-1:] if known else rows[-2:-1]
        np.testing.assert_array_equal(found.obs[name], np.concatenate([rows[:-1], last]))
        assert found.obs[name].dtype == rows.dtype
    for part in ("continuous", "discrete"):
        here, there = getattr(found.action, part), getattr(expected.action, part)
        np.testing.assert_array_equal(here, there)
        assert here.dtype == there.dtype
    rewards = np.asarray(expected.reward)
    if layout in ROUNDS_REWARDS:
        rewards = rewards.astype(np.float32)
    np.testing.assert_array_equal(np.asarray(found.reward), rewards)
    assert np.asarray(found.reward).dtype == rewards.dtype
    assert found.end is (expected.end if layout in KEEPS_WHY_IT_ENDED else End.UNKNOWN)


@pytest.mark.parametrize(("layout", "kind"), CELLS)
def test_what_a_layout_expresses_comes_back_equal(tmp_path: Path, layout: str, kind: str) -> None:
    demos = h.demos_of(kind)
    # Minari says the spaces itself; the others are read for an environment.
    spec = None if layout == "minari" else demos.spec
    found = load_demos(h.written(tmp_path, demos, layout), spec=spec)
    assert found.provenance.format == layout
    assert found.spec == demos.spec
    assert_same(found, demos, layout)


@pytest.mark.parametrize("layout", EXPRESSES)
@pytest.mark.parametrize("kind", ["vector", "image"])
def test_arrays_without_a_description_speak_for_themselves(
    tmp_path: Path, layout: str, kind: str
) -> None:
    demos = h.demos_of(kind)
    path = h.written(tmp_path, demos, layout)
    for metadata in path.glob("data/metadata.json"):
        metadata.unlink()
    found = load_demos(path)
    assert found.spec.difference(demos.spec) is None
    assert not found.spec.action.bounded
    assert_same(found, demos, layout)


@pytest.mark.parametrize("layout", ["d4rl", "di-engine", "tianshou", "d3rlpy"])
def test_choices_without_a_description_are_counted_over_all_episodes(
    tmp_path: Path, layout: str
) -> None:
    demos = h.demos_of("multi-discrete", (40, 40))
    found = load_demos(h.written(tmp_path, demos, layout))
    assert found.spec.action.branches == (3, 2, 4)
    assert any("give spec=" in note for note in found.provenance.notes)
    assert_same(found, demos, layout)


@pytest.mark.parametrize("layout", EXPRESSES)
def test_large_files_stay_on_the_disk_and_read_the_same(
    tmp_path: Path, layout: str, monkeypatch
) -> None:
    demos = h.demos_of("vector")
    path = h.written(tmp_path, demos, layout)
    monkeypatch.setattr("understudy.data.formats.deferred.SMALL", 0)
    found = load_demos(path, spec=demos.spec)
    assert not isinstance(found.episodes, list)
    assert found.returns == pytest.approx(demos.returns, rel=1e-6)
    assert_same(found, demos, layout)
    assert found.episodes[-1].label == found.episodes[2].label
    assert [len(e) for e in found.episodes[1:]] == [3, 1]
    with pytest.raises(IndexError):
        found.episodes[3]


@pytest.mark.parametrize("layout", ["d4rl", "di-engine", "tianshou", "d3rlpy"])
def test_the_user_is_told_what_a_layout_leaves_open(tmp_path: Path, layout: str) -> None:
    notes = " ".join(load_demos(h.written(tmp_path, h.demos_of("vector"), layout)).provenance.notes)
    missing = "the last observation of every episode is missing"
    assert (missing in notes) is (layout not in KEEPS_THE_LAST_OBSERVATION)
    assert ("not why" in notes) is (layout not in KEEPS_WHY_IT_ENDED)
