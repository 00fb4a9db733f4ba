"""Doing what was shown, as a loss."""

import math

import numpy as np
import pytest

from understudy.data.batch import Batch
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.terms.clone import Clone, CloneConfig


def model(action):
    spec = Spec(obs={"obs": Obs(kind="vector", shape=(2,))}, action=action)
    made = make_model(spec, Product(action), NetConfig(hidden=()), np.random.default_rng(0))
    made.flat.value[:] = 0
    return made


def batch(code, acted):
    acted = np.array(acted, np.float32)
    return Batch(
        obs={"obs": np.ones((*acted.shape, 2), np.float32)},
        code=np.array(code, np.float32),
        acted=acted,
        fresh=np.zeros(acted.shape, bool),
    )


def test_a_choice_that_is_as_likely_as_three_others_costs_log_four():
    found = Clone(CloneConfig()).loss(
        model(ActionSpec(branches=(4,))), batch([[[0, 0, 1, 0]]], [[1]])
    )
    assert found.value == pytest.approx(math.log(4))


def test_likelihood_and_squared_error_of_a_number_differ_by_half_the_square():
    # Mean 0 and deviation 1: -log p(2) = 2 + log(2 pi) / 2; squared error adds 2^2 / 2.
    net, shown = model(ActionSpec(continuous=1)), batch([[[2]]], [[1]])
    likelihood = Clone(CloneConfig(loss="likelihood")).loss(net, shown).value
    squared = Clone(CloneConfig(loss="squared_error")).loss(net, shown).value
    assert likelihood == pytest.approx(2 + 0.5 * math.log(2 * math.pi), rel=1e-6)
    assert squared == pytest.approx(likelihood + 2, rel=1e-6)


@pytest.mark.parametrize("loss", ["likelihood", "squared_error"])
def test_rows_on_which_nothing_was_done_change_neither_loss_nor_gradient(loss):
    net = model(ActionSpec(continuous=1, branches=(2,)))
    found, gradients = [], []
    for code, acted in (
        ([[[1, 0, 1]]], [[1]]),
        ([[[1, 0, 1]], [[50, 1, 0]]], [[1], [0]]),
    ):
        cost = Clone(CloneConfig(loss=loss)).loss(net, batch(code, acted))
        cost.backward()
        found.append(cost.value)
        gradients.append(net.flat.grad.copy())
        net.flat.grad.fill(0)
    assert found[0] == pytest.approx(found[1])
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-7)
    assert np.abs(gradients[0]).max() > 0.1


def test_the_weight_falls_along_its_schedule():
    assert [Clone(CloneConfig(weight=2)).weight(x) for x in (0, 0.5, 1)] == [2, 2, 2]
    falling = Clone(CloneConfig(weight=2, schedule="linear"))
    assert [falling.weight(x) for x in (0, 0.25, 1)] == [2, 1.5, 0]
