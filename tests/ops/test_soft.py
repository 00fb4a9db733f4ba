from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.data.spec import ActionSpec
from understudy.nets.flat import Adam, Flat
from understudy.nets.parameter import parameter
from understudy.ops.cost import Out
from understudy.ops.soft import soft_policy, temperature
from understudy.ops.soft_product import SoftProduct

KINDS = pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
ACTIONS = [
    ActionSpec(continuous=3, low=(-1,) * 3, high=(1,) * 3),
    ActionSpec(branches=(4,)),
    ActionSpec(branches=(2, 3)),
    ActionSpec(continuous=2, low=(-1,) * 2, high=(1,) * 2, branches=(3,)),
]
EACH = pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.continuous}-{a.branches}")


@KINDS
@pytest.mark.parametrize("belief", ["least", "mean"])
@EACH
def test_the_policys_loss_and_its_gradient_are_those_of_autograd(action, belief, kind):
    rng, dist = np.random.default_rng(0), SoftProduct(action)
    c, k, parts = action.continuous, dist.num_columns, len(dist.parts)
    head, noise = rng.standard_normal((2, 5, dist.width)), rng.standard_normal((2, 5, c))
    weight, offset = rng.standard_normal((3, c, 2 * k)), rng.standard_normal((3, 2, 5, 2 * k))
    alpha, strength = rng.random(parts), np.array([1.0, 0.4])
    share = rng.random((2, 5))

    tensor = torch.from_numpy(head).requires_grad_()
    plan = dist.draw(tensor, torch.from_numpy(noise))
    steep = torch.einsum("lbc,nck->nlbk", plan.action, torch.from_numpy(weight))
    q = (steep.sin() + torch.from_numpy(offset)).reshape(3, 2, 5, 2, k)
    worth = q.amin(0) if belief == "least" else q.mean(0)
    gain = (worth * torch.from_numpy(strength)[:, None]).sum(-2)
    price = (plan.information * torch.from_numpy(alpha)).sum(-1)
    loss = (torch.from_numpy(share) * (price - (plan.pick * gain).sum(-1))).sum()
    loss.backward()

    cos = np.cos(steep.detach().numpy())

    def back(g):
        g = np.asarray(g).reshape(3, 2, 5, 2 * k) * cos
        return kind(np.einsum("nlbk,nck->lbc", g, weight))

    pulled = []
    cost = soft_policy(
        Out(kind(head), pulled.append),
        dist.draw(kind(head), kind(noise)),
        Out(kind(q.detach().numpy()), lambda g: None, back),
        *map(kind, (strength, alpha, share)),
        belief=belief,
    )
    cost.backward()
    assert cost.value == pytest.approx(loss.item())
    np.testing.assert_allclose(np.asarray(pulled[0]), np.asarray(tensor.grad), atol=1e-12)


def test_critics_that_agree_share_the_gradient():
    dist = SoftProduct(ACTIONS[0])
    plan = dist.draw(np.zeros((1, 1, 6)), np.zeros((1, 1, 3)))
    seen = []

    def back(g):
        seen.append(g)
        return np.zeros((1, 1, 3))

    q = Out(np.ones((2, 1, 1, 1, 1)), lambda g: None, back)
    head = Out(np.zeros((1, 1, 6)), lambda g: None)
    one = np.ones(1)
    soft_policy(head, plan, q, one, one, np.ones((1, 1)))
    assert seen[0].reshape(-1).tolist() == [-0.5, -0.5]


def test_the_price_rises_while_there_is_too_little_entropy():
    flat = Flat(2)
    log_alpha = parameter(flat, "log_alpha", 2)
    # Entropy is 0.1 where 0.5 is asked, and 0.9 where 0.5 is asked.
    information = np.array([[[-0.1, -0.9]]])
    cost = temperature(log_alpha, information, np.array([0.5, 0.5]), np.ones((1, 1)))
    cost.backward()
    np.testing.assert_allclose(flat.grad, [-0.4, 0.4], rtol=1e-6)
    log_alpha.array[:] = 2, 1
    assert cost.value == pytest.approx(-0.8 + 0.4)


@EACH
def test_a_policy_that_likes_something_settles_at_its_target_entropy(action):
    # The test that a wrong sign in the target cannot pass: a gradient check does not see it.
    rng, dist = np.random.default_rng(0), SoftProduct(action)
    target = dist.target(np.zeros(dist.width, np.float32), -0.5, 0.6)
    flat, heat = Flat(dist.width), Flat(len(target))
    free, log_alpha = parameter(flat, "head", dist.width), parameter(heat, "heat", len(target))
    steps = Adam(flat), Adam(heat)
    liked = np.linspace(0, 2, dist.num_columns)
    share = np.full((1, 64), 1 / 64, np.float32)
    entropy = np.zeros(len(target))
    for step in range(3000):
        head = free.through(
            np.broadcast_to(free.array, (1, 64, dist.width)), lambda g: g.sum((0, 1))
        )
        plan = dist.draw(head.array, rng.standard_normal((1, 64, action.continuous), np.float32))
        worth = liked - (plan.action**2).sum(-1, keepdims=True)
        q = Out(
            np.stack([worth, worth])[..., None, :],
            lambda g: None,
            lambda g, a=plan.action: g.sum((0, 3, 4))[..., None] * -2 * a,
        )
        alpha = np.exp(log_alpha.array)
        soft_policy(head, plan, q, np.ones(1), alpha, share).backward()
        temperature(log_alpha, plan.information, target, share).backward()
        for adam in steps:
            adam.step(1e-2)
        if step >= 2000:
            entropy -= plan.information.mean((0, 1)) / 1000
    np.testing.assert_allclose(entropy, target, atol=0.05)
