"""Rows as points whose distances mean something."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import ConfigError
from understudy.nets.row_vectors import RowVectors
from understudy.ops.product import Product
from worlds import toy_spec

SPEC = Spec(
    obs={"obs": Obs(kind="vector", shape=(1,))},
    action=ActionSpec(continuous=1, low=(-2,), high=(2,), branches=(2,)),
)
DIST = Product(SPEC.action)


def test_what_is_seen_is_measured_in_deviations_and_what_is_done_in_halves_of_its_bounds():
    see = RowVectors(SPEC, DIST, done=True)
    see.observe({"obs": np.array([[2.0], [6.0]])})  # mean 4, deviation 2
    code = DIST.encode(Action(np.array([[1.0], [9.0]]), np.array([[1], [0]])))
    seen = {"obs": np.array([[4.0], [8.0]])}
    # 9 is executed at the bound, 2, which is the code 1.
    assert see(seen, code).tolist() == [[0, 0.5, 0, 1], [2, 1, 1, 0]]
    alone = RowVectors(SPEC, DIST, done=False)
    assert (alone.width, see.width) == (1, 4)
    assert alone(seen, code).tolist() == [[4], [8]], "nothing was measured yet"


def test_what_was_measured_is_taken_over():
    one, other = (RowVectors(SPEC, DIST, done=False) for _ in range(2))
    one.observe({"obs": np.array([[2.0], [6.0]])})
    other.load_state_dict(one.state_dict())
    seen, code = {"obs": np.array([[8.0]])}, np.zeros((1, 3), np.float32)
    assert other(seen, code).tolist() == [[2]]


@pytest.mark.parametrize("kind", ["image", "entities"])
def test_what_has_no_numbers_to_compare_is_refused(kind):
    spec = toy_spec(kind)
    with pytest.raises(ConfigError, match=f"{kind} '{kind}'"):
        RowVectors(spec, Product(spec.action), done=True)
