"""Networks that remember, in numpy: the same as those of torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.check import check_model, random_obs
from understudy.nets.flat import F32
from understudy.nets.model import NetConfig, make_model, start_state
from understudy.nets.modules import make_torch_model
from understudy.nets.recurrence import CELLS
from understudy.nets.remembering import RecurrentModel
from understudy.ops.cost import Cost
from understudy.ops.product import FORBIDDEN, Product

ACTION = ActionSpec(continuous=2, branches=(2, 3))
VECTOR = Obs(kind="vector", shape=(3,))
SEEN = {
    "vector": {"a": VECTOR},
    "two": {"a": VECTOR, "g": Obs(kind="vector", shape=(2, 2), dtype="float64", goal=True)},
    "masked": {"a": VECTOR, "m": Obs(kind="mask", shape=(5,), dtype="bool")},
    "nothing but a mask": {"m": Obs(kind="mask", shape=(5,), dtype="int8")},
}


def made(obs, cell="lstm", num_signals=2, action=ACTION, **config) -> RecurrentModel:
    spec = Spec(obs=obs, action=action)
    net = NetConfig(**{"hidden": (16,), "memory": 6, "cell": cell, **config})
    model = make_model(spec, Product(action), net, np.random.default_rng(0), num_signals)
    assert isinstance(model, RecurrentModel)
    return model


@pytest.mark.parametrize("num_signals", [0, 2])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("seen", SEEN)
def test_a_recurrent_model_is_a_model(seen, cell, num_signals):
    check_model(made(SEEN[seen], cell, num_signals), np.random.default_rng(1))


@pytest.mark.parametrize("hidden", [(), (8, 5)])
@pytest.mark.parametrize("action", [ActionSpec(continuous=1), ActionSpec(branches=(3,))])
def test_a_recurrent_model_of_any_make_is_a_model(hidden, action):
    model = made(SEEN["two"], action=action, hidden=hidden, activation="tanh", normalize=False)
    check_model(model, np.random.default_rng(1))


@pytest.mark.parametrize("cell", CELLS)
def test_it_says_and_learns_what_a_network_of_torch_does(cell):
    model = made(SEEN["masked"], cell, 1)
    other = make_torch_model(model.spec, model.dist, model.config, np.random.default_rng(1), 1)
    mine, theirs = model.flat.named(), other.flat.named()
    for tower in ("policy", "critic"):
        gates, out = mine[f"{tower}.out.0.bias"], theirs[f"{tower}.out.bias"]
        theirs[f"{tower}.hidden.0.weight"][:] = mine[f"{tower}.0.weight"].T
        theirs[f"{tower}.hidden.0.bias"][:] = mine[f"{tower}.0.bias"]
        theirs[f"{tower}.memory.cell.weight_ih"][:] = mine[f"{tower}.1.weight"].T
        theirs[f"{tower}.memory.cell.bias_ih"][:] = mine[f"{tower}.1.bias"]
        theirs[f"{tower}.memory.cell.weight_hh"][:] = mine[f"{tower}.memory.weight"].T
        theirs[f"{tower}.memory.cell.bias_hh"][:] = mine[f"{tower}.memory.bias"]
        theirs[f"{tower}.out.weight"][:] = mine[f"{tower}.out.0.weight"].T
        out[:] = gates[: len(out)]
    rng = np.random.default_rng(0)
    obs, fresh = random_obs(model.spec, rng, 6, 4), rng.random((6, 4)) < 0.3
    state = {n: rng.standard_normal((4, *s)).astype(F32) for n, s in model.memory.items()}
    assert model.memory == other.memory
    answers = []
    for each in (model, other):
        each.observe(obs)
        head, value, after = each(obs, state, fresh)
        wanted = np.where(head.array == FORBIDDEN, 0, 1).astype(F32)
        Cost(seeds=[(head, wanted), (value, np.ones_like(value.array))]).backward()
        answers.append((head.array, value.array, *(after[n] for n in sorted(after))))
    for a, b in zip(*answers, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    g, h = (each.flat.named(each.flat.grad) for each in (model, other))
    for tower in ("policy", "critic"):
        pairs = [
            (g[f"{tower}.0.weight"].T, h[f"{tower}.hidden.0.weight"]),
            (g[f"{tower}.1.weight"].T, h[f"{tower}.memory.cell.weight_ih"]),
            (g[f"{tower}.memory.weight"].T, h[f"{tower}.memory.cell.weight_hh"]),
            (g[f"{tower}.memory.bias"], h[f"{tower}.memory.cell.bias_hh"]),
            (g[f"{tower}.out.0.weight"].T, h[f"{tower}.out.weight"]),
        ]
        for a, b in pairs:
            np.testing.assert_allclose(a, b, atol=1e-4)


def test_an_lstm_remembers_at_first_and_every_gate_is_orthogonal():
    named = made(SEEN["vector"], hidden=(6,)).flat.named()
    np.testing.assert_array_equal(named["policy.1.bias"], [0] * 6 + [1] * 6 + [0] * 12)
    assert not made(SEEN["vector"], "gru").flat.named()["policy.1.bias"].any()
    for gate in (
        *np.split(named["policy.memory.weight"], 4, 1),
        *np.split(named["policy.1.weight"], 4, 1),
    ):
        np.testing.assert_allclose(gate @ gate.T, np.eye(6), atol=1e-5)


def test_the_way_back_leads_to_what_is_seen():
    model = made(SEEN["vector"])
    net = model._nets["policy"]
    rng = np.random.default_rng(0)
    x, fresh = rng.standard_normal((4, 2, 3), F32), np.zeros((4, 2), bool)
    start = {name: np.zeros((2, 6), F32) for name in net.names}
    seed = rng.standard_normal((4, 2, model.dist.width + model.dist.free), F32)
    found = net(x, start, fresh)[0].back(seed)
    for index in [(0, 0, 1), (2, 1, 0), (3, 1, 2)]:
        high, low = x.copy(), x.copy()
        high[index] += 1e-2
        low[index] -= 1e-2
        ends = [float((net(y, start, fresh)[0].array * seed).sum()) for y in (high, low)]
        assert found[index] == pytest.approx((ends[0] - ends[1]) / 2e-2, rel=0.05, abs=1e-4)


def test_the_first_rows_of_an_answer_lead_back_too():
    model = made(SEEN["vector"])
    rng = np.random.default_rng(0)
    obs, fresh = random_obs(model.spec, rng, 5, 3), np.zeros((5, 3), bool)
    state = start_state(model, 3)
    grads = []
    for rows in (5, 3):
        model.flat.grad.fill(0)
        head, _ = model.policy({n: x[:rows] for n, x in obs.items()}, state, fresh[:rows])
        first = head.first(3)
        first.pull(np.ones_like(first.array))
        grads.append(model.flat.grad.copy())
    np.testing.assert_allclose(*grads, atol=1e-5)


def test_an_actor_does_not_write_over_what_it_has_answered():
    model = made(SEEN["vector"])
    act, rng = model.actor(3), np.random.default_rng(0)
    fresh = np.zeros(3, bool)
    _, first = act(random_obs(model.spec, rng, 3), start_state(model, 3), fresh)
    kept = {name: x.copy() for name, x in first.items()}
    act(random_obs(model.spec, rng, 3), first, fresh)
    for name, x in first.items():
        np.testing.assert_array_equal(x, kept[name])


@pytest.mark.parametrize(
    ("obs", "config", "says"),
    [
        (SEEN["vector"], NetConfig(), "no memory"),
        (SEEN["vector"], NetConfig(memory=4, shared=True), "a shared critic"),
        ({"i": Obs(kind="image", shape=(20, 20, 3))}, NetConfig(memory=4), "image 'i'"),
    ],
)
def test_what_it_cannot_do_it_refuses(obs, config, says):
    spec = Spec(obs=obs, action=ACTION)
    with pytest.raises(ValueError, match=says):
        RecurrentModel(spec, Product(ACTION), config, np.random.default_rng(0))


def test_it_never_loads_torch():
    code = """
import sys
import numpy as np
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.model import NetConfig, make_model, start_state
from understudy.ops.product import Product

spec = Spec(obs={"a": Obs(kind="vector", shape=(3,))}, action=ActionSpec(branches=(2,)))
model = make_model(spec, Product(spec.action), NetConfig(memory=4), np.random.default_rng(0), 1)
obs, fresh = {"a": np.ones((5, 2, 3), np.float32)}, np.zeros((5, 2), bool)
head, value, _ = model(obs, start_state(model, 2), fresh)
head.pull(np.ones_like(head.array))
model.actor(2)({"a": obs["a"][0]}, start_state(model, 2), fresh[0])
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
