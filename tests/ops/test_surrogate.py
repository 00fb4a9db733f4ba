from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.data.spec import ActionSpec
from understudy.ops.cost import Out
from understudy.ops.product import Product
from understudy.ops.surrogate import surrogate, value_error

KINDS = pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
ACTIONS = [
    ActionSpec(continuous=3),
    ActionSpec(branches=(4,)),
    ActionSpec(continuous=2, branches=(3, 2)),
]


def rows(dist: Product, seed: int = 0):
    rng = np.random.default_rng(seed)
    head = rng.standard_normal((5, 7, dist.width + dist.free))
    code = dist.encode(dist.sample(head, dist.noise(rng, 5, 7))).astype(float)
    old = dist.score(head, code)[0] + 0.3 * rng.standard_normal((5, 7))
    acted = (rng.random((5, 7)) < 0.8).astype(float)
    return head, code, old, rng.standard_normal((5, 7)), acted / acted.sum()


@KINDS
@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.continuous}-{a.branches}")
def test_the_surrogate_and_its_gradient_are_those_of_autograd(action, kind):
    dist = Product(action)
    head, code, old, advantage, share = rows(dist)
    tensor = torch.from_numpy(head).requires_grad_()
    log_prob, entropy, _ = dist.score(tensor, torch.from_numpy(code))
    ratio = (log_prob - torch.from_numpy(old)).exp()
    gain = torch.from_numpy(advantage) * ratio
    safe = torch.from_numpy(advantage) * ratio.clamp(0.8, 1.2)
    weight = torch.from_numpy(share)
    loss = -(weight * (torch.min(gain, safe) + 0.03 * entropy)).sum()
    loss.backward()

    pulled = []
    out = Out(kind(head), pulled.append)
    given = (kind(x) for x in (code, old, advantage, share))
    cost, figures = surrogate(dist, out, *given, clip=0.2, entropy_weight=0.03)
    cost.backward()
    assert cost.value == pytest.approx(loss.item())
    np.testing.assert_allclose(np.asarray(pulled[0]), np.asarray(tensor.grad), atol=1e-12)
    assert figures["kl"].value >= 0
    assert 0 < figures["clipped"].value < 1


def test_a_policy_that_has_not_moved_gains_its_advantage_and_has_no_divergence():
    dist = Product(ACTIONS[2])
    head, code, _, advantage, share = rows(dist)
    old = dist.score(head, code)[0]
    out = Out(head, lambda g: None)
    cost, figures = surrogate(dist, out, code, old, advantage, share, 0.2, 0.0)
    assert cost.value == pytest.approx(-(share * advantage).sum())
    assert figures["kl"].value == pytest.approx(0)
    assert figures["clipped"].value == 0


def test_what_is_beyond_the_clip_and_gains_by_it_is_not_pulled_further():
    dist = Product(ActionSpec(branches=(2,)))
    head, code = np.array([[0.0, 2.0], [0.0, 2.0]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    log_prob = dist.score(head, code)[0]
    old = log_prob - np.log(1.5)  # the ratio is 1.5
    pulled = []
    out = Out(head, pulled.append)
    share = np.array([0.5, 0.5])
    surrogate(dist, out, code, old, np.array([1.0, -1.0]), share, 0.2, 0.0)[0].backward()
    assert (pulled[0][0] == 0).all(), "a good action is likely enough"
    assert (pulled[0][1] != 0).any(), "a bad one is still too likely"


@KINDS
@pytest.mark.parametrize("clip", [None, 0.2])
def test_the_value_error_and_its_gradient_are_those_of_autograd(clip, kind):
    rng = np.random.default_rng(0)
    value, target = rng.standard_normal((5, 7, 2)), rng.standard_normal((5, 7, 2))
    old = value + 0.3 * rng.standard_normal((5, 7, 2))
    share = np.full((5, 7), 1 / 35)
    v, t, o = (torch.from_numpy(x) for x in (value, target, old))
    v.requires_grad_()
    error = (v - t) ** 2
    if clip is not None:
        error = torch.max(error, (o + (v - o).clamp(-clip, clip) - t) ** 2)
    loss = 0.5 * (error.sum(-1) * torch.from_numpy(share)).sum()
    loss.backward()
    pulled = []
    out = Out(kind(value), pulled.append)
    cost = value_error(out, kind(target), kind(old), kind(share), clip)
    cost.backward()
    assert cost.value == pytest.approx(loss.item())
    np.testing.assert_allclose(np.asarray(pulled[0]), np.asarray(v.grad), atol=1e-12)
