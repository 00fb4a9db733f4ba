from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.ops.cost import Out
from understudy.ops.soft_product import Plan
from understudy.ops.td import n_step_target, soft_value, td_error

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


def targets(reward, value, over, acted, discount=0.5, n=3, kind=np.asarray):
    """Of one window and one signal, as a list."""
    reward, value = (kind(np.array(x, float)[:, None, None]) for x in (reward, value))
    over, acted = np.array(over, bool)[:, None, None], np.array(acted, bool)[:, None]
    found = n_step_target(reward, value, kind(over), kind(acted), kind(np.array([discount])), n)
    return np.asarray(found)[:, 0, 0].tolist()


@KINDS
def test_one_step_is_the_reward_and_the_value_of_what_follows(kind):
    assert targets([1, 2], [10, 20], [0, 1], [1, 0], n=1, kind=kind) == [6, 2]


@KINDS
def test_three_steps_add_up_three_rewards_and_the_value_behind_them(kind):
    # Two rows to learn from: 1 + 2/2 + 4/4 + 80/8, and 2 + 4/2 + 8/4 + 160/8.
    assert targets([1, 2, 4, 8], [-9, -9, 80, 160], [0] * 4, [1] * 4, kind=kind) == [13, 26]


@KINDS
def test_a_termination_within_the_steps_ends_the_sum_and_bootstraps_nothing(kind):
    # The second action ends the task; what is in the window behind it is another episode.
    found = targets([1, 2, 99, 99], [-9, 70, 99, 99], [0, 1, 0, 0], [1, 0, 1, 1], kind=kind)
    assert found == [2, 2]


@KINDS
def test_a_time_limit_within_the_steps_is_bootstrapped_from_what_was_seen_last(kind):
    # 1 + 2/2 + 80/4, and 2 + 80/2: the row behind holds the last observation, worth 80.
    found = targets([1, 2, 99, 99], [-9, 80, 99, 99], [0] * 4, [1, 0, 1, 1], kind=kind)
    assert found == [22, 42]


def test_every_signal_has_its_own_discount_and_its_own_end():
    reward, value = np.ones((2, 1, 2)), np.full((2, 1, 2), 8.0)
    over = np.array([[[False, False]], [[True, False]]])
    acted = np.array([[True], [False]])
    found = n_step_target(reward, value, over, acted, np.array([0.5, 0.25]), 2)
    # 1 + 1/2 and nothing more; 1 + 1/4 + 8/16.
    assert found.tolist() == [[[1.5, 1.75]]]


def test_targets_are_those_of_walking_along_each_window():
    rng, n, rows = np.random.default_rng(0), 4, 12
    reward, value = rng.standard_normal((rows, 30, 2)), rng.standard_normal((rows, 30, 2))
    acted = rng.random((rows + 1, 30)) < 0.8
    terminated = (rng.random((rows, 30)) < 0.5) & acted[:-1] & ~acted[1:]
    over, discount = terminated[..., None] & np.array([True, False]), np.array([0.9, 0.5])
    found = n_step_target(reward, value, over, acted[1:], discount, n)
    assert found.shape == (rows - n + 1, 30, 2)
    for t, b, s in np.ndindex(*found.shape):
        if not acted[t, b]:
            continue
        total, weight, row = 0.0, 1.0, t
        while True:
            total += weight * reward[row, b, s]
            weight *= discount[s]
            row += 1
            if row - t == n or not acted[row, b]:
                break
        if not over[row - 1, b, s]:
            total += weight * value[row - 1, b, s]
        assert found[t, b, s] == pytest.approx(total)
