from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.errors import NonFiniteError
from understudy.learners.sac import SAC, SACConfig
from understudy.nets.critic import CriticConfig, make_critics
from understudy.nets.flat import F32
from understudy.nets.model import NetConfig, make_model, start_state
from understudy.ops.cost import Out
from understudy.ops.soft_product import SoftProduct
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.run.mixed import Mixed
from understudy.run.replay import Replay, replay_of
from understudy.terms.clone import Clone, CloneConfig
from understudy.terms.shown import Shown
from worlds import toy_demos, toy_spec

ACTIONS = ("continuous", "discrete", "multi-discrete", "hybrid", "masked")


class Shifting:
    """A signal whose mind changes with every update: it rewards what its count says."""

    discount, strength, ends = 0.5, 2.0, True

    def __init__(self):
        self.count = 0.0

    def reward(self, batch: Batch):
        return np.full_like(batch.acted[:-1], self.count)

    def update(self, batch: Batch):
        self.count += 1
        return {"count": self.count}

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


def made(
    action="hybrid", signals=1, terms=None, seed=0, critic=None, kind="vector", net=None, **config
):
    rng = np.random.default_rng(seed)
    spec = toy_spec(kind, action)
    seeing = NetConfig(hidden=(8,), entity_width=8, **(net or {}))
    model = make_model(spec, SoftProduct(spec.action), seeing, rng)
    rewarded = {"extrinsic": Extrinsic(ExtrinsicConfig()), "shifting": Shifting()}
    chosen = dict(list(rewarded.items())[:signals])
    critics = make_critics(model, critic or CriticConfig(hidden=(8,)), rng, signals)
    return SAC(model, critics, chosen, terms or {}, SACConfig(**config), rng)


def demos_of(action="hybrid", episodes=6, kind: str | tuple[str, ...] = "vector") -> Demos:
    return toy_demos(kind, action, episodes, 8, np.random.default_rng(7))


def batches(action="hybrid", length=1, size=16, shown=0.25, kind="vector", burn_in=0, n_step=1):
    replay = replay_of(demos_of(action, kind=kind))
    rows = size, length, burn_in, n_step
    return Mixed(replay, replay, shown), np.random.default_rng(3), rows


def draw(sac: SAC, asked) -> Batch:
    source, rng, rows = asked
    return source.sample(sac.model, rng, *rows)


def weights(sac: SAC) -> list[np.ndarray]:
    return [sac.model.flat.value, sac.critics.flat.value, sac.heat.value]


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("clone", [None, "likelihood", "squared_error"])
@pytest.mark.parametrize("signals", [1, 2])
@pytest.mark.parametrize("action", ACTIONS)
def test_every_combination_takes_finite_steps(action, signals, clone, length):
    terms = {} if clone is None else {"clone": Shown(Clone(CloneConfig(loss=clone)))}
    critic = CriticConfig(hidden=(8,), num_critics=3, layer_norm=True)
    sac = made(action, signals, terms, critic=critic)
    before = [x.copy() for x in weights(sac)]
    asked = batches(action, length)
    for _ in range(3):
        metrics = sac.update(draw(sac, asked), 0.5)
    assert all(np.isfinite(x).all() for x in weights(sac))
    assert all((x != old).any() for x, old in zip(weights(sac), before, strict=True))
    assert all(np.isfinite(float(x)) for x in metrics.values())
    assert not any(flat.any() for flat in (sac.model.flat.grad, sac.critics.flat.grad))


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("net", [{}, {"memory": 6}, {"memory": 6, "cell": "gru"}], ids=str)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", ["vector", "image", "entities", "all"])
def test_every_network_takes_finite_steps(kind, action, net, n_step):
    terms = {"clone": Shown(Clone(CloneConfig()))}
    sac = made(action, 2, terms, kind=kind, net=net)
    before = [x.copy() for x in weights(sac)]
    asked = batches(action, 2, 4, kind=kind, burn_in=2 if net else 0, n_step=n_step)
    for _ in range(2):
        metrics = sac.update(draw(sac, asked), 0.5)
    assert all(np.isfinite(x).all() for x in weights(sac))
    assert all((x != old).any() for x, old in zip(weights(sac), before, strict=True))
    assert all(np.isfinite(float(x)) for x in metrics.values())


class Constant:
    """Critics that say one number, their slow copies another; their gradients are kept."""

    num_critics = 2

    def __init__(self, sac: SAC, said: float, slow: float):
        self.flat = sac.critics.flat
        self.shape = len(sac.signals.discount), sac.dist.num_columns
        self.said, self.slowly, self.pulled = said, slow, []

    def _all(self, action, number: float):
        return np.full((2, *action.shape[:-1], *self.shape), number, F32)

    def __call__(self, batch, action):
        return Out(self._all(action, self.said), self.pulled.append)

    def slow(self, batch, action, which):
        return self._all(action, self.slowly)[which]

    def follow(self, tau: float):
        pass


def test_values_flow_over_a_time_limit_and_stop_where_the_task_ends():
    sac: Any = made("continuous", signals=2)
    sac.critics = critics = Constant(sac, 0.0, 10.0)
    batch = draw(sac, batches("continuous"))
    batch.reward[:] = 1
    batch.terminated[0, :8], batch.terminated[0, 8:] = True, False
    batch.acted[:] = 1
    batch.acted[1, 4:12] = 0  # on whichever row an episode ends, what was seen is seen
    alpha = np.zeros(1, F32)
    head, _ = sac.model.policy(batch.obs, batch.state, batch.fresh)
    after = sac.dist.draw(head.array[1:], np.zeros((1, 16, 2), F32))
    loss = sac.critic_loss(batch, batch.known, after, np.array([1, 0]), alpha)
    loss.backward()
    # The gradient of half a squared error at 0 is minus its target, times the share.
    target = -16 * critics.pulled[0][0, 0, :, :, 0]
    np.testing.assert_allclose(target[:8], np.tile([1, 0], (8, 1)), rtol=1e-5)
    np.testing.assert_allclose(target[8:], np.tile([1 + 9.9, 0 + 5.0], (8, 1)), rtol=1e-5)
    np.testing.assert_array_equal(critics.pulled[0][0], critics.pulled[0][1])


def test_values_flow_over_a_termination_for_signals_that_do_not_end_there():
    sac: Any = made("continuous", signals=2)
    sac.signals.ends[1] = False
    sac.critics = critics = Constant(sac, 0.0, 10.0)
    batch = draw(sac, batches("continuous"))
    batch.reward[:], batch.terminated[:], batch.acted[:] = 1, True, 1
    head, _ = sac.model.policy(batch.obs, batch.state, batch.fresh)
    after = sac.dist.draw(head.array[1:], np.zeros((1, 16, 2), F32))
    sac.critic_loss(batch, batch.known, after, np.array([0, 1]), np.zeros(1, F32)).backward()
    target = -16 * critics.pulled[0][0, 0, :, :, 0]
    np.testing.assert_allclose(target, np.tile([1, 0 + 5.0], (16, 1)), rtol=1e-5)


def test_targets_of_two_steps_by_hand():
    # Rewards 1 and 2, worth 0.99 and 1 of the last 10; a time limit after one is worth 10 at once.
    sac: Any = made("continuous")
    sac.critics = critics = Constant(sac, 0.0, 10.0)
    batch = draw(sac, batches("continuous", n_step=2))
    batch.reward[:] = np.array([1, 2])[:, None]
    batch.terminated[:], batch.acted[:] = False, 1
    batch.acted[1, :4] = 0
    batch.terminated[1, 4:8] = True
    head, _ = sac.model.policy(batch.obs, batch.state, batch.fresh)
    after = sac.dist.draw(head.array[1:], np.zeros((2, 16, 2), F32))
    sac.critic_loss(batch, batch.known, after, np.array([0, 1]), np.zeros(1, F32)).backward()
    assert critics.pulled[0].shape[1] == 1, "of three rows one is learned from"
    target = -16 * critics.pulled[0][0, 0, :, 0, 0]
    np.testing.assert_allclose(target[:4], 1 + 0.99 * 10, rtol=1e-5)
    np.testing.assert_allclose(target[4:8], 1 + 0.99 * 2, rtol=1e-5)
    np.testing.assert_allclose(target[8:], 1 + 0.99 * 2 + 0.99**2 * 10, rtol=1e-5)


def test_what_is_forbidden_counts_neither_in_targets_nor_for_the_policy_nor_for_its_entropy():
    one, other = made("masked"), made("masked")
    batch = draw(one, batches("masked", length=2))
    forbidden = ~batch.obs["mask"]
    assert forbidden.any()
    slow, ask = other.critics.slow, other.critics.ask

    def lying_slow(batch, action, which):
        lie = np.where(forbidden[1:], F32(1e4), F32(0))
        return slow(batch, action, which) + lie[:, :, None, :]

    def lying_ask(batch, action, which):
        said = ask(batch, action, which)
        lie = np.where(forbidden[:-1], F32(1e4), F32(0))
        return Out(said.array + lie[:, :, None, :], lambda g: None, said.back)

    critics: Any = other.critics
    critics.slow, critics.ask = lying_slow, lying_ask
    for sac in (one, other):
        sac.update(batch, 0.0)
    for x, y in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("goal", ["concat", "hyper"])
@pytest.mark.parametrize("memory", [0, 4])
def test_what_is_wanted_is_seen_by_policy_and_critics(goal, memory):
    demos = demos_of(kind=("vector", "image"))
    obs = {**demos.spec.obs, "vector": replace(demos.spec.obs["vector"], goal=True)}
    spec, rng = replace(demos.spec, obs=obs), np.random.default_rng(0)
    net = NetConfig(hidden=(8,), goal=goal, memory=memory)
    model = make_model(spec, SoftProduct(spec.action), net, rng)
    critics = make_critics(model, CriticConfig(hidden=(8,)), rng, 1)
    sac = SAC(model, critics, {"e": Extrinsic(ExtrinsicConfig())}, {}, SACConfig(), rng)
    batch = replay_of(demos).sample(model, rng, 6, 2)
    action = np.zeros((2, 6, 1), F32)
    before = critics(batch.known, action).array
    other = replace(batch.known, obs=batch.known.obs | {"vector": batch.known.obs["vector"] + 1})
    assert not np.allclose(critics(other, action).array, before)
    assert all(np.isfinite(float(x)) for x in sac.update(batch, 0.0).values())


@pytest.mark.parametrize("where", ["reward", "value"])
def test_what_is_not_finite_is_named_before_any_weight_moves(where):
    sac: Any = made("continuous", signals=2)
    batch = draw(sac, batches("continuous"))
    before = [x.copy() for x in weights(sac)]
    if where == "reward":
        batch.reward[0, 3] = np.nan
        words = "signal 'extrinsic': 1 of 16 rewards are not finite"
    else:
        sac.critics.slow = lambda batch, action, which: np.full((2, 1, 16, 2, 1), np.nan, F32)
        words = "critic.*loss/critic is nan"
    with pytest.raises(NonFiniteError, match=words):
        sac.update(batch, 0.0)
    for x, old in zip(weights(sac), before, strict=True):
        np.testing.assert_array_equal(x, old)


def test_rows_that_warm_the_memory_are_not_learned_from_and_fill_it():
    one, other = (made(net={"memory": 4}, seed=1) for _ in range(2))
    batch = draw(one, batches(length=2, size=6, burn_in=3))
    batch.fresh[:] = False
    # The same as a batch without them that begins with what they leave in the memory.
    warm = batch.rows(0, 3)
    _, after = one.model.policy(warm.obs, warm.state, warm.fresh)
    state = after | one.critics.look(warm)
    alone = replace(batch.rows(3), state=state, burn_in=0)
    one.update(batch, 0.0)
    other.update(alone, 0.0)
    for x, y in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-6)


def test_a_window_begins_with_the_memory_that_was_recorded():
    sac = made("continuous", net={"memory": 4})
    batch = draw(sac, batches("continuous", length=3, size=6))
    batch.fresh[:] = False
    other = replace(batch, state={name: s + 1 for name, s in batch.state.items()})
    sac.update(batch, 0.0)
    changed = made("continuous", net={"memory": 4})
    changed.update(other, 0.0)
    assert (sac.model.flat.value != changed.model.flat.value).any()


def test_the_policy_believes_the_least_of_the_judges_or_the_mean_of_all():
    asked = {}
    for belief in ("least", "mean"):
        sac: Any = made(critic=CriticConfig(hidden=(8,), num_critics=5), belief=belief)
        ask, numbers = sac.critics.ask, asked.setdefault(belief, [])
        sac.critics.ask = lambda b, a, which, ask=ask, n=numbers: (
            n.append(which) or ask(b, a, which)
        )
        sac.update(draw(sac, batches()), 0.0)
    assert len(asked["least"][0]) == 2
    assert asked["mean"][0].tolist() == [0, 1, 2, 3, 4]


def test_rewards_are_judged_when_rows_are_drawn():
    sac = made(signals=2)
    asked, seen = batches(), []
    for _ in range(3):
        batch = draw(sac, asked)
        seen.append(sac.signals["shifting"].reward(batch)[0, 0])
        assert float(sac.update(batch, 0.0)["shifting/count"]) == len(seen)
    assert seen == [0, 1, 2]


def test_rows_on_which_nothing_was_done_change_nothing():
    one, other = made(), made()
    batch, changed = (draw(one, batches(length=4, size=40)) for _ in range(2))
    idle = changed.acted[:-1] == 0
    assert idle.any()
    changed.code[idle] = 0.5
    changed.reward[idle] = 99
    one.update(batch, 0.0)
    other.update(changed, 0.0)
    for x, y in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(x, y)


def test_as_many_critics_are_asked_as_pessimism_says_drawn_anew():
    sac: Any = made(critic=CriticConfig(hidden=(8,), num_critics=4), pessimism=2)
    critics, asked, judged = sac.critics, [], []
    ask, slow = critics.ask, critics.slow
    critics.ask = lambda obs, action, which: asked.append(tuple(which)) or ask(obs, action, which)
    critics.slow = lambda obs, action, which: judged.append(which) or slow(obs, action, which)
    source = batches()
    for _ in range(12):
        sac.update(draw(sac, source), 0.0)
    assert {len(set(which)) for which in asked} == {2}
    assert len(set(asked)) > 3
    np.testing.assert_array_equal(asked, judged)


def test_a_term_sees_the_rows_that_are_known_and_its_weight_follows_progress():
    seen = []

    class Watching(Clone):
        def loss(self, model, batch):
            seen.append(batch)
            return super().loss(model, batch)

    term = Watching(CloneConfig(schedule="linear"))
    with_term, without = made(terms={"clone": term}), made()
    for sac in (with_term, without):
        sac.update(draw(sac, batches(length=3)), 1.0)
    assert seen[0].acted.shape == seen[0].fresh.shape == (3, 16)
    assert seen[0].obs["vector"].shape == (3, 16, 4)
    one, other = with_term.model.flat.value, without.model.flat.value
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("action", ACTIONS)
def test_going_on_from_a_state_is_going_on(action):
    """Learner and replay, saved and loaded, go on to the last bit."""
    demos = demos_of(action)

    def start():
        sac = made(action, signals=2, terms={"clone": Shown(Clone(CloneConfig()))})
        return sac, Replay(demos.spec, len(demos.rows()), 1), np.random.default_rng(5)

    def go(sac, replay, rng, count):
        source = Mixed(replay, replay_of(demos), 0.25)
        for _ in range(count):
            sac.update(source.sample(sac.model, rng, 16, 2), 0.0)

    straight, replay, rng = start()
    replay.load_state_dict(replay_of(demos).state_dict())
    go(straight, replay, rng, 4)
    saved = straight.state_dict(), replay.state_dict(), rng.bit_generator.state
    go(straight, replay, rng, 4)
    resumed, other, again = start()
    resumed.load_state_dict(saved[0])
    other.load_state_dict(saved[1])
    again.bit_generator.state = saved[2]
    go(resumed, other, again, 4)
    for x, y in zip(weights(straight), weights(resumed), strict=True):
        np.testing.assert_array_equal(x, y)
    ends = straight.state_dict(), resumed.state_dict()
    assert ends[0]["rng"] == ends[1]["rng"]
    for a, b in zip(*(end["critics"]["slow"].values() for end in ends), strict=True):
        np.testing.assert_array_equal(a, b)


def rewarded(
    action: str, rng: np.random.Generator, size: int, sac: SAC, kind: str = "vector"
) -> Batch:
    """One step that ends: what would be shown is right, everything is tried by chance."""
    spec = toy_spec(kind, action)
    rows = toy_demos(kind, action, size, 1, rng).rows()
    right = rows.action.at(rows.acted)
    branches = [rng.integers(0, k, size) for k in spec.action.branches]
    tried = Action(
        rng.uniform(-1, 1, right.continuous.shape).astype(F32) * sac.dist.scale,
        np.stack(branches, -1) if branches else right.discrete,
    )
    reward = worth(tried, right)
    return Batch(
        obs={n: np.stack([x[rows.acted], x[~rows.acted]]) for n, x in rows.obs.items()},
        code=sac.dist.encode(tried)[None],
        acted=np.stack([np.ones(size, F32), np.zeros(size, F32)]),
        fresh=np.zeros((2, size), bool),
        reward=reward[None],
        terminated=np.ones((1, size), bool),
        shown=np.zeros(size, F32),
    )


def worth(done: Action, right: Action):
    """1 for what is right, less for every number that is off and every choice that is wrong."""
    off = np.abs(done.continuous - np.clip(right.continuous, -1, 1)).sum(-1)
    wrong = (done.discrete != right.discrete).sum(-1)
    return (1 - 0.5 * off - 0.5 * wrong).astype(F32)


@pytest.mark.parametrize("action", ["continuous", "discrete", "multi-discrete", "hybrid"])
def test_it_learns_what_pays(action):
    net = CriticConfig(hidden=(64,))
    sac = made(action, critic=net, learning_rate=5e-3, temperature=0.1, choice_entropy=0.05)
    rng = np.random.default_rng(1)
    for _ in range(300):
        sac.update(rewarded(action, rng, 128, sac), 0.0)
    rows = toy_demos("vector", action, 300, 1, rng).rows()
    obs = {name: x[rows.acted][None] for name, x in rows.obs.items()}
    head, _ = sac.model.policy(obs, {}, np.zeros((1, 300), bool))
    done, right = sac.dist.mode(head.array[0]), rows.action.at(rows.acted)
    assert worth(done, right).mean() > 0.85


@pytest.mark.parametrize("kind", [pytest.param("image", marks=pytest.mark.slow), "entities"])
def test_it_learns_what_pays_from_whatever_is_seen(kind):
    sac = made("discrete", kind=kind, critic=CriticConfig(hidden=(32,)), learning_rate=5e-3)
    rng = np.random.default_rng(1)
    for _ in range(200):
        sac.update(rewarded("discrete", rng, 64, sac, kind), 0.0)
    rows = toy_demos(kind, "discrete", 300, 1, rng).rows()
    obs = {name: x[rows.acted][None] for name, x in rows.obs.items()}
    head, _ = sac.model.policy(obs, {}, np.zeros((1, 300), bool))
    right = rows.action.at(rows.acted).discrete
    assert (sac.dist.mode(head.array[0]).discrete == right).mean() > 0.8


@pytest.mark.parametrize("kind", ["vector", pytest.param("image", marks=pytest.mark.slow)])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_it_learns_what_must_be_remembered(kind, cell):
    """What pays is shown in an episode's first row alone; everything is tried by chance."""
    rng = np.random.default_rng(1)
    demos = toy_demos(kind, "discrete", 400, 6, rng, memory_task=True)
    for episode in demos:
        right = episode.action.discrete.copy()
        episode.action.discrete[:] = rng.integers(0, 3, right.shape)
        assert episode.reward is not None
        episode.reward[:] = (episode.action.discrete == right)[:, 0]
    sac = made(
        "discrete",
        kind=kind,
        net={"memory": 24, "cell": cell},
        critic=CriticConfig(hidden=(24,)),
        learning_rate=2e-3,
        temperature=0.1,
        choice_entropy=0.05,
    )
    replay = replay_of(demos)
    for _ in range(900):
        sac.update(replay.sample(sac.model, rng, 24, 6, burn_in=6), 0.0)
    shown = toy_demos(kind, "discrete", 100, 6, rng, memory_task=True).rows()
    obs = {name: x[:, None] for name, x in shown.obs.items()}
    state, fresh = start_state(sac.model, 1), shown.fresh[:, None]
    head, _, _ = sac.model.look(obs, state, fresh)
    done = sac.dist.mode(head[:, 0]).discrete
    later = shown.acted & ~shown.fresh
    assert (done == shown.action.discrete)[later].mean() > 0.8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model, critics: ({}, SACConfig()), "nothing to seek"),
        (lambda model, critics: (None, SACConfig(pessimism=3)), "pessimism=3 of 2"),
    ],
)
def test_what_cannot_learn_is_refused(change, words):
    sac = made()
    signals, config = change(sac.model, sac.critics)
    signals = sac.signals if signals is None else signals
    with pytest.raises(ValueError, match=words):
        SAC(sac.model, sac.critics, signals, {}, config, sac.rng)


def test_a_fixed_temperature_stays_and_a_learned_one_moves():
    learned, fixed = made(temperature=0.3), made(temperature=0.3, heat="fixed")
    for sac in (learned, fixed):
        sac.update(draw(sac, batches()), 0.0)
    np.testing.assert_allclose(np.exp(fixed.log_alpha.array), 0.3, rtol=1e-6)
    assert (np.exp(learned.log_alpha.array) != np.exp(fixed.log_alpha.array)).all()


def test_targets_are_no_larger_than_their_limit():
    sac: Any = made("continuous", value_limit=5.0)
    sac.critics = critics = Constant(sac, 0.0, 10.0)
    batch = draw(sac, batches("continuous"))
    batch.reward[:], batch.terminated[:], batch.acted[:] = 1, False, 1
    batch.reward[:, :4] = -99
    batch.terminated[:, 8:] = True
    head, _ = sac.model.policy(batch.obs, batch.state, batch.fresh)
    after = sac.dist.draw(head.array[1:], np.zeros((1, 16, 2), F32))
    sac.critic_loss(batch, batch.known, after, np.array([0, 1]), np.zeros(1, F32)).backward()
    target = -16 * critics.pulled[0][0, 0, :, 0, 0]
    np.testing.assert_allclose(target, [-5] * 4 + [5] * 4 + [1] * 8, rtol=1e-5)
