from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, TanhTransform, TransformedDistribution

from understudy.ops.squashed import EDGE, HIGHEST, LOWEST, Squashed

KINDS = pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
STANDARD = math.atanh((0 - LOWEST) / (0.5 * (HIGHEST - LOWEST)) - 1)
"""The column that means a deviation of 1."""


def part(count: int) -> Squashed:
    center, scale = np.zeros(count, np.float32), np.ones(count, np.float32)
    return Squashed(slice(0, count), slice(count, 2 * count), slice(0, count), center, scale)


def torch_twin(head: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, Independent]:
    """Mean, deviation and distribution, as torch has them."""
    mean, raw = head[..., :count], head[..., count:]
    std = (LOWEST + 0.5 * (HIGHEST - LOWEST) * (raw.tanh() + 1)).exp()
    squashed = TransformedDistribution(Normal(mean, std), [TanhTransform(cache_size=1)])
    return mean, std, Independent(squashed, 1)


def given(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    head = rng.standard_normal((4, 6, 2 * count))
    head[..., count:] -= 1  # torch's own atanh is not exact far out
    return rng, head, torch.from_numpy(head).requires_grad_()


def test_the_density_at_the_middle_is_that_of_a_standard_normal_number():
    head = np.array([[0.0, STANDARD]])
    log_prob, _, _ = part(1).score(head, np.array([[0.0]]))
    # da/du is 1 in the middle: 1 / sqrt(2 pi).
    assert log_prob[0] == pytest.approx(-0.5 * math.log(2 * math.pi))


def test_the_density_adds_up_to_one():
    u = np.linspace(-3.8, 3.8, 20_001)[:, None]
    a = np.tanh(u)
    head = np.broadcast_to([[0.3, STANDARD - 0.5]], (len(u), 2))
    density = np.exp(part(1).score(head, a)[0])
    assert np.trapezoid(density, a[:, 0]) == pytest.approx(1, abs=1e-4)


@KINDS
@pytest.mark.parametrize("count", [1, 3])
def test_a_draw_and_its_ways_back_are_those_of_autograd(count, kind):
    rng, head, tensor = given(count)
    noise = rng.standard_normal((4, 6, count))
    g, h = rng.standard_normal((4, 6, count)), rng.standard_normal((4, 6))
    mean, std, dist = torch_twin(tensor, count)
    action = (mean + std * torch.from_numpy(noise)).tanh()
    information = dist.log_prob(action)
    ((torch.from_numpy(g) * action).sum() + (torch.from_numpy(h) * information).sum()).backward()

    drawn, said, pull = part(count).draw(kind(head), kind(noise))
    np.testing.assert_allclose(np.asarray(drawn), action.detach(), atol=1e-12)
    np.testing.assert_allclose(np.asarray(said), information.detach(), atol=1e-8)
    out = kind(np.full_like(head, np.nan))
    pull(out, kind(g), kind(h))
    np.testing.assert_allclose(np.asarray(out), np.asarray(tensor.grad), atol=1e-8)


@KINDS
def test_the_score_is_that_of_torch_and_the_draw_agrees_with_it(kind):
    rng, head, _ = given(2)
    noise = 0.5 * rng.standard_normal((4, 6, 2))
    drawn, information, _ = part(2).draw(kind(head), kind(noise))
    log_prob, entropy, pull = part(2).score(kind(head), drawn)
    np.testing.assert_allclose(np.asarray(log_prob), np.asarray(information), atol=1e-8)
    expected = torch_twin(torch.from_numpy(head), 2)[2].log_prob(torch.as_tensor(drawn))
    np.testing.assert_allclose(np.asarray(log_prob), expected, atol=1e-8)
    assert np.isnan(np.asarray(entropy)).all()
    with pytest.raises(ValueError, match="no closed form"):
        pull(None, None, None)


@KINDS
@pytest.mark.parametrize("name", ["surprise", "squares"])
def test_the_losses_of_cloning_and_their_gradients_are_those_of_autograd(name, kind):
    rng, head, tensor = given(2)
    code = rng.uniform(-0.9, 0.9, (4, 6, 2))
    g = rng.random((4, 6))
    mean, std, dist = torch_twin(tensor, 2)
    if name == "surprise":
        expected = -dist.log_prob(torch.from_numpy(code))
    else:
        # The deviations' likelihood lets go of the means.
        u = torch.from_numpy(np.arctanh(code))
        fit = -Normal(mean.detach(), std).log_prob(u).sum(-1)
        expected = 0.5 * ((mean.tanh() - torch.from_numpy(code)) ** 2).sum(-1) + fit
    (torch.from_numpy(g) * expected).sum().backward()

    loss, pull = getattr(part(2), name)(kind(head), kind(code))
    np.testing.assert_allclose(np.asarray(loss()), expected.detach(), atol=1e-8)
    out = kind(np.full_like(head, np.nan))
    pull(out, kind(g))
    np.testing.assert_allclose(np.asarray(out), np.asarray(tensor.grad), atol=1e-8)


def test_everything_is_finite_far_out_and_at_the_bound():
    head = np.array([[50.0, 9.0], [-50.0, -9.0], [0.0, 0.0]], np.float32)
    code = np.array([[1.0], [1.0], [-1.0]], np.float32)
    noise = np.array([[6.0], [-6.0], [6.0]], np.float32)
    squashed = part(1)
    _, information, pull = squashed.draw(head, noise)
    loss, pull_loss = squashed.surprise(head, code)
    for way, seeds in ((pull, (code, code[:, 0])), (pull_loss, (code[:, 0],))):
        out = np.empty_like(head)
        way(out, *seeds)
        assert np.isfinite(out).all()
    assert np.isfinite(information).all()
    assert np.isfinite(loss()).all()


def test_cloning_a_number_at_the_bound_leaves_the_mean_a_gradient():
    head = np.array([[math.atanh(EDGE), 0.0]])
    _, pull = part(1).surprise(head, np.array([[1.0]]))
    out = np.empty_like(head)
    pull(out, np.ones(1))
    assert out[0, 0] == pytest.approx(0, abs=1e-9), "it is as far out as it shall be"
    assert 1 - math.tanh(head[0, 0]) ** 2 > 1e-3
