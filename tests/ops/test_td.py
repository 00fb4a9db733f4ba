from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.ops.cost import Out
from understudy.ops.soft_product import Plan
from understudy.ops.td import soft_value, td_error

KINDS = pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])


def plan_of(pick, information, kind=np.asarray):
    pick = kind(np.array(pick))
    return Plan(pick[..., :0], pick, kind(np.array(information)), lambda *_: None)


@KINDS
def test_a_state_is_worth_the_least_critic_less_the_price_of_information(kind):
    # Two critics, one row, two signals, two choices.
    q = kind(np.array([[[[1.0, 4.0], [0.0, 0.0]]], [[[2.0, 3.0], [1.0, -1.0]]]]))
    plan = plan_of([[0.25, 0.75]], [[-0.5]], kind)
    value = soft_value(q, plan, kind(np.array([0.2])), kind(np.array([1.0, 3.0])))
    # Least: (1, 3) and (0, -1). Expected: 2.5 and -0.75. Price: 0.2 * -0.5 / 4 = -0.025.
    np.testing.assert_allclose(np.asarray(value), [[2.525, -0.725]])


def test_the_sum_by_strength_holds_the_price_once():
    strength = np.array([0.5, 2.0])
    plan = plan_of([[1.0]], [[0.3, 0.4]])
    value = soft_value(np.zeros((2, 1, 2, 1)), plan, np.array([1.0, 0.5]), strength)
    assert value @ strength == pytest.approx(-(0.3 + 0.2))


@KINDS
def test_the_error_and_its_gradient_are_those_of_autograd(kind):
    rng = np.random.default_rng(0)
    q, target = rng.standard_normal((3, 2, 5, 2, 4)), rng.standard_normal((2, 5, 2))
    pick, share = np.eye(4)[rng.integers(0, 4, (2, 5))], rng.random((2, 5))
    tensor = torch.from_numpy(q).requires_grad_()
    said = (tensor * torch.from_numpy(pick)[..., None, :]).sum(-1)
    error = (said - torch.from_numpy(target)) ** 2
    loss = 0.5 * (torch.from_numpy(share)[..., None] * error).sum()
    loss.backward()

    pulled = []
    cost = td_error(Out(kind(q), pulled.append), kind(pick), kind(target), kind(share))
    cost.backward()
    assert cost.value == pytest.approx(loss.item())
    np.testing.assert_allclose(np.asarray(pulled[0]), np.asarray(tensor.grad), atol=1e-12)


def test_rows_without_a_share_are_no_error():
    pulled = []
    q = Out(np.ones((2, 1, 3, 1, 1)), pulled.append)
    share = np.array([[0.5, 0.0, 0.5]])
    td_error(q, np.ones((1, 3, 1)), np.zeros((1, 3, 1)), share).backward()
    assert pulled[0][:, 0, :, 0, 0].tolist() == [[0.5, 0, 0.5]] * 2
