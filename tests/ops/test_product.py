from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Normal

from understudy.data.action import Action
from understudy.data.spec import ActionSpec
from understudy.ops.cost import Cost, Out
from understudy.ops.product import FORBIDDEN, Product

ACTIONS = [
    ActionSpec(continuous=3),
    ActionSpec(branches=(4,)),
    ActionSpec(branches=(2,)),
    ActionSpec(branches=(1,)),
    ActionSpec(branches=(2, 5, 3)),
    ActionSpec(continuous=2, branches=(3, 2)),
    ActionSpec(continuous=1, branches=(1, 4)),
    ActionSpec(),
]
LEADS = [(), (7,), (1, 6), (4, 5), (0, 3)]


def drawn(action: ActionSpec, lead: tuple[int, ...], seed: int = 0):
    """A distribution, a head, what was done and its code, in float64."""
    rng = np.random.default_rng(seed)
    dist = Product(action)
    head = rng.standard_normal((*lead, dist.width + dist.free))
    done = Action(
        rng.standard_normal((*lead, action.continuous)),
        np.stack([rng.integers(0, n, lead) for n in action.branches], -1)
        if action.branches
        else np.zeros((*lead, 0), np.int64),
    )
    return dist, head, done, dist.encode(done).astype(np.float64)


def torch_score(dist: Product, head: torch.Tensor, done: Action):
    """Log-probability and entropy as torch's own distributions have them."""
    c = dist.num_continuous
    log_prob = entropy = head.sum(-1) * 0
    if c:
        normal = Normal(head[..., :c], head[..., dist.width :].exp())
        # The code is in float32, and so is what it says.
        x = torch.from_numpy(done.continuous.astype(np.float32).astype(np.float64))
        log_prob, entropy = (
            log_prob + normal.log_prob(x).sum(-1),
            entropy + normal.entropy().sum(-1),
        )
    at = c
    for k, size in enumerate(dist.branches):
        choice = Categorical(logits=head[..., at : at + size], validate_args=False)
        log_prob = log_prob + choice.log_prob(torch.from_numpy(done.discrete[..., k]))
        entropy, at = entropy + choice.entropy(), at + size
    return log_prob, entropy


@pytest.mark.parametrize("lead", LEADS, ids=str)
@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.continuous}+{a.branches}")
def test_score_and_its_gradient_are_those_of_torch_distributions(action, lead):
    dist, head, done, code = drawn(action, lead)
    rng = np.random.default_rng(1)
    g, h = rng.standard_normal(lead), rng.standard_normal(lead)
    tensor = torch.from_numpy(head.copy()).requires_grad_()
    log_prob, entropy = torch_score(dist, tensor, done)
    (torch.as_tensor(g) * log_prob + torch.as_tensor(h) * entropy).sum().backward()
    for kind in (np.asarray, torch.as_tensor):
        lp, en, pull = dist.score(kind(head), kind(code))
        np.testing.assert_allclose(lp, log_prob.detach(), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(en, entropy.detach(), rtol=1e-12, atol=1e-12)
        back = pull(kind(g), kind(h))
        assert type(back) is type(kind(head))
        np.testing.assert_allclose(back, np.asarray(tensor.grad), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("lead", LEADS, ids=str)
@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.continuous}+{a.branches}")
def test_surprise_is_minus_the_log_probability(action, lead):
    dist, head, _, code = drawn(action, lead)
    g = np.random.default_rng(1).standard_normal(lead)
    for kind in (np.asarray, torch.as_tensor):
        log_prob, _, pull = dist.score(kind(head), kind(code))
        loss, back = dist.surprise(kind(head), kind(code))
        np.testing.assert_allclose(loss(), -log_prob, rtol=1e-12, atol=1e-12)
        expected = pull(kind(-g), kind(0 * g))
        np.testing.assert_allclose(back(kind(g)), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("lead", LEADS, ids=str)
@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.continuous}+{a.branches}")
def test_squares_stop_gradients_between_means_and_deviations(action, lead):
    dist, head, done, code = drawn(action, lead)
    c = dist.num_continuous
    g = np.random.default_rng(1).standard_normal(lead)
    tensor = torch.from_numpy(head.copy()).requires_grad_()
    x = torch.from_numpy(code[..., :c])
    mean, log_std = tensor[..., :c], tensor[..., dist.width :]
    held = ((mean - x) ** 2).detach()
    loss = (0.5 * (mean - x) ** 2).sum(-1)
    loss = loss + (0.5 * held * (-2 * log_std).exp() + log_std + 0.5 * math.log(2 * math.pi)).sum(
        -1
    )
    at = c
    for k, size in enumerate(dist.branches):
        choice = Categorical(logits=tensor[..., at : at + size], validate_args=False)
        loss, at = loss - choice.log_prob(torch.from_numpy(done.discrete[..., k])), at + size
    (torch.as_tensor(g) * loss).sum().backward()
    for kind in (np.asarray, torch.as_tensor):
        value, pull = dist.squares(kind(head), kind(code))
        np.testing.assert_allclose(value(), loss.detach(), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(pull(kind(g)), np.asarray(tensor.grad), rtol=1e-11, atol=1e-11)


def test_a_gaussian_by_hand():
    # mean 1, std e^0.5, at 2: z = e^-0.5, logp = -0.5 * (e^-1 + 1 + ln 2pi).
    dist = Product(ActionSpec(continuous=1))
    lp, en, pull = dist.score(np.array([1.0, 0.5]), np.array([2.0]))
    assert lp == pytest.approx(-0.5 * (math.exp(-1) + 1 + math.log(2 * math.pi)))
    assert en == pytest.approx(0.5 + 0.5 * math.log(2 * math.pi * math.e))
    # dlogp/dmean = (2 - 1) / e; dlogp/dlog_std = e^-1 - 1; dH/dlog_std = 1.
    grad = pull(np.array(1.0), np.array(0.0))
    assert grad == pytest.approx([math.exp(-1), math.exp(-1) - 1])
    assert pull(np.array(0.0), np.array(1.0)) == pytest.approx([0, 1])


def test_a_choice_by_hand():
    # logits ln 1, ln 3: probabilities 1/4 and 3/4.
    dist = Product(ActionSpec(branches=(2,)))
    lp, en, pull = dist.score(np.array([0.0, math.log(3)]), np.array([0.0, 1.0]))
    assert lp == pytest.approx(math.log(0.75))
    assert en == pytest.approx(-0.25 * math.log(0.25) - 0.75 * math.log(0.75))
    assert pull(np.array(1.0), np.array(0.0)) == pytest.approx([-0.25, 0.25])


def test_large_logits_do_not_overflow():
    dist = Product(ActionSpec(branches=(3,)))
    lp, en, pull = dist.score(np.array([1e4, 0.0, -1e4]), np.array([0.0, 0.0, 1.0]))
    assert lp == pytest.approx(-2e4)
    assert en == pytest.approx(0)
    assert np.isfinite(pull(np.array(1.0), np.array(1.0))).all()


def test_encoding_and_decoding_are_inverse():
    spec = ActionSpec(
        continuous=3, low=(-2, 0, -math.inf), high=(4, 1, 1), branches=(3, 2), dtype="float64"
    )
    dist = Product(spec)
    rng = np.random.default_rng(0)
    action = Action(rng.uniform(0, 1, (5, 4, 3)), rng.integers(0, 2, (5, 4, 2)))
    again = dist.decode(dist.encode(action))
    np.testing.assert_allclose(again.continuous, action.continuous, atol=1e-6)
    np.testing.assert_array_equal(again.discrete, action.discrete)
    assert again.continuous.dtype == np.float64
    assert again.discrete.dtype == np.int64


def test_bounds_are_coded_as_minus_one_and_one():
    dist = Product(ActionSpec(continuous=2, low=(-2, 0), high=(4, 1)))
    low, high = (Action(np.array(x), np.zeros(0, np.int64)) for x in ([-2.0, 0.0], [4.0, 1.0]))
    np.testing.assert_allclose(dist.encode(low), [-1, -1])
    np.testing.assert_allclose(dist.encode(high), [1, 1])
    # A density of codes is 3 * 0.5 times the density in the environment's units.
    assert dist.log_volume == pytest.approx(math.log(1.5))


def test_numbers_without_finite_bounds_are_coded_as_they_are():
    dist = Product(ActionSpec(continuous=3, low=(-math.inf, 0, 1), high=(1, math.inf, 1)))
    np.testing.assert_array_equal(dist.center, 0)
    np.testing.assert_array_equal(dist.scale, 1)


def test_a_code_is_numbers_then_one_hot_choices():
    dist = Product(ActionSpec(continuous=1, branches=(2, 3)))
    code = dist.encode(Action(np.array([0.5]), np.array([1, 2])))
    np.testing.assert_array_equal(code, [0.5, 0, 1, 0, 0, 1])
    assert code.dtype == np.float32


def test_samples_have_the_probabilities_of_the_head():
    dist = Product(ActionSpec(continuous=2, branches=(3, 2)))
    n, rng = 40_000, np.random.default_rng(0)
    head = np.array([1, -2, *np.log([0.1, 0.2, 0.7]), *np.log([0.5, 0.5]), 0, -1], np.float32)
    many = np.broadcast_to(head, (n, len(head)))
    drawn = dist.sample(many, dist.noise(rng, n))
    np.testing.assert_allclose(drawn.continuous.mean(0), [1, -2], atol=0.03)
    np.testing.assert_allclose(drawn.continuous.std(0), [1, math.exp(-1)], atol=0.02)
    # The standard error of a frequency is at most 0.0025.
    first = np.bincount(drawn.discrete[:, 0], minlength=3) / n
    np.testing.assert_allclose(first, [0.1, 0.2, 0.7], atol=0.01)
    pairs = np.bincount(drawn.discrete @ [2, 1], minlength=6) / n
    np.testing.assert_allclose(pairs, np.outer([0.1, 0.2, 0.7], [0.5, 0.5]).ravel(), atol=0.01)


def test_the_same_noise_draws_the_same_action():
    dist = Product(ActionSpec(continuous=1, branches=(4,)))
    head = np.random.default_rng(0).standard_normal((9, 6)).astype(np.float32)
    a, b = (dist.sample(head, dist.noise(np.random.default_rng(3), 9)) for _ in range(2))
    np.testing.assert_array_equal(a.continuous, b.continuous)
    np.testing.assert_array_equal(a.discrete, b.discrete)


def test_sampling_leaves_head_and_noise_as_they_were():
    dist = Product(ActionSpec(continuous=2, branches=(3,)))
    rng = np.random.default_rng(0)
    head, noise = rng.standard_normal((5, 7)).astype(np.float32), dist.noise(rng, 5)
    kept = head.copy(), noise.copy()
    dist.sample(head, noise)
    dist.mode(head)
    np.testing.assert_array_equal(head, kept[0])
    np.testing.assert_array_equal(noise, kept[1])


def test_the_mode_is_the_mean_and_the_likeliest_choice():
    dist = Product(ActionSpec(continuous=1, low=(0,), high=(4,), branches=(3,)))
    mode = dist.mode(np.array([[0.5, 0.0, 2.0, 1.0, 7.0]]))
    np.testing.assert_allclose(mode.continuous, [[3]])
    np.testing.assert_array_equal(mode.discrete, [[1]])


def test_nothing_to_do_is_a_distribution_too():
    dist = Product(ActionSpec())
    lp, en, pull = dist.score(np.zeros((4, 0)), np.zeros((4, 0)))
    np.testing.assert_array_equal(lp, np.zeros(4))
    np.testing.assert_array_equal(en, np.zeros(4))
    assert pull(lp, en).shape == (4, 0)
    drawn = dist.sample(np.zeros((4, 0)), dist.noise(np.random.default_rng(0), 4))
    assert drawn.continuous.shape == drawn.discrete.shape == (4, 0)


def masked(kind=np.asarray):
    """A head of one number and branches (3, 2), where choices 0 of the first, 1 of the second are
    forbidden in odd rows."""
    rng = np.random.default_rng(0)
    dist = Product(ActionSpec(continuous=1, branches=(3, 2)))
    allowed = np.ones((6, 5), bool)
    allowed[1::2, [0, 4]] = False
    pulled = []
    head = Out(kind(rng.standard_normal((6, 7))), pulled.append, lambda g: g)
    return dist, head, kind(allowed), pulled


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_a_forbidden_choice_gets_no_gradient(kind):
    dist, head, allowed, pulled = masked(kind)
    open_ = dist.allow(head, allowed)
    assert (np.asarray(open_.array[..., 1:6])[~np.asarray(allowed)] == FORBIDDEN).all()
    code = kind(np.random.default_rng(1).random((6, 6)))
    ones = kind(np.ones(6))
    _, entropy, pull = dist.score(open_.array, code)
    assert np.isfinite(np.asarray(entropy)).all()
    Cost(seeds=[(open_, pull(ones, ones))]).backward()
    (gradient,) = pulled
    assert (np.asarray(gradient[..., 1:6])[~np.asarray(allowed)] == 0).all()
    assert (np.asarray(gradient[..., 1:6])[np.asarray(allowed)] != 0).all()


def test_the_distribution_over_what_is_allowed_is_as_if_the_rest_did_not_exist():
    dist, head, allowed, _ = masked()
    small = Product(ActionSpec(continuous=1, branches=(2, 1)))
    open_ = dist.allow(head, allowed).array[1::2]
    rest = open_[:, [0, 2, 3, 4, 6]]
    lp, en, pull = dist.score(open_, np.tile([0.3, 0, 1, 0, 1, 0], (3, 1)))
    lp2, en2, pull2 = small.score(rest, np.tile([0.3, 1, 0, 1], (3, 1)))
    np.testing.assert_allclose(lp, lp2, rtol=1e-12)
    np.testing.assert_allclose(en, en2, rtol=1e-12)
    one = np.ones(3)
    np.testing.assert_allclose(pull(one, one)[:, [0, 2, 3, 4, 6]], pull2(one, one), atol=1e-12)


def test_a_forbidden_choice_is_never_drawn():
    dist, head, allowed, _ = masked()
    open_ = dist.allow(head, allowed).array.astype(np.float32)
    rng = np.random.default_rng(2)
    for _ in range(500):
        drawn = dist.sample(open_, dist.noise(rng, 6))
        assert (drawn.discrete[1::2, 0] != 0).all()
        assert (drawn.discrete[1::2, 1] == 0).all()
    assert (dist.mode(open_).discrete[1::2, 1] == 0).all()


def test_the_way_into_the_input_is_masked_as_well():
    dist, head, allowed, _ = masked()
    back = dist.allow(head, allowed).back(np.ones((6, 7)))
    assert (back[:, 1:6][~allowed] == 0).all()
    assert (back[:, 0] == 1).all()
