from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from gymnasium import spaces

import hdf5_files as h
from understudy.data.formats.door import load_demos
from understudy.data.spaces import spec_of
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError, MissingExtraError

STEPS = 4


def _file(path: Path, **arrays: np.ndarray) -> Path:
    good = {
        "obs": np.arange(2.0 * STEPS, dtype=np.float32).reshape(STEPS, 2),
        "action": np.zeros((STEPS, 1), np.float32),
        "done": np.array([0, 0, 0, 1], bool),
    }
    with h5py.File(path, "w") as file:
        for name, array in (good | arrays).items():
            file[name] = array
    return path


def _spec(action: ActionSpec, **obs: Obs) -> Spec:
    return Spec(obs=obs or {"obs": Obs(kind="vector", shape=(2,))}, action=action)


HOT = np.eye(3, dtype=np.float32)[[2, 0, 1, 1]]
FOR_CHOICES = (
    spec_of(spaces.Box(-9, 9, (2,)), spaces.Discrete(3)),
    _spec(ActionSpec(branches=(3,))),
)


@pytest.mark.parametrize("spec", FOR_CHOICES)
def test_one_hot_actions_are_choices_where_the_spec_says_so(tmp_path: Path, spec: Spec) -> None:
    (episode,) = load_demos(_file(tmp_path / "a", action=HOT), spec=spec)
    assert episode.action.discrete.tolist() == [[2], [0], [1], [1]]


def test_one_hot_actions_stay_numbers_where_nobody_says_so(tmp_path: Path) -> None:
    (episode,) = load_demos(_file(tmp_path / "a", action=HOT))
    np.testing.assert_array_equal(episode.action.continuous, HOT)


def test_choices_that_do_not_begin_at_zero_are_found_in_one_hots(tmp_path: Path) -> None:
    spec = spec_of(spaces.Box(-9, 9, (2,)), spaces.Discrete(3, start=5))
    (episode,) = load_demos(_file(tmp_path / "a", action=HOT), spec=spec)
    assert episode.action.discrete.tolist() == [[2], [0], [1], [1]]


@pytest.mark.parametrize("spec", FOR_CHOICES)
@pytest.mark.parametrize(
    ("action", "found"),
    [
        (HOT * 0.5, "one 1 for every branch"),
        (np.ones((STEPS, 3)), "one 1 for every branch"),
        (np.full((STEPS, 1), 0.5), "fractions"),
        (np.full((STEPS, 1), np.inf), "fractions"),
        (np.zeros((STEPS, 2)), "rows of 2 numbers"),
        (np.full((STEPS, 1), 3), "3"),
    ],
)
def test_what_is_no_choice_is_refused(tmp_path: Path, spec: Spec, action, found: str) -> None:
    with pytest.raises(DemoError, match=found):
        load_demos(_file(tmp_path / "a", action=action), spec=spec)


@pytest.mark.parametrize("spec", FOR_CHOICES)
def test_whole_numbers_stored_as_floats_are_choices_where_the_spec_says_so(
    tmp_path: Path, spec: Spec
) -> None:
    action = np.array([[2.0], [0.0], [1.0], [1.0]])
    (episode,) = load_demos(_file(tmp_path / "a", action=action), spec=spec)
    assert episode.action.discrete.tolist() == [[2], [0], [1], [1]]


def test_a_spec_without_spaces_names_the_observations(tmp_path: Path) -> None:
    spec = _spec(ActionSpec(continuous=1), place=Obs(kind="vector", shape=(2,), dtype="float64"))
    (episode,) = load_demos(_file(tmp_path / "a"), spec=spec)
    assert episode.obs["place"].dtype == np.float64


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (_spec(ActionSpec(continuous=2)), r"rows of shape \[1\]"),
        (_spec(ActionSpec(continuous=1), x=Obs(kind="vector", shape=(3,))), r"shape \[2\]"),
        (_spec(ActionSpec(continuous=1), x=Obs(kind="vector", shape=(2,), dtype="int32")), "int32"),
        (_spec(ActionSpec(continuous=1, branches=(2,))), "are one array"),
        (
            _spec(
                ActionSpec(continuous=1),
                x=Obs(kind="vector", shape=(2,)),
                y=Obs(kind="vector", shape=(2,)),
            ),
            "x, y as in the spec",
        ),
        (spec_of(spaces.Dict(a=spaces.Box(-1, 1, (2,))), spaces.Box(-1, 1, (1,))), "is not among"),
        (spec_of(spaces.Box(-1, 1, (5,)), spaces.Box(-1, 1, (1,))), r"shape \[2\]"),
    ],
)
def test_arrays_that_are_not_what_the_spec_says_are_refused(
    tmp_path: Path, spec: Spec, found: str
) -> None:
    with pytest.raises(DemoError, match=found) as caught:
        load_demos(_file(tmp_path / "a"), spec=spec)
    assert "\n" not in str(caught.value)


def test_numbers_and_choices_side_by_side_are_a_hybrid_action(tmp_path: Path) -> None:
    h.write_tianshou(tmp_path / "a", h.demos_of("hybrid", (40, 3)))
    expected = h.demos_of("hybrid", (40, 3))
    for spec in (None, Spec(obs=expected.spec.obs, action=expected.spec.action)):
        demos = load_demos(tmp_path / "a", spec=spec)
        assert demos.spec.action.branches == (2, 3)
        for one, other in zip(demos, expected, strict=True):
            np.testing.assert_array_equal(one.action.continuous, other.action.continuous)
            np.testing.assert_array_equal(one.action.discrete, other.action.discrete)


def test_observations_that_are_missing_are_said(tmp_path: Path) -> None:
    path = _file(tmp_path / "a")
    with h5py.File(path, "r+") as file:
        del file["obs"]
        file.create_group("obs")
    with pytest.raises(DemoError, match="'observations' are missing"):
        load_demos(path)


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch) -> None:
    path = _file(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"understudy\[hdf5\]"):
        load_demos(path)


def test_a_file_that_was_read_whole_is_let_go_of(tmp_path: Path) -> None:
    path = _file(tmp_path / "a")
    demos = load_demos(path)
    with h5py.File(path, "r+") as file:  # would be refused while it is open for reading
        del file["obs"]
    assert demos.num_steps == STEPS
