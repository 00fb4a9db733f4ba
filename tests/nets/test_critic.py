from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from understudy.data.batch import Batch
from understudy.nets.check import random_obs
from understudy.nets.critic import CriticConfig, make_critics
from understudy.nets.flat import F32, Adam
from understudy.nets.model import NetConfig, make_model
from understudy.nets.modules import TorchModel
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct
from worlds import toy_spec

ALL = np.arange(2)
KINDS = [("vector", 0), ("vector", 4), ("image", 0), ("entities", 0), ("all", 4)]
EACH = pytest.mark.parametrize(("kind", "memory"), KINDS)


def made(
    action="hybrid",
    num_signals=2,
    kind="vector",
    dist: type[Product] = SoftProduct,
    memory=0,
    **config,
):
    rng = np.random.default_rng(0)
    spec = toy_spec(kind, action)
    model = make_model(spec, dist(spec.action), NetConfig(hidden=(8,), memory=memory), rng)
    critics = make_critics(model, CriticConfig(hidden=(8, 8), **config), rng, num_signals)
    return model, critics, rng


def seen(obs) -> Batch:
    """Rows of which nothing else is known."""
    rows = next(iter(obs.values())).shape[:2]
    nothing = np.zeros((*rows, 0), F32)
    return Batch(obs=obs, code=nothing, acted=np.ones(rows, F32), fresh=np.zeros(rows, bool))


@pytest.mark.parametrize("action", ["continuous", "discrete", "multi-discrete", "hybrid", "masked"])
@pytest.mark.parametrize("num_critics", [1, 3])
@EACH
def test_every_critic_prices_every_choice_for_every_signal(kind, memory, action, num_critics):
    model, critics, rng = made(action, kind=kind, memory=memory, num_critics=num_critics)
    dist = model.dist
    assert isinstance(dist, SoftProduct)
    obs = seen(random_obs(model.spec, rng, 4, 5))
    action = rng.standard_normal((4, 5, dist.num_continuous)).astype(F32)
    out = critics(obs, action)
    assert out.array.shape == (num_critics, 4, 5, 2, dist.num_columns)
    every = np.arange(num_critics)
    asked = critics.ask(obs, action, every)
    np.testing.assert_allclose(asked.array, out.array, rtol=1e-4, atol=1e-5)
    assert asked.back(np.ones_like(out.array)).shape == action.shape
    np.testing.assert_allclose(critics.slow(obs, action, every), out.array, rtol=1e-4, atol=1e-5)


@EACH
def test_the_way_back_ends_at_the_action_and_is_that_of_differences(kind, memory):
    model, critics, rng = made(kind=kind, memory=memory, layer_norm=True, activation="tanh")
    model.observe(random_obs(model.spec, rng, 50))
    obs = seen(random_obs(model.spec, rng, 2, 3))
    action = rng.standard_normal((2, 3, 1)).astype(F32)
    wanted = rng.standard_normal(critics(obs, action).array.shape).astype(F32)
    back = critics.ask(obs, action, ALL).back(wanted)
    step = F32(1e-2)
    for row in np.ndindex(2, 3):
        up, down = action.copy(), action.copy()
        up[row] += step
        down[row] -= step
        rise = (wanted * (critics(obs, up).array - critics(obs, down).array)).sum()
        assert back[row][0] == pytest.approx(rise / (2 * step), rel=0.02, abs=0.01)


def test_critics_see_what_the_policy_sees_in_its_unit():
    model, critics, rng = made()
    obs = seen(random_obs(model.spec, rng, 1, 3))
    action = np.zeros((1, 3, 1), F32)
    before = critics(obs, action).array
    model.observe({name: 7 + 3 * x for name, x in random_obs(model.spec, rng, 90).items()})
    assert not np.allclose(critics(obs, action).array, before)


@pytest.mark.parametrize("layer_norm", [False, True])
@EACH
def test_those_that_are_asked_say_what_they_say_among_all(kind, memory, layer_norm):
    model, critics, rng = made(kind=kind, memory=memory, num_critics=4, layer_norm=layer_norm)
    obs = seen(random_obs(model.spec, rng, 1, 3))
    action = rng.standard_normal((1, 3, 1)).astype(F32)
    every, some = critics.ask(obs, action, np.arange(4)), critics.ask(obs, action, np.array([2, 0]))
    np.testing.assert_allclose(some.array, every.array[[2, 0]], rtol=1e-4, atol=1e-5)
    gradient = np.zeros_like(every.array)
    gradient[[2, 0]] = rng.standard_normal(some.array.shape)
    back = some.back(gradient[[2, 0]])
    np.testing.assert_allclose(back, every.back(gradient), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="not taught"):
        some.pull(some.array)
    assert not critics.flat.grad.any()


@EACH
def test_what_was_seen_before_counts_only_for_those_who_remember(kind, memory):
    model, critics, rng = made("continuous", kind=kind, memory=memory)
    rows = seen(random_obs(model.spec, rng, 5, 3))
    action = rng.standard_normal((5, 3, 2)).astype(F32)
    whole = critics(rows, action).array
    last = critics(rows, action[3:]).array
    np.testing.assert_allclose(last, whole[:, 3:], rtol=1e-4, atol=1e-5)
    # Row by row, each with what the rows before it left; and slow copies alike.
    state = {}
    for t in range(5):
        row = replace(rows.rows(t, t + 1), state=state)
        for said in (critics(row, action[t : t + 1]).array, critics.slow(row, action[t:][:1], ALL)):
            np.testing.assert_allclose(said[:, 0], whole[:, t], rtol=1e-3, atol=1e-5)
        state = critics.look(row)
    assert bool(state) == bool(memory)
    alone = critics(rows.rows(3), action[3:]).array
    assert np.allclose(alone, last, rtol=1e-3, atol=1e-5) == (not memory)


def test_where_an_episode_begins_critics_forget():
    model, critics, rng = made("continuous", memory=4)
    rows = seen(random_obs(model.spec, rng, 4, 3))
    rows.fresh[2] = True
    action = rng.standard_normal((2, 3, 2)).astype(F32)
    np.testing.assert_allclose(
        critics(rows, action).array, critics(rows.rows(2), action).array, rtol=1e-5
    )


@EACH
def test_what_is_taught_is_learned(kind, memory):
    model, critics, rng = made("continuous", num_signals=1, kind=kind, memory=memory)
    rows, wanted = seen(random_obs(model.spec, rng, 3, 8)), rng.standard_normal((3, 8)).astype(F32)
    action, adam = rng.standard_normal((3, 8, 2)).astype(F32), Adam(critics.flat)
    for _ in range(300):
        out = critics(rows, action)
        error = out.array[..., 0, 0] - wanted
        out.pull(error[..., None, None] / 24)
        adam.step(1e-2)
    assert np.abs(error).mean() < 0.1
    assert not model.flat.grad.any(), "the policy learns nothing from it"


def test_the_slow_copy_follows():
    model, critics, rng = made()
    obs, action = seen(random_obs(model.spec, rng, 1, 3)), np.zeros((1, 3, 1), F32)
    before = critics.slow(obs, action, ALL)
    critics.flat.value += F32(0.5)
    np.testing.assert_array_equal(critics.slow(obs, action, ALL), before)
    for _ in range(200):
        critics.follow(0.1)
    np.testing.assert_allclose(
        critics.slow(obs, action, ALL), critics(obs, action).array, rtol=1e-3
    )


@EACH
def test_a_step_of_the_slow_copy_is_a_share_of_the_way(kind, memory):
    _, critics, _ = made(kind=kind, memory=memory)
    slow = critics.state_dict()["slow"]
    critics.flat.value += 1
    critics.follow(0.25)
    for name, x in critics.state_dict()["slow"].items():
        np.testing.assert_allclose(x, slow[name] + 0.25, rtol=1e-5)


@EACH
def test_critics_are_the_same_from_their_state(kind, memory):
    model, critics, rng = made(kind=kind, memory=memory)
    critics.flat.value += 1
    critics.follow(0.1)
    _, others, _ = made(kind=kind, memory=memory)
    others.load_state_dict(critics.state_dict())
    obs, action = seen(random_obs(model.spec, rng, 1, 3)), np.zeros((1, 3, 1), F32)
    np.testing.assert_array_equal(others(obs, action).array, critics(obs, action).array)
    np.testing.assert_array_equal(others.slow(obs, action, ALL), critics.slow(obs, action, ALL))


@pytest.mark.parametrize("what", ["dist", "module"])
def test_what_cannot_be_judged_is_refused(what):
    if what == "dist":
        with pytest.raises(ValueError, match="SoftProduct"):
            made(dist=Product)
        return
    spec = toy_spec("vector", "hybrid")
    dist = SoftProduct(spec.action)
    model = TorchModel(torch.nn.Linear(1, 1), spec, dist)
    with pytest.raises(ValueError, match="made from a Linear"):
        make_critics(model, CriticConfig(), np.random.default_rng(0), 1)
