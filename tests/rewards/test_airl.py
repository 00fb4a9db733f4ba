"""A reward behind demonstrations, learned by telling them apart."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from batches import in_order
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError
from understudy.nets.discriminator import DiscriminatorConfig
from understudy.nets.model import NetConfig, make_model, start_state
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct
from understudy.rewards.airl import AIRL, AIRLConfig, Windows, log_prob
from understudy.rewards.steps import lived, shown
from understudy.run.mixed import side_by_side
from worlds import ACTION_KINDS, episode_of, toy_demos

F32 = np.float32
SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(2,))}, action=ActionSpec(branches=(2,)))
NET = DiscriminatorConfig(sees="states", hidden=(16,))


def demos_at(x, y, choice=1, episodes=4, steps=10, seed=0, end=End.TERMINATED):
    rng = np.random.default_rng(seed)
    places = np.array([x, y]) + 0.1 * rng.standard_normal((episodes, steps + 1, 2))
    done = np.full(steps, choice)
    return Demos(SPEC, [episode_of(SPEC, seen, discrete=done, end=end) for seen in places])


def model_of(spec=SPEC, memory=0, dist=Product, seed=0):
    net = NetConfig(hidden=(8,), memory=memory, normalize=False)
    return make_model(spec, dist(spec.action), net, np.random.default_rng(seed))


def airl(demos, model=None, *, soft=False, net=NET, seed=0, **changes):
    config = AIRLConfig(net=net, learning_rate=1e-2, **changes)
    model = model or model_of(demos.spec)
    return AIRL(model, demos, config, np.random.default_rng(seed), soft=soft)


def batch_of(demos, model):
    return in_order(demos, model.dist, model.place(start_state(model, 1)))


def test_f_is_the_reward_and_a_difference_of_potentials():
    demos = demos_at(0, 0)
    signal = airl(demos, discount=0.9)
    steps = shown(demos, signal.model.dist)
    g, h = signal.reward_net, signal.shaping_net
    here = g(g.see(*steps[:3])).array
    worth, then = (h(h.see(obs, steps.code, obs)).array for obs in (steps.obs, steps.after))
    # The task is over after every tenth step, where the potential is 0.
    goes_on = np.arange(1, 41)[:, None] % 10 != 0
    assert signal.f(steps).array == pytest.approx(here + 0.9 * goes_on * then - worth, abs=1e-6)


def test_what_is_earned_is_the_logit_less_how_likely_it_was():
    demos = demos_at(0, 0, end=End.TRUNCATED)
    signal = airl(demos, offset="none", scale=0.5, limit=0.8)
    batch = batch_of(demos, signal.model)
    f = signal.f(lived(batch)).array[..., 0]
    logit = f - log_prob(signal.model, batch)
    acted = batch.acted[:-1]
    assert signal.reward(batch) == pytest.approx(0.5 * logit.clip(-0.8, 0.8) * acted, abs=1e-6)
    soft = airl(demos, offset="none", scale=0.5, limit=0.8, soft=True)
    assert soft.reward(batch) == pytest.approx(0.5 * f.clip(-0.8, 0.8) * acted, abs=1e-6)


def test_who_never_saw_an_end_pays_for_one():
    demos = demos_at(0, 0, end=End.TRUNCATED)
    signal = airl(demos, limit=3, updates=1)
    batch = batch_of(demos_at(0, 0), signal.model)
    before = signal.reward(batch)
    assert signal.alive
    signal.alive.hear(40, 4)
    assert signal.offset == 3
    assert signal.reward(batch) - before == pytest.approx(0.3 * batch.acted[:-1], abs=1e-6)


def test_the_penalty_is_on_the_gradient_of_f():
    demos = demos_at(0, 0)
    signal = airl(demos, discount=0.9)
    steps = shown(demos, signal.model.dist)
    # Of a step and itself every mix is that step.
    slope = signal._slope(steps, steps).array
    near = {"obs": np.array([[0, 0], [0.01, 0.01]], F32)}
    deviations = signal.shaping_net.see(near, np.zeros((2, 2), F32), near)
    scale = 100 * (deviations[1] - deviations[0])
    eps = F32(1e-2)
    for name, first in (("obs", 0), ("after", 2)):
        for column in range(2):
            moved = []
            for sign in (1, -1):
                tree = {"obs": getattr(steps, name)["obs"].copy()}
                tree["obs"][:, column] += sign * eps / scale[column]
                moved.append(signal.f(steps._replace(**{name: tree})).array[:, 0])
            numeric = (moved[0] - moved[1]) / (2 * eps)
            # A rectifier may have its corner between the two; few rows are there.
            assert np.median(np.abs(slope[:, first + column] - numeric)) < 1e-3


def test_the_gradient_is_that_of_telling_apart_and_of_the_penalty():
    demos = demos_at(0, 0)
    signal = airl(demos, net=replace(NET, activation="tanh"), discount=0.9)
    steps = shown(demos, signal.model.dist)
    rng = signal.rng.bit_generator.state
    u = np.random.default_rng(1).standard_normal((steps.rows, 4)).astype(F32)
    v = np.random.default_rng(2).standard_normal((steps.rows, 1)).astype(F32)

    def value():
        signal.rng.bit_generator.state = rng
        slope = signal._slope(steps, steps).array.astype(np.float64)
        return float((u * slope).sum() + (v * signal.f(steps).array).sum())

    signal.rng.bit_generator.state = rng
    signal._slope(steps, steps).pull(u)
    signal.f(steps).pull(v)
    for net in (signal.reward_net, signal.shaping_net):
        for k in (0, 5, 33, 50):
            slope, kept, found = net.flat.grad[k], net.flat.value[k], []
            for step in (1e-2, -1e-2):
                net.flat.value[k] = kept + step
                found.append(value())
            net.flat.value[k] = kept
            assert slope == pytest.approx((found[0] - found[1]) / 2e-2, rel=2e-2, abs=2e-2)


def test_states_that_were_shown_become_worth_more():
    signal = airl(demos_at(1, 0), offset="none")
    away, alike = (batch_of(demos_at(x, 0, seed=1), signal.model) for x in (-1, 1))
    for _ in range(100):
        figures = signal.update(away)
    assert signal.reward(alike).mean() > 0 > signal.reward(away).mean()
    assert float(figures["accuracy/shown"]) == float(figures["accuracy/lived"]) == 1
    assert float(figures["logit/shown"]) > 0 > float(figures["logit/lived"])


def test_a_policy_that_does_what_was_shown_earns_the_same_wherever_it_is():
    # Where both do the same in the same places nothing can be told: f becomes log pi.
    demos = demos_at(0, 0, choice=1, episodes=20)
    model = model_of()
    net = replace(NET, sees="actions")
    signal = airl(demos, model, offset="none", net=net, penalty=0, mixed=0)
    both = Demos(SPEC, [*demos_at(0, 0, 0, 20, seed=1), *demos_at(0, 0, 1, 20, seed=2)])
    batch = batch_of(both, model)  # by a policy that chooses by a coin
    for _ in range(300):
        signal.update(batch)
    found = signal.reward(batch)[batch.acted[:-1] > 0]
    choice = batch.code[batch.acted[:-1] > 0][:, 1] > 0
    # At the optimum exp(f) is how likely the demonstrator does it: log(1 / 0.5) for the right one.
    assert found[choice].mean() == pytest.approx(0.1 * math.log(2), abs=0.03)
    assert found[~choice].mean() < -0.15


def test_windows_hold_every_usable_row_once_behind_rows_that_warm_a_memory():
    lengths = [5, 1, 8]
    demos = Demos(
        SPEC, [episode_of(SPEC, np.zeros((n + 1, 2)), discrete=np.zeros(n, int)) for n in lengths]
    )
    w = Windows.of(demos, 4, 3)
    assert w.number.shape == (7, 2 + 1 + 2)
    rows = demos.rows()
    assert np.sort(w.number[w.counted]).tolist() == np.flatnonzero(rows.acted).tolist()
    assert not w.counted[:3].any()
    for column in range(5):
        counted = w.number[w.counted[:, column], column]
        assert (np.diff(counted) == 1).all()
        assert len(set(rows.episode[counted])) == 1
        # The second window of an episode is warmed by the rows before it in the same one.
        if not rows.fresh[counted[0]]:
            warm = w.number[:3, column]
            assert warm.tolist() == list(range(counted[0] - 3, counted[0]))
    plain = Windows.of(demos, 1, 0)
    assert plain.counted.all()
    assert plain.number.ravel().tolist() == np.flatnonzero(rows.acted).tolist()


def test_shown_rows_are_judged_by_a_policy_that_remembers_them():
    demos = demos_at(0, 0, episodes=3, steps=6)
    model = model_of(memory=4)
    model.flat.value += 0.3 * np.random.default_rng(5).standard_normal(len(model.flat.value), F32)
    whole = batch_of(demos, model)
    acted = whole.acted[:-1] > 0
    expected = {
        tuple(seen): p
        for seen, p in zip(
            whole.obs["obs"][:-1][acted].tolist(), log_prob(model, whole)[acted], strict=True
        )
    }
    signal = airl(demos, model, length=6)
    steps, found = signal._drawn(100)
    assert steps.rows == len(found) >= 90
    for seen, p in zip(steps.obs["obs"].tolist(), found, strict=True):
        assert p == pytest.approx(expected[tuple(seen)], abs=1e-5)


@pytest.mark.parametrize("dist", [Product, SoftProduct])
def test_what_is_done_at_a_bound_is_not_infinitely_unlikely(dist):
    spec = Spec(obs=SPEC.obs, action=ActionSpec(continuous=1, low=(-2,), high=(2,)))
    seen = np.random.default_rng(0).standard_normal((11, 2))
    done = np.full(10, 2.0)
    demos = Demos(spec, [episode_of(spec, seen, continuous=done, end=End.TERMINATED)])
    model = model_of(spec, dist=dist)
    signal = airl(demos, model)
    batch = batch_of(demos, model)
    assert np.isfinite(log_prob(model, batch)).all()
    signal.update(batch)
    assert np.isfinite(signal.reward(batch)).all()
    assert np.isfinite(signal.reward_net.flat.value).all()


def test_demonstrations_in_a_batch_are_not_taken_for_the_policys_own():
    demos = demos_at(1, 0)
    one, other = airl(demos), airl(demos)
    own = batch_of(demos_at(-1, 0, seed=1), one.model)
    theirs = batch_of(demos_at(1, 0, seed=1), one.model)
    mixed = side_by_side([own, theirs])
    mixed.shown = np.array([0, 1], F32)
    one.update(own)
    other.update(mixed)
    assert (one.reward_net.flat.value == other.reward_net.flat.value).all()
    assert one.offset == other.offset
    assert (other.reward(mixed)[:, 1] != 0).any(), "but they are rewarded"
    assert one.update(replace(theirs, shown=np.ones(1, F32))) == {}


def test_it_goes_on_where_it_was():
    demos = demos_at(1, 0)
    one, other = airl(demos, batch_size=8), airl(demos, batch_size=8, seed=3)
    batch = batch_of(demos_at(-1, 0), one.model)
    one.update(batch)
    other.load_state_dict(one.state_dict())
    for signal in (one, other):
        signal.update(batch)
    assert (one.reward(batch) == other.reward(batch)).all()
    assert one.state_dict()["alive"] == other.state_dict()["alive"]


@pytest.mark.parametrize("dist", [Product, SoftProduct])
@pytest.mark.parametrize("action", ACTION_KINDS)
def test_every_kind_of_action_is_judged(action, dist):
    demos = toy_demos("vector", action, 4, 8, np.random.default_rng(0))
    model = model_of(demos.spec, dist=dist)
    for net in (NET, replace(NET, sees="actions")):
        signal = airl(demos, model, net=net)
        batch = batch_of(demos, model)
        signal.update(batch)
        assert np.isfinite(signal.reward(batch)).all()


def test_pairs_are_no_business_of_the_reward():
    with pytest.raises(ValueError, match="business of the shaping"):
        AIRLConfig(net=DiscriminatorConfig(sees="pairs"))


def test_demonstrations_of_something_else_are_refused():
    other = toy_demos("vector", "discrete", 2, 4, np.random.default_rng(0))
    with pytest.raises(DemoError, match="do not fit the environment"):
        airl(other, model_of())
