from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from understudy.data.action import Action
from understudy.data.spec import ActionSpec
from understudy.ops.cost import Out
from understudy.ops.product import FORBIDDEN
from understudy.ops.soft_product import SoftProduct

KINDS = pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
ACTIONS = [
    ActionSpec(continuous=3, low=(-1,) * 3, high=(1,) * 3),
    ActionSpec(branches=(4,)),
    ActionSpec(branches=(2, 5, 3)),
    ActionSpec(continuous=2, low=(-1, 0), high=(1, 4), branches=(3, 2)),
]
EACH = pytest.mark.parametrize("action", ACTIONS, ids=lambda a: f"{a.continuous}-{a.branches}")


@KINDS
@EACH
def test_a_plan_and_its_way_back_are_those_of_autograd(action, kind):
    rng, dist = np.random.default_rng(0), SoftProduct(action)
    head, noise = rng.standard_normal((2, 7, dist.width)), rng.standard_normal((2, 7, 9))
    noise = noise[..., : action.continuous]
    tensor = torch.from_numpy(head).requires_grad_()
    plan = dist.draw(tensor, torch.from_numpy(noise))
    seeds = [rng.standard_normal(tuple(x.shape)) for x in plan[:3]]
    told = [(torch.from_numpy(g) * x).sum() for g, x in zip(seeds, plan[:3], strict=True)]
    torch.stack(told).sum().backward()

    mine = dist.draw(kind(head), kind(noise))
    for x, expected in zip(mine[:3], plan[:3], strict=True):
        np.testing.assert_allclose(np.asarray(x), expected.detach(), atol=1e-12)
    pulled = mine.pull(*map(kind, seeds))
    np.testing.assert_allclose(np.asarray(pulled), np.asarray(tensor.grad), atol=1e-12)


def test_of_a_choice_the_expectation_is_taken_by_hand():
    dist = SoftProduct(ActionSpec(branches=(2,)))
    plan = dist.draw(np.array([[math.log(3), 0.0]]), np.zeros((1, 0)))
    np.testing.assert_allclose(plan.pick, [[0.75, 0.25]])
    information = 0.75 * math.log(0.75) + 0.25 * math.log(0.25)
    np.testing.assert_allclose(plan.information, [[information]])
    # At the probabilities (1, 0): dp0/dz = p0 p1 (1, -1).
    pulled = plan.pull(np.zeros((1, 0)), np.array([[1.0, 0.0]]), np.zeros((1, 1)))
    np.testing.assert_allclose(pulled, [[0.1875, -0.1875]])


@EACH
def test_what_was_done_is_told_and_picked(action):
    rng, dist = np.random.default_rng(0), SoftProduct(action)
    head = rng.standard_normal((6, dist.width)).astype(np.float32)
    done = dist.sample(head, dist.noise(rng, 6))
    told, pick = dist.done(dist.encode(done))
    assert told.shape == (6, action.continuous)
    assert pick.shape == (6, dist.num_columns)
    assert (pick.sum(-1) == max(1, len(action.branches))).all()
    assert (np.abs(told) <= 1).all()


@EACH
def test_draws_are_within_bounds_and_the_mode_is_the_middle_of_many(action):
    rng, dist = np.random.default_rng(0), SoftProduct(action)
    head = np.repeat(rng.standard_normal((1, dist.width)), 4001, 0).astype(np.float32)
    many, mode = dist.sample(head, dist.noise(rng, 4001)), dist.mode(head)
    assert (many.continuous >= np.array(action.low) - 1e-6).all()
    assert (many.continuous <= np.array(action.high) + 1e-6).all()
    middle = np.median(many.continuous, 0)
    np.testing.assert_allclose(middle, mode.continuous[0], atol=0.15)
    *branches, _ = np.split(head[0, action.continuous :], np.cumsum(action.branches, dtype=int))
    for branch, logits in enumerate(branches):
        share = np.bincount(many.discrete[:, branch], minlength=len(logits)) / len(head)
        np.testing.assert_allclose(share, np.exp(logits) / np.exp(logits).sum(), atol=0.04)
        assert mode.discrete[0, branch] == logits.argmax()


def test_an_action_is_encoded_and_decoded_in_the_environments_units():
    dist = SoftProduct(ACTIONS[3])
    action = Action(np.array([[0.5, 3.0]], np.float32), np.array([[2, 1]]))
    code = dist.encode(action)
    np.testing.assert_allclose(code, [[0.5, 0.5, 0, 0, 1, 0, 1]])
    back = dist.decode(code)
    np.testing.assert_allclose(back.continuous, action.continuous)
    assert (back.discrete == action.discrete).all()


@KINDS
def test_the_entropy_that_is_asked_counts_numbers_and_allowed_choices(kind):
    dist = SoftProduct(ACTIONS[3])  # two numbers, a branch of three and one of two
    head = np.zeros((3, dist.width))
    head[1, 2] = head[2, 3:5] = head[2, 5:7] = FORBIDDEN
    asked = np.asarray(dist.target(kind(head), -1.0, 0.5))
    log2, log3 = math.log(2), math.log(3)
    # Where nothing is allowed nothing is asked, and where one choice is there is none to make.
    expected = [[-2, log3 / 2, log2 / 2], [-2, log2 / 2, log2 / 2], [-2, 0, 0]]
    np.testing.assert_allclose(asked, expected)


def test_a_forbidden_choice_is_never_taken_and_gets_no_gradient():
    rng, dist = np.random.default_rng(0), SoftProduct(ACTIONS[3])
    head = rng.standard_normal((4, dist.width)).astype(np.float32)
    allowed = np.ones((4, 5), bool)
    allowed[:, [1, 3]] = False
    seeds = []
    masked = dist.allow(Out(head, seeds.append), allowed)
    assert (masked.array[:, [3, 5]] == FORBIDDEN).all()
    assert (masked.array[:, 7:] == head[:, 7:]).all(), "deviations stay"
    plan = dist.draw(masked.array, rng.standard_normal((4, 2), np.float32))
    assert (plan.pick[:, [1, 3]] == 0).all()
    assert np.isfinite(plan.information).all()
    ones = [np.ones_like(x) for x in plan[:3]]
    masked.pull(plan.pull(*ones))
    assert (seeds[0][:, [3, 5]] == 0).all()
    assert np.isfinite(seeds[0]).all()
    assert (seeds[0][:, 7:] != 0).all()


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (ActionSpec(), "nothing can be done"),
        (ActionSpec(continuous=1), "bounds"),
        (ActionSpec(continuous=2, low=(0, 0), high=(1, math.inf)), "bounds"),
    ],
)
def test_what_cannot_be_squashed_is_refused(action, words):
    with pytest.raises(ValueError, match=words):
        SoftProduct(action)


def test_a_scale_stands_in_for_bounds():
    dist = SoftProduct(ActionSpec(continuous=1), center=np.array([1.0]), scale=np.array([5.0]))
    assert dist.mode(np.array([[9.0, 0.0]], np.float32)).continuous[0, 0] == pytest.approx(6)
