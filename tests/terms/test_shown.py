from __future__ import annotations

import numpy as np
import pytest

from understudy.data.batch import Batch
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.terms.clone import Clone, CloneConfig
from understudy.terms.shown import Shown
from worlds import toy_demos


def batch_of(shown):
    rng = np.random.default_rng(0)
    demos = toy_demos("vector", "hybrid", 2, 10, rng)
    rows = demos.rows()
    dist = Product(demos.spec.action)
    model = make_model(demos.spec, dist, NetConfig(hidden=(6,)), rng)
    pick = np.flatnonzero(rows.acted)[:4][None]
    return model, Batch(
        obs={name: x[pick] for name, x in rows.obs.items()},
        code=dist.encode(rows.action.at(pick)),
        acted=np.ones((1, 4), np.float32),
        fresh=np.zeros((1, 4), bool),
        shown=shown,
    )


def test_only_what_was_shown_is_cloned():
    model, batch = batch_of(np.array([0, 1, 0, 1], np.float32))
    term = Clone(CloneConfig(weight=0.5))
    shown = Shown(term)
    assert shown.weight(0.3) == 0.5
    cost = shown.loss(model, batch)
    cost.backward()
    gradient, batch.acted = model.flat.grad.copy(), np.array([[0, 1, 0, 1]], np.float32)
    model.flat.grad.fill(0)
    plain = term.loss(model, batch)
    plain.backward()
    assert cost.value == plain.value
    np.testing.assert_array_equal(gradient, model.flat.grad)


def test_where_nothing_was_shown_there_is_nothing_to_do():
    model, batch = batch_of(np.zeros(4, np.float32))
    cost = Shown(Clone(CloneConfig())).loss(model, batch)
    assert cost.value == 0
    assert not cost.seeds


def test_a_batch_that_does_not_say_what_was_shown_is_refused():
    model, batch = batch_of(None)
    with pytest.raises(ValueError, match="mixes nothing in"):
        Shown(Clone(CloneConfig())).loss(model, batch)
