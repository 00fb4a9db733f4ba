"""Every format and every kind of demonstration: read again, and equal or said not to be."""

from __future__ import annotations

import pytest

import write_formats as w
from understudy.data.formats.writers import WRITERS

# What a format with one array of observations and one of actions can hold.
PLAIN = {"vector", "float64", "image", "Discrete", "MultiDiscrete"}
HOLDS: dict[str, set[str]] = {
    "understudy": {*w.KINDS},
    "minari": {*w.KINDS},
    "minari-arrow": {*w.KINDS},
    "imitation": PLAIN,
    "robomimic": {"vector", "float64", "image", "Dict", "single numbers", "entities"},
    "lerobot": {*w.KINDS},
    "lerobot-video": {*w.KINDS},
    "parquet": {*w.KINDS},
    "csv": {*w.KINDS},
    "di-engine": {*w.KINDS},
    "di-engine-episodes": {*w.KINDS},
    "di-engine-hdf5": PLAIN,
    "mlagents": {*w.KINDS},
    "stable-baselines": PLAIN,
}
EXACT = {"understudy", "parquet"}
# What is part of the steps themselves, and the little of it that a format may alter.
DATA = {"names", "shapes", "dtypes", "values", "how many numbers there are", "choices", "rewards"}
ALTERS = {
    ("minari", "entities"): {"names"},
    ("minari-arrow", "entities"): {"names"},
    **{("csv", kind): {"dtypes"} for kind in w.KINDS},
    **{("mlagents", kind): {"dtypes"} for kind in ("float64", "Tuple")},
    ("mlagents", "single numbers"): {"shapes"},
    **{("lerobot-video", kind): {"values"} for kind in ("image", "Dict")},
}


def _skip_without_av(name: str, kind: str) -> None:
    if name == "lerobot-video" and "values" in ALTERS.get((name, kind), ()):
        pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")


@pytest.mark.parametrize("kind", w.KINDS)
@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_comes_back_equal_or_was_said_to_change(name: str, kind: str) -> None:
    _skip_without_av(name, kind)
    found = w.crossed(name, kind)
    assert (found.refused is None) == (kind in HOLDS[name]), found.refused
    if found.refused is not None:
        assert "write it as" in found.refused
        return
    assert not found.unsaid, found
    assert found.changed & DATA == ALTERS.get((name, kind), set()), found
    if name in EXACT:
        assert not found.changed | found.alone
        assert not found.lost


@pytest.mark.parametrize("what", w.BESIDE_SETS)
@pytest.mark.parametrize("name", WRITERS)
def test_nothing_that_stands_beside_the_steps_is_lost_in_silence(name: str, what: str) -> None:
    found = w.crossed(name, what)
    assert found.refused is None
    assert not found.unsaid, found
    assert name != "understudy" or not found.changed | found.alone


def test_the_tables_of_formats_are_current() -> None:
    _skip_without_av("lerobot-video", "image")
    assert w.PAGE.read_text() == w.page(), "run: python tools/write_formats.py"


def test_what_is_changed_without_a_word_is_found() -> None:
    silent = w.Crossing(lost=("tags",), changed=frozenset({"tags", "seed"}), alone=frozenset())
    assert silent.unsaid == {"seed"}
    assert w.Crossing(lost=("values", "lengths"), alone=frozenset({"lengths"})).unsaid
    before, after = w.plain("vector"), w.plain("vector")
    assert not set(w.changes(before, after))
    after.episodes[1].obs["obs"][2, 0] += 1
    assert set(w.changes(before, after)) == {"values"}
    assert {"why it ended", "last observation", "rewards"} == set(w.changes(before, w.bare()))
