from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.check import check_model, random_obs
from understudy.nets.flat import F32
from understudy.nets.model import DenseModel, NetConfig, make_model, start_state
from understudy.ops.cost import Cost
from understudy.ops.product import FORBIDDEN, Product

SEEN = {
    "vector": {"obs": Obs(kind="vector", shape=(3,))},
    "scalar and matrix": {
        "a": Obs(kind="vector", shape=(), dtype="int64"),
        "b": Obs(kind="vector", shape=(2, 2), dtype="float64"),
    },
    "goal": {
        "obs": Obs(kind="vector", shape=(3,)),
        "goal": Obs(kind="vector", shape=(2,), goal=True),
    },
    "masked": {
        "obs": Obs(kind="vector", shape=(3,)),
        "mask": Obs(kind="mask", shape=(5,), dtype="bool"),
    },
    "zero wide": {
        "obs": Obs(kind="vector", shape=(3,)),
        "nothing": Obs(kind="vector", shape=(0,)),
    },
    "nothing but a mask": {"mask": Obs(kind="mask", shape=(5,), dtype="int8")},
}
ACTION = ActionSpec(continuous=2, branches=(2, 3))


def dense(obs, config=None, num_signals=2, action=ACTION) -> DenseModel:
    spec = Spec(obs=obs, action=action)
    config = config or NetConfig(hidden=(16, 16))
    model = make_model(spec, Product(action), config, np.random.default_rng(0), num_signals)
    assert isinstance(model, DenseModel)
    return model


@pytest.mark.parametrize("num_signals", [0, 2])
@pytest.mark.parametrize("seen", SEEN)
def test_a_dense_model_is_a_model(seen, num_signals):
    check_model(dense(SEEN[seen], num_signals=num_signals), np.random.default_rng(1))


@pytest.mark.parametrize(
    "config",
    [
        NetConfig(hidden=()),
        NetConfig(hidden=(8,), activation="tanh"),
        NetConfig(hidden=(8, 8), normalize=False),
    ],
)
def test_a_dense_model_of_any_make_is_a_model(config):
    check_model(dense(SEEN["vector"], config), np.random.default_rng(1))


@pytest.mark.parametrize(
    "action",
    [
        ActionSpec(continuous=1),
        ActionSpec(branches=(4,)),
        ActionSpec(branches=(2, 2, 2)),
        ActionSpec(),
    ],
)
def test_a_dense_model_of_any_action_is_a_model(action):
    check_model(dense(SEEN["vector"], action=action), np.random.default_rng(1))


def test_the_same_seed_makes_the_same_model():
    a, b = dense(SEEN["vector"]), dense(SEEN["vector"])
    np.testing.assert_array_equal(a.flat.value, b.flat.value)


def test_a_fresh_policy_hardly_prefers_anything():
    model = dense(SEEN["vector"], NetConfig(hidden=(64, 64)))
    obs = random_obs(model.spec, np.random.default_rng(0), 1, 50)
    head, _, _ = model.look(obs, {}, np.zeros((1, 50), bool))
    assert np.abs(head[..., : model.dist.width]).max() < 0.2
    assert not head[..., model.dist.width :].any(), "deviations start at one"


def test_normalizing_is_part_of_the_model():
    model, plain = (
        dense(SEEN["vector"], NetConfig(hidden=(16,), normalize=flag)) for flag in (True, False)
    )
    rng = np.random.default_rng(0)
    obs = {"obs": rng.normal(5, 3, (1, 400, 3)).astype(F32)}
    model.observe(obs)
    fresh = np.zeros((1, 400), bool)
    x = obs["obs"]
    by_hand = {"obs": (x - x.mean((0, 1))) / x.std((0, 1))}
    head, _, _ = model.look(obs, {}, fresh)
    expected, _, _ = plain.look(by_hand, {}, fresh)
    np.testing.assert_allclose(head, expected, atol=1e-5)


@pytest.mark.parametrize("normalize", [True, False])
def test_what_was_seen_is_left_as_it_was(normalize):
    model = dense(SEEN["vector"], NetConfig(hidden=(8,), normalize=normalize))
    obs = random_obs(model.spec, np.random.default_rng(0), 2, 3)
    kept = obs["obs"].copy()
    model.observe(obs)
    model(obs, {}, np.zeros((2, 3), bool))
    model.actor(3)({"obs": obs["obs"][0]}, {}, np.zeros(3, bool))
    np.testing.assert_array_equal(obs["obs"], kept)


def test_a_masked_choice_is_forbidden_everywhere():
    model = dense(SEEN["masked"])
    obs = random_obs(model.spec, np.random.default_rng(0), 4, 3)
    fresh = np.zeros((4, 3), bool)
    head, _, _ = model(obs, {}, fresh)
    acted, _ = model.actor(3)({n: x[0] for n, x in obs.items()}, {}, fresh[0])
    for logits, allowed in ((head.array, obs["mask"]), (acted, obs["mask"][0])):
        np.testing.assert_array_equal(logits[..., 2:7] == FORBIDDEN, ~allowed)


@pytest.mark.parametrize("seen", ["vector", "masked"])
def test_a_loss_written_in_torch_reaches_a_dense_policy(seen):
    model = dense(SEEN[seen])
    rng = np.random.default_rng(0)
    obs, fresh = random_obs(model.spec, rng, 2, 3), np.zeros((2, 3), bool)
    Cost.of((model.torch(obs, {}, fresh)[..., :2] ** 2).mean()).backward()
    torchs = model.flat.grad.copy()
    assert torchs.any()
    model.flat.grad.fill(0)
    head, _ = model.policy(obs, {}, fresh)
    gradient = np.zeros_like(head.array)
    gradient[..., :2] = 2 * head.array[..., :2] / 12
    head.pull(gradient)
    np.testing.assert_allclose(torchs, model.flat.grad, atol=1e-7)


def test_there_is_no_memory_to_start_with():
    assert start_state(dense(SEEN["vector"]), 4) == {}


def test_a_dense_model_refuses_what_it_cannot_see():
    spec = Spec(obs={"camera": Obs(kind="image", shape=(20, 20, 3))}, action=ACTION)
    with pytest.raises(ValueError, match="camera"):
        DenseModel(spec, Product(ACTION), NetConfig(), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (NetConfig(hidden=(8,), memory=4), "a memory"),
        (NetConfig(hidden=(8,), goal="hyper"), "goal='hyper'"),
        (NetConfig(hidden=(8,), shared=True), "a shared critic"),
    ],
)
def test_what_a_dense_model_cannot_do_it_refuses_and_another_does(config, says):
    spec = Spec(obs=SEEN["goal"], action=ACTION)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=says):
        DenseModel(spec, Product(ACTION), config, rng)
    check_model(make_model(spec, Product(ACTION), config, rng, 1), rng, num_rows=3, slots=2)


TRAINED = """
import sys
import numpy as np
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.flat import Adam
from understudy.nets.model import NetConfig, make_model
from understudy.ops.cloning import likelihood, squared_error
from understudy.ops.product import Product

action = ActionSpec(continuous=1, branches=(2,))
spec = Spec(obs={"obs": Obs(kind="vector", shape=(3,)), "m": Obs(kind="mask", shape=(2,))},
            action=action)
rng = np.random.default_rng(0)
model = make_model(spec, Product(action), NetConfig(hidden=(8,)), rng, 1)
adam = Adam(model.flat)
obs = {"obs": rng.standard_normal((1, 32, 3)), "m": np.ones((1, 32, 2), bool)}
code = np.tile(np.array([0.5, 1, 0], np.float32), (1, 32, 1))
share, fresh = np.full((1, 32), 1 / 32, np.float32), np.zeros((1, 32), bool)
model.observe(obs)
losses = []
for _ in range(50):
    head, _ = model.policy(obs, {}, fresh)
    cost = likelihood(model.dist, head, code, share)
    cost = cost + 0.1 * squared_error(model.dist, head, code, share)
    losses.append(cost.value)
    cost.backward()
    adam.step(1e-2)
model.actor(32)({name: x[0] for name, x in obs.items()}, {}, fresh[0])
assert losses[-1] < losses[0]
print(sorted({name.split(".")[0] for name in sys.modules} & {"torch", "gymnasium", "pydantic"}))
"""


def test_training_a_dense_model_never_loads_torch():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TRAINED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
