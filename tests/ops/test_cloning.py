from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from understudy.data.spec import ActionSpec
from understudy.ops.cloning import likelihood, squared_error
from understudy.ops.cost import Out
from understudy.ops.product import Product

DIST = Product(ActionSpec(continuous=2, branches=(3,)))


def shown(seed: int = 0):
    rng = np.random.default_rng(seed)
    head = rng.standard_normal((4, 6, DIST.width + DIST.free))
    code = np.concatenate(
        [rng.standard_normal((4, 6, 2)), np.eye(3)[rng.integers(0, 3, (4, 6))]], -1
    )
    acted = (rng.random((4, 6)) < 0.7).astype(float)
    return head, code, acted / acted.sum()


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("loss", [likelihood, squared_error])
def test_rows_on_which_nothing_was_done_weigh_nothing(loss, kind):
    head, code, share = shown()
    pulled = []
    cost = loss(DIST, Out(kind(head), pulled.append), kind(code), kind(share))
    cost.backward()
    idle = share == 0
    assert (np.asarray(pulled[0])[idle] == 0).all()
    assert (np.asarray(pulled[0])[~idle] != 0).any(-1).all()
    head[idle], code[idle] = 5, 7
    assert loss(
        DIST, Out(kind(head), pulled.append), kind(code), kind(share)
    ).value == pytest.approx(cost.value)


def test_likelihood_is_the_mean_surprise_of_what_was_shown():
    head, code, share = shown()
    tensor = torch.from_numpy(head).requires_grad_()
    normal = torch.distributions.Normal(tensor[..., :2], tensor[..., 5:].exp())
    log_prob = normal.log_prob(torch.from_numpy(code[..., :2])).sum(-1)
    log_prob = log_prob + (torch.from_numpy(code[..., 2:]) * tensor[..., 2:5].log_softmax(-1)).sum(
        -1
    )
    loss = -(torch.from_numpy(share) * log_prob).sum()
    loss.backward()
    pulled = []
    cost = likelihood(DIST, Out(head, pulled.append), code, share)
    cost.backward()
    assert cost.value == pytest.approx(loss.item())
    np.testing.assert_allclose(pulled[0], np.asarray(tensor.grad), atol=1e-13)


def test_squared_error_by_hand():
    # One number: mean 3, shown 1, std 1. Half the square 2, and 0.5 * 4 + 0.5 ln 2pi for the std.
    dist = Product(ActionSpec(continuous=1))
    pulled = []
    head = Out(np.array([[3.0, 0.0]]), pulled.append)
    cost = squared_error(dist, head, np.array([[1.0]]), np.array([1.0]))
    assert cost.value == pytest.approx(2 + 2 + 0.5 * math.log(2 * math.pi))
    cost.backward()
    # The mean feels its error alone; the deviation 1 - 4: it should grow.
    np.testing.assert_allclose(pulled[0], [[2, -3]])


def test_squared_error_does_not_let_a_precise_dimension_drown_the_others():
    pulled = []
    dist = Product(ActionSpec(continuous=2))
    head = np.array([[1.0, 1.0, -6.0, 0.0]])
    squared_error(dist, Out(head, pulled.append), np.zeros((1, 2)), np.ones(1)).backward()
    np.testing.assert_allclose(pulled[0][0, :2], [1, 1])
    likelihood(dist, Out(head, pulled.append), np.zeros((1, 2)), np.ones(1)).backward()
    assert pulled[1][0, 0] > 1e5


@pytest.mark.parametrize("loss", [likelihood, squared_error])
def test_a_float64_share_leaves_gradients_in_the_heads_dtype(loss):
    head, code, share = shown()
    pulled = []
    loss(DIST, Out(head.astype(np.float32), pulled.append), code, share).backward()
    assert pulled[0].dtype == np.float32
