"""Goals: a layer's weights follow from them, wherever they are seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.data.spec import ActionSpec, Obs, Spec, present
from understudy.errors import ConfigError
from understudy.nets.check import random_obs
from understudy.nets.flat import F32, Adam
from understudy.nets.goals import CODE, Conditional
from understudy.nets.model import DenseModel, Model, NetConfig, make_model, start_state
from understudy.ops.cloning import squared_error
from understudy.ops.product import Product

ACTION = ActionSpec(continuous=2, branches=(3,))
BODY = Obs(kind="vector", shape=(3,))
GOALS = {
    "vector": Obs(kind="vector", shape=(2,), goal=True),
    "image": Obs(kind="image", shape=(20, 20, 1), dtype="uint8", goal=True),
    "entities": Obs(kind="entities", shape=(3, 2), goal=True),
}


def made(obs, num_signals=1, **config) -> Model:
    spec = Spec(obs=obs, action=ACTION)
    net = NetConfig(**{"hidden": (16, 16), "entity_width": 8, "goal": "hyper", **config})
    return make_model(spec, Product(ACTION), net, np.random.default_rng(0), num_signals)


def test_a_conditional_layer_is_one_whose_weights_are_linear_in_a_code_of_the_goal():
    layer = Conditional(4, 3, 5, "relu", np.random.default_rng(0))
    rng = torch.Generator().manual_seed(0)
    x, goal = (torch.randn(6, n, generator=rng) for n in (3, 4))
    z = layer.code(layer.read(goal))
    parts = layer.mixed.weight.detach().reshape(5, CODE + 1, 3)
    with torch.no_grad():
        layer.mixed.bias.copy_(torch.arange(5.0))
        for row in range(6):
            weight = parts[:, 0] + (z[row, None, :, None] * parts[:, 1:]).sum(1)
            expected = weight @ x[row] + torch.arange(5.0)
            torch.testing.assert_close(layer(x, goal)[row], expected)


def test_weights_made_from_a_goal_start_as_large_as_ordinary_ones():
    layer = Conditional(8, 64, 64, "relu", np.random.default_rng(0))
    x, goal = torch.randn(500, 64), torch.randn(500, 8)
    with torch.no_grad():
        # An orthogonal layer of gain sqrt 2 makes numbers sqrt 2 times as large.
        assert float(layer(x, goal).std()) == pytest.approx(2**0.5, rel=0.1)


@pytest.mark.parametrize("kind", GOALS)
def test_the_layer_is_told_every_kind_of_goal(kind):
    model = made({"a": BODY, "goal": GOALS[kind]})
    rng = np.random.default_rng(0)
    obs = random_obs(model.spec, rng, 1, 4)
    if kind == "entities":
        obs[present("goal")][:] = True
    head, _, _ = model(obs, {}, np.zeros((1, 4), bool))
    head.pull(rng.standard_normal(head.array.shape).astype(F32))
    grads = model.flat.named(model.flat.grad)
    assert grads["policy.conditional.read.0.weight"].any()


def test_only_goals_reach_the_code():
    obs = {"x": BODY, "g": GOALS["vector"], "y": BODY, "h": GOALS["vector"]}
    model = made(obs, normalize=False)
    read = model.flat.named()["policy.conditional.read.0.weight"]
    assert read.shape == (16, 4), "the two numbers of each of the two goals"
    seen = random_obs(model.spec, np.random.default_rng(0), 1, 4)
    told = []
    model.module.policy.conditional.register_forward_hook(  # type: ignore[attr-defined]
        lambda module, inputs, output: told.append(inputs[1].numpy())
    )
    model.look(seen, {}, np.zeros((1, 4), bool))
    np.testing.assert_allclose(told[0], np.concatenate([seen["g"], seen["h"]], -1))


def test_a_goal_is_an_observation_like_others_where_it_is_joined():
    obs = {"a": BODY, "goal": GOALS["vector"]}
    plain = {"a": BODY, "goal": Obs(kind="vector", shape=(2,))}
    model, other = made(obs, goal="concat"), made(plain, goal="concat")
    assert isinstance(model, DenseModel)
    np.testing.assert_array_equal(model.flat.value, other.flat.value)
    seen = random_obs(model.spec, np.random.default_rng(0), 1, 4)
    heads = [m.look(seen, {}, np.zeros((1, 4), bool))[0] for m in (model, other)]
    np.testing.assert_array_equal(*heads)


@pytest.mark.parametrize(
    ("obs", "config", "says"),
    [
        ({"a": BODY}, {}, r"nothing that is seen is a goal \(a\): mark one .* net.goal=concat"),
        ({"a": BODY, "g": GOALS["vector"]}, {"hidden": ()}, r"net.hidden=\[\] has none"),
    ],
)
def test_what_no_hypernetwork_can_do_is_refused(obs, config, says):
    with pytest.raises(ConfigError, match=says):
        made(obs, **config)


def missed(model: Model) -> float:
    """Mean square that is missed of `x` turned by an angle, after learning to turn it."""
    rng = np.random.default_rng(0)
    rows = 512

    def drawn() -> tuple[dict[str, np.ndarray], np.ndarray]:
        angle, x = rng.uniform(-np.pi, np.pi, rows), rng.standard_normal((rows, 2))
        goal = np.stack([np.cos(angle), np.sin(angle)], -1)
        turned = np.stack(
            [
                goal[:, 0] * x[:, 0] - goal[:, 1] * x[:, 1],
                goal[:, 1] * x[:, 0] + goal[:, 0] * x[:, 1],
            ],
            -1,
        )
        return {"x": x.astype(F32)[None], "g": goal.astype(F32)[None]}, turned.astype(F32)[None]

    adam, share = Adam(model.flat), np.full((1, rows), 1 / rows, F32)
    state, fresh = start_state(model, rows), np.zeros((1, rows), bool)
    for _ in range(300):
        obs, wanted = drawn()
        head, _ = model.policy(obs, state, fresh)
        squared_error(model.dist, head, wanted, share).backward()
        adam.step(3e-3)
    obs, wanted = drawn()
    head, _, _ = model.look(obs, state, fresh)
    return float(((head[..., :2] - wanted) ** 2).mean())


def test_what_is_a_product_of_goal_and_rest_is_learned_better_by_a_hypernetwork():
    spec = Spec(
        obs={"x": Obs(kind="vector", shape=(2,)), "g": GOALS["vector"]},
        action=ActionSpec(continuous=2),
    )
    found = {}
    for goal in ("concat", "hyper"):
        net = NetConfig(hidden=(16, 16), goal=goal, normalize=False)
        rng = np.random.default_rng(0)
        found[goal] = missed(make_model(spec, Product(spec.action), net, rng))
    assert found["hyper"] < found["concat"] / 2, found
