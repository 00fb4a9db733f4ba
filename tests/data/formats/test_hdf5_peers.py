"""Recordings that other libraries wrote (`tools/make_fixtures.py`), read without them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.formats.door import load_demos
from understudy.data.formats.hdf5 import Hdf5

PEERS = Path(__file__).parent / "peers"


def seen(episode: int, *steps: int) -> np.ndarray:
    """What was seen at these steps, as the recorder made it."""
    return np.array([[10 * episode + step, -step] for step in steps], np.float32)


def _equal(found, expected) -> None:
    np.testing.assert_array_equal(found, expected)


def _notes(demos: Demos) -> str:
    return " ".join(demos.provenance.notes)


def test_a_full_ring_of_tianshou_is_unrolled_from_its_oldest_step() -> None:
    # Nine steps went into seven rows: the first two of the first episode were overwritten, and the
    # first two of its repetition stand in their place.
    demos = load_demos(PEERS / "tianshou_full.hdf5")
    assert demos.lengths.tolist() == [2, 3, 2]
    assert [e.end for e in demos] == [End.TERMINATED, End.TRUNCATED, End.OPEN]
    _equal(demos.episodes[0].obs["obs"], seen(0, 2, 3, 4))
    _equal(demos.episodes[1].obs["obs"], seen(1, 0, 1, 2, 3))
    _equal(demos.episodes[2].obs["obs"], seen(0, 0, 1, 2))
    _equal(demos.episodes[0].action.discrete, [[2], [0]])
    _equal(demos.episodes[1].reward, [0, 1, 2])
    assert all(e.final_obs_known for e in demos)
    assert "its oldest episode may lack its beginning" in _notes(demos)


def test_the_environments_of_a_buffer_of_tianshou_are_kept_apart() -> None:
    demos = load_demos(PEERS / "tianshou_several.hdf5")
    assert demos.lengths.tolist() == [4, 3, 4, 3]
    assert demos.returns.tolist() == [6, 3, 6, 3]
    for episode, number in zip(demos, (0, 1, 0, 1), strict=True):
        assert episode.end is (End.TERMINATED if number == 0 else End.TRUNCATED)
        _equal(episode.obs["obs"], seen(number, *range(len(episode) + 1)))


def test_nested_observations_of_tianshou_are_named() -> None:
    demos = load_demos(PEERS / "tianshou_nested.hdf5")
    assert demos.spec.describe() == "sees place vector 2, view image 16x18x3 uint8; does choices 3"
    first = demos.episodes[0]
    _equal(first.obs["view"][:, 0, 0, 0], [0, 1, 2, 0, 0])
    _equal(first.obs["place"], seen(0, 0, 1, 2, 3, 3))
    assert not first.final_obs_known
    assert "the last observation of every episode is missing" in _notes(demos)


def test_episodes_of_d3rlpy_are_read() -> None:
    demos = load_demos(PEERS / "d3rlpy.h5")
    assert demos.lengths.tolist() == [4, 3]
    assert [e.end for e in demos] == [End.TERMINATED, End.TRUNCATED]
    _equal(demos.episodes[1].obs["obs"], seen(1, 0, 1, 2, 2))
    _equal(demos.episodes[0].action.discrete, [[0], [1], [2], [0]])
    assert demos.episodes[0].reward is not None
    assert demos.episodes[0].reward.tolist() == [0, 1, 2, 3]
    assert demos.provenance.versions == {"d3rlpy data set": "2.1"}
    assert not any(e.final_obs_known for e in demos)


def test_observations_of_several_parts_of_d3rlpy_are_named_by_their_places() -> None:
    demos = load_demos(PEERS / "d3rlpy_parts.h5")
    assert demos.spec.describe() == (
        "sees 0 vector 2, 1 image 3x16x18 uint8; does 1 continuous"
    )  # fmt: skip
    _equal(demos.episodes[1].obs["1"][:, 2, 5, 5], [0, 1, 2, 2])
    _equal(demos.episodes[0].action.continuous, np.array([[0], [0.1], [0.2], [0.3]], np.float32))
    assert demos.spec.obs["1"].channels_first


@pytest.mark.parametrize("path", ["nested-v0", "nested-v0/data", "nested-v0/data/main_data.hdf5"])
def test_nested_spaces_of_minari_are_read_from_its_metadata(path: str) -> None:
    demos = load_demos(PEERS / path)
    assert demos.spec.describe() == (
        "sees place vector 2, light/0 vector 3 uint8, light/1 vector 2; "
        "does 1 continuous and choices 3 x 2"
    )
    assert demos.spec.action.low == (-1,)
    assert [e.end for e in demos] == [End.TERMINATED, End.TRUNCATED]
    assert [e.seed for e in demos] == [7, 8]
    last = demos.episodes[1]
    _equal(last.obs["place"], seen(1, 0, 1, 2, 3))
    _equal(last.obs["light/0"].argmax(axis=1), [0, 1, 2, 0])
    _equal(last.action.discrete, [[0, 0], [1, 1], [2, 0]])
    _equal(last.action.continuous, np.array([[0], [0.1], [0.2]], np.float32))
    assert last.final_obs_known
    assert demos.provenance.actor == "fixture"
    assert "infos of every step are left out" in _notes(demos)


def test_pictures_that_minari_packed_are_unpacked() -> None:
    demos = load_demos(PEERS / "jpeg-v0")
    assert demos.spec.describe() == "sees obs image 32x32x1 uint8; does choices 3"
    for episode in demos:
        # A picture of a single color loses nothing as a JPEG.
        expected = 50 * np.arange(len(episode) + 1)
        _equal(episode.obs["obs"][:, 7, 9, 0], expected)
        assert episode.obs["obs"].dtype == np.uint8


def test_transitions_of_di_engine_are_cut_into_episodes() -> None:
    demos = load_demos(PEERS / "di_engine_demos.hdf5")
    assert demos.lengths.tolist() == [4, 3]
    assert [e.end for e in demos] == [End.UNKNOWN, End.UNKNOWN]
    _equal(demos.episodes[1].obs["obs"], seen(1, 0, 1, 2, 3))
    _equal(demos.episodes[0].action.discrete, [[0], [1], [2], [0]])
    assert demos.returns.tolist() == [6, 3]
    assert "not why" in _notes(demos)


def test_what_tianshou_pickled_is_never_read(monkeypatch) -> None:
    asked: list[str] = []
    array = Hdf5.array

    def noted(self: Hdf5, name: str, *args, **options):
        asked.append(name)
        return array(self, name, *args, **options)

    monkeypatch.setattr(Hdf5, "array", noted)
    load_demos(PEERS / "tianshou_several.hdf5")
    assert asked
    assert not [name for name in asked if re.search("random_state|buffers|info|policy", name)]
