from __future__ import annotations

import numpy as np
import pytest

from understudy.nets.check import random_obs
from understudy.nets.critic import CriticConfig, make_critics
from understudy.nets.flat import F32
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct
from worlds import toy_spec

ALL = np.arange(2)


def made(action="hybrid", num_signals=2, kind="vector", dist=SoftProduct, memory=0, **config):
    rng = np.random.default_rng(0)
    spec = toy_spec(kind, action)
    model = make_model(spec, dist(spec.action), NetConfig(hidden=(8,), memory=memory), rng)
    critics = make_critics(model, CriticConfig(hidden=(8, 8), **config), rng, num_signals)
    return model, critics, rng


@pytest.mark.parametrize("action", ["continuous", "discrete", "multi-discrete", "hybrid", "masked"])
@pytest.mark.parametrize("num_critics", [1, 3])
def test_every_critic_prices_every_choice_for_every_signal(action, num_critics):
    model, critics, rng = made(action, num_critics=num_critics)
    dist = model.dist
    assert isinstance(dist, SoftProduct)
    obs = random_obs(model.spec, rng, 4, 5)
    action = rng.standard_normal((4, 5, dist.num_continuous)).astype(F32)
    out = critics(obs, action)
    assert out.array.shape == (num_critics, 4, 5, 2, dist.num_columns)
    assert out.back(np.ones_like(out.array)).shape == action.shape
    every = np.arange(num_critics)
    np.testing.assert_array_equal(critics.slow(obs, action, every), out.array)


def test_the_way_back_ends_at_the_action_and_is_that_of_differences():
    model, critics, rng = made(layer_norm=True, activation="tanh")
    model.observe(random_obs(model.spec, rng, 50))
    obs = random_obs(model.spec, rng, 2, 3)
    action = rng.standard_normal((2, 3, 1)).astype(F32)
    wanted = rng.standard_normal(critics(obs, action).array.shape).astype(F32)
    back = critics(obs, action).back(wanted)
    step = F32(1e-2)
    for row in np.ndindex(2, 3):
        up, down = action.copy(), action.copy()
        up[row] += step
        down[row] -= step
        rise = (wanted * (critics(obs, up).array - critics(obs, down).array)).sum()
        assert back[row][0] == pytest.approx(rise / (2 * step), rel=0.02, abs=0.01)


def test_critics_see_what_the_policy_sees_in_its_unit():
    model, critics, rng = made()
    obs = random_obs(model.spec, rng, 1, 3)
    action = np.zeros((1, 3, 1), F32)
    before = critics(obs, action).array
    model.observe({name: 7 + 3 * x for name, x in random_obs(model.spec, rng, 90).items()})
    assert not np.allclose(critics(obs, action).array, before)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_those_that_are_asked_say_what_they_say_among_all(layer_norm):
    model, critics, rng = made(num_critics=4, layer_norm=layer_norm)
    obs = random_obs(model.spec, rng, 1, 3)
    action = rng.standard_normal((1, 3, 1)).astype(F32)
    every, some = critics(obs, action), critics.ask(obs, action, np.array([2, 0]))
    np.testing.assert_allclose(some.array, every.array[[2, 0]], rtol=1e-5)
    gradient = np.zeros_like(every.array)
    gradient[[2, 0]] = rng.standard_normal(some.array.shape)
    back = some.back(gradient[[2, 0]])
    np.testing.assert_allclose(back, every.back(gradient), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="not taught"):
        some.pull(some.array)
    assert not critics.flat.grad.any()


def test_the_slow_copy_follows():
    model, critics, rng = made()
    obs, action = random_obs(model.spec, rng, 1, 3), np.zeros((1, 3, 1), F32)
    before = critics.slow(obs, action, ALL)
    critics.flat.value += F32(0.5)
    np.testing.assert_array_equal(critics.slow(obs, action, ALL), before)
    for _ in range(200):
        critics.follow(0.1)
    np.testing.assert_allclose(
        critics.slow(obs, action, ALL), critics(obs, action).array, rtol=1e-3
    )


def test_a_step_of_the_slow_copy_is_a_share_of_the_way():
    _, critics, _ = made()
    slow = critics.state_dict()["slow"]
    critics.flat.value += 1
    critics.follow(0.25)
    for name, x in critics.state_dict()["slow"].items():
        np.testing.assert_allclose(x, slow[name] + 0.25, rtol=1e-5)


def test_critics_are_the_same_from_their_state():
    model, critics, rng = made()
    critics.flat.value += 1
    critics.follow(0.1)
    _, others, _ = made()
    others.load_state_dict(critics.state_dict())
    obs, action = random_obs(model.spec, rng, 1, 3), np.zeros((1, 3, 1), F32)
    np.testing.assert_array_equal(others(obs, action).array, critics(obs, action).array)
    np.testing.assert_array_equal(others.slow(obs, action, ALL), critics.slow(obs, action, ALL))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"kind": "image"}, "sees image"),
        ({"kind": "entities"}, "sees entities"),
        ({"memory": 4}, "remembers"),
        ({"dist": Product}, "SoftProduct"),
    ],
)
def test_what_is_not_supported_yet_is_refused(asked, words):
    with pytest.raises(ValueError, match=words):
        made(**asked)
