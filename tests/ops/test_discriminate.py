"""Telling rows apart, and what that earns: by hand, and against autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from understudy.ops.cost import Out
from understudy.ops.discriminate import (
    FAMILIES,
    cross_entropy,
    sigmoid,
    slope_penalty,
    softplus,
)


def out(array):
    return Out(array, lambda g: None)


KINDS = [np.asarray, torch.as_tensor]


@pytest.mark.parametrize("kind", KINDS, ids=["numpy", "torch"])
def test_cross_entropy_is_that_of_torch(kind):
    rng = np.random.default_rng(0)
    f, shown = 3 * rng.standard_normal((2, 5, 1)), rng.integers(0, 2, (2, 5)).astype(float)
    share = rng.dirichlet(np.ones(10)).reshape(2, 5)
    cost = cross_entropy(out(kind(f)), kind(shown), kind(share))
    t = torch.from_numpy(f).requires_grad_()
    loss = binary_cross_entropy_with_logits(
        t[..., 0], torch.from_numpy(shown), torch.from_numpy(share), reduction="sum"
    )
    loss.backward()
    assert cost.value == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(cost.seeds[0][1], np.asarray(t.grad), atol=1e-14)


@pytest.mark.parametrize("kind", KINDS, ids=["numpy", "torch"])
def test_huge_logits_have_finite_costs_and_gradients(kind):
    f = kind(np.array([[1e4], [-1e4], [1e4], [-1e4]], np.float32))
    shown, share = kind(np.array([1, 1, 0, 0], np.float32)), kind(np.full(4, 0.25, np.float32))
    cost = cross_entropy(out(f), shown, share)
    # Right costs nothing, wrong costs the logit: (0 + 1e4 + 1e4 + 0) / 4.
    assert cost.value == pytest.approx(5000)
    np.testing.assert_allclose(cost.seeds[0][1][:, 0], [0, -0.25, 0.25, 0], atol=1e-7)


@pytest.mark.parametrize("kind", KINDS, ids=["numpy", "torch"])
def test_softplus_and_sigmoid_by_hand(kind):
    x = kind(np.array([0.0, 2.0, -2.0, 800.0, -800.0]))
    np.testing.assert_allclose(softplus(x), [np.log(2), 2.126928, 0.126928, 800, 0], atol=1e-6)
    np.testing.assert_allclose(sigmoid(x), [0.5, 0.880797, 0.119203, 1, 0], atol=1e-6)


@pytest.mark.parametrize("norm", [0.0, 1.0])
@pytest.mark.parametrize("kind", KINDS, ids=["numpy", "torch"])
def test_the_penalty_is_the_squared_distance_of_a_length(kind, norm):
    # Lengths 5 and 0.5, weights 1/4 and 3/4.
    s, share = np.array([[3.0, 4.0], [0.3, -0.4]]), np.array([0.25, 0.75])
    cost = slope_penalty(out(kind(s)), kind(share), norm)
    assert cost.value == pytest.approx(0.25 * (5 - norm) ** 2 + 0.75 * (0.5 - norm) ** 2)
    t = torch.from_numpy(s).requires_grad_()
    (torch.from_numpy(share) * (t.norm(dim=-1) - norm) ** 2).sum().backward()
    np.testing.assert_allclose(cost.seeds[0][1], np.asarray(t.grad), rtol=1e-9)


def test_a_flat_logit_has_a_finite_penalty():
    cost = slope_penalty(out(np.zeros((1, 3))), np.ones(1), 1.0)
    assert cost.value == pytest.approx(1, abs=1e-5)
    assert np.isfinite(cost.seeds[0][1]).all()


def test_families_are_what_their_names_say_of_the_probability():
    f = np.linspace(-5, 5, 11)
    shown = 1 / (1 + np.exp(-f))
    np.testing.assert_allclose(FAMILIES["logit"](f), np.log(shown) - np.log(1 - shown))
    np.testing.assert_allclose(FAMILIES["softplus"](f), -np.log(1 - shown))
    np.testing.assert_allclose(FAMILIES["log_prob"](f), np.log(shown))
