"""Continuous numbers and choices, either part may be zero wide."""

import numpy as np

from understudy.data.action import Action
from understudy.data.spec import ActionSpec

HYBRID = ActionSpec(continuous=2, branches=(3,), dtype="float64")


def test_zeros_have_the_dtypes_of_the_spec():
    action = Action.zeros(HYBRID, 4, 5)
    assert action.continuous.shape == (4, 5, 2)
    assert action.continuous.dtype == np.float64
    assert action.discrete.shape == (4, 5, 1)
    assert action.discrete.dtype == np.int64
    assert Action.zeros(ActionSpec()).continuous.shape == (0,)


def test_stacking_and_taking_one_out_again_gives_the_same():
    a = Action(np.array([1.0, 2.0]), np.array([2]))
    b = Action(np.array([3.0, 4.0]), np.array([0]))
    both = Action.stack([a, b])
    assert both.continuous.tolist() == [[1, 2], [3, 4]]
    assert both.discrete.tolist() == [[2], [0]]
    again = both.at(1)
    assert again.continuous.tolist() == [3, 4]
    assert again.discrete.tolist() == [0]


def test_joining_puts_runs_one_after_the_other():
    run = Action.zeros(HYBRID, 3)
    joined = Action.join([run, run.at(slice(0, 0)), run.at(slice(1, None))])
    assert joined.continuous.shape == (5, 2)
    assert joined.discrete.shape == (5, 1)


def test_actions_within_a_spec_are_inside_its_bounds_and_of_its_dtype():
    spec = ActionSpec(continuous=2, low=(-0.1, -np.inf), high=(0.1, 1.0), branches=(3,))
    given = Action(np.array([[-5.0, -5.0], [0.05, 5.0]]), np.array([[2], [0]]))
    within = given.within(spec)
    assert within.continuous.dtype == np.float32
    assert within.continuous.tolist() == [
        [float(np.float32(-0.1)), -5.0],
        [float(np.float32(0.05)), 1.0],
    ]
    assert within.discrete is given.discrete
    assert given.continuous[0, 0] == -5.0
    assert given.within(ActionSpec(branches=(3,))) is given
