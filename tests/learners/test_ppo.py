from __future__ import annotations

import inspect

import numpy as np
import pytest

from understudy.data.batch import Batch
from understudy.errors import NonFiniteError
from understudy.learners import ppo as page
from understudy.learners.ppo import PPO, PPOConfig
from understudy.nets.model import Model, NetConfig, make_model, start_state
from understudy.ops.product import Product
from understudy.ops.returns import gae
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from worlds import OBS_KINDS, toy_demos

T, N = 8, 4


def rollout(model: Model, seed: int = 0) -> Batch:
    """Rows whose action was right, rewarded by chance."""
    rng = np.random.default_rng(seed)
    rows = toy_demos(_names(model), _action(model), T * N, 4, rng).rows()
    pick = rng.integers(0, len(rows), (T + 1, N))
    acted = rng.random((T + 1, N)) < 0.8
    action = rows.action.at(pick[:-1])
    return Batch(
        obs=model.place({name: x[pick] for name, x in rows.obs.items()}),
        code=model.dist.encode(action),
        acted=acted.astype(np.float32),
        fresh=np.r_[np.ones((1, N), bool), ~acted[:-1]],
        state=model.place(start_state(model, N)),
        reward=rng.standard_normal((T, N)).astype(np.float32) * acted[:-1],
        terminated=~acted[1:] & acted[:-1],
    )


def _names(model: Model) -> list[str]:
    return [name for name, obs in model.spec.obs.items() if obs.kind != "mask"]


def _action(model: Model) -> str:
    return "hybrid" if model.spec.action.continuous else "discrete"


def made(kind: str = "vector", action: str = "hybrid", memory: int = 0, signals: int = 1) -> PPO:
    spec = toy_demos(kind, action, 2, 4, np.random.default_rng(0)).spec
    net = NetConfig(hidden=(16,), memory=memory, activation="tanh")
    model = make_model(spec, Product(spec.action), net, np.random.default_rng(1), signals)
    config = PPOConfig(epochs=2, minibatch=16, length=4, learning_rate=1e-2)
    rewards = {
        f"signal {k}": Extrinsic(ExtrinsicConfig(discount=0.9 - 0.4 * k, strength=1 + k))
        for k in range(signals)
    }
    return PPO(model, rewards, {}, config, np.random.default_rng(2))


@pytest.mark.parametrize("memory", [0, 8], ids=["no memory", "memory"])
@pytest.mark.parametrize("action", ["discrete", "hybrid"])
@pytest.mark.parametrize("kind", OBS_KINDS)
def test_one_page_serves_every_network_and_action(kind, action, memory):
    ppo = made(kind, action, memory, signals=2)
    before = ppo.model.flat.value.copy()
    metrics = ppo.update(rollout(ppo.model), 0.0)
    assert np.isfinite(ppo.model.flat.value).all()
    assert (ppo.model.flat.value != before).any()
    assert all(np.isfinite(float(x)) for x in metrics.values())


def test_the_page_is_one_and_asks_of_nothing_what_kind_it_is():
    text = inspect.getsource(page)
    assert len(text.splitlines()) <= 175
    assert "isinstance" not in text


def test_advantages_are_mixed_by_strength_each_with_its_own_discount():
    ppo = made(signals=2)
    batch = rollout(ppo.model)
    prepared = ppo.prepare(batch)
    _, value, _ = ppo.model.look(batch.obs, batch.state, batch.fresh)
    acted = batch.acted[:-1] > 0
    parts = [
        gae(batch.reward[..., None], value[..., k : k + 1], batch.terminated, acted, discount, 0.95)
        for k, discount in enumerate(ppo.signals.discount[:, None])
    ]
    mixed = 1 * parts[0][..., 0] + 2 * parts[1][..., 0]
    np.testing.assert_allclose(prepared.extra["advantage"], mixed, atol=1e-5)


def test_the_first_minibatch_has_not_moved():
    ppo = made()
    prepared = ppo.prepare(rollout(ppo.model))
    _, figures = ppo.loss(prepared, 0.0)
    assert float(figures["kl"]) == pytest.approx(0, abs=1e-6)
    assert float(figures["clipped"]) == 0


def test_rows_on_which_nothing_was_done_change_nothing():
    ppo, other = made(), made()
    batch, changed = rollout(ppo.model), rollout(ppo.model)
    idle = changed.acted[:-1] == 0
    changed.code[idle] = 1
    ppo.update(batch, 0.0)
    other.update(changed, 0.0)
    assert (ppo.model.flat.value == other.model.flat.value).all()


def test_it_stops_an_update_once_the_policy_has_moved_far_enough():
    far, near = made(), made()
    near.config = PPOConfig(epochs=50, minibatch=16, learning_rate=1e-2, max_kl=1e-9)
    near.update(rollout(near.model), 0.0)
    far.config = PPOConfig(epochs=50, minibatch=16, learning_rate=1e-2)
    far.update(rollout(far.model), 0.0)
    assert near.optimizer.num_steps < far.optimizer.num_steps


@pytest.mark.parametrize(("name", "start"), [("clip", 0.02), ("entropy", 0.5)])
def test_clip_and_entropy_fall_as_their_schedules_say(name, start):
    ppo = made()
    prepared = ppo.prepare(rollout(ppo.model))
    ppo.update(rollout(ppo.model), 0.0)  # so that the policy has moved
    found = {}
    for shape, value, progress in (("linear", start, 0.75), ("constant", start / 4, 0.75)):
        ppo.config = PPOConfig(**{name: value, f"{name}_schedule": shape})
        found[shape] = ppo.loss(prepared, progress)[0].value
    assert found["linear"] == pytest.approx(found["constant"])
    ppo.config = PPOConfig(**{name: start})
    assert ppo.loss(prepared, 0.75)[0].value != pytest.approx(found["constant"])


def test_a_reward_that_is_not_finite_stops_before_the_weights():
    ppo = made()
    batch, before = rollout(ppo.model), ppo.model.flat.value.copy()
    batch.reward[3, 1] = np.nan
    with pytest.raises(
        NonFiniteError, match="reward signal 'signal 0': 1 of 32 rewards are not finite"
    ):
        ppo.update(batch, 0.0)
    assert (ppo.model.flat.value == before).all()


def test_going_on_from_a_state_is_going_on():
    straight, resumed = made(memory=8), made(memory=8)
    straight.update(rollout(straight.model, 1), 0.0)
    state = straight.state_dict()
    straight.update(rollout(straight.model, 2), 0.1)
    resumed.load_state_dict(state)
    resumed.update(rollout(resumed.model, 2), 0.1)
    assert (straight.model.flat.value == resumed.model.flat.value).all()
