from __future__ import annotations

import numpy as np
import pytest

from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.acting import ModelActor
from understudy.nets.check import random_obs
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product

ACTION = ActionSpec(continuous=1, branches=(4,))
SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(3,))}, action=ACTION)


def made(memory: int):
    config = NetConfig(hidden=(8,), memory=memory)
    model = make_model(SPEC, Product(ACTION), config, np.random.default_rng(0))
    model.flat.value += np.random.default_rng(1).standard_normal(len(model.flat.value)) * 0.3
    return model


@pytest.mark.parametrize("memory", [0, 4])
def test_without_chance_the_likeliest_action_is_taken(memory):
    model = made(memory)
    actor = ModelActor(model)
    obs = random_obs(SPEC, np.random.default_rng(2), 5, 3)
    fresh = np.zeros((5, 3), bool)
    head, _, _ = model.look(obs, actor.start(3), fresh)
    expected = model.dist.mode(head)
    state = actor.start(3)
    for t in range(5):
        action, state = actor.act({"obs": obs["obs"][t]}, state, fresh[t])
        np.testing.assert_allclose(action.continuous, expected.continuous[t], atol=1e-5)
        np.testing.assert_array_equal(action.discrete, expected.discrete[t])


@pytest.mark.parametrize("memory", [0, 4])
def test_slots_that_come_and_go_do_not_change_the_others(memory):
    actor = ModelActor(made(memory))
    obs = random_obs(SPEC, np.random.default_rng(2), 4)
    fresh = np.ones(4, bool)
    whole, _ = actor.act(obs, actor.start(4), fresh)
    for rows in ([0, 1, 2, 3], [2], [3, 0], []):
        part, state = actor.act({"obs": obs["obs"][rows]}, actor.start(len(rows)), fresh[rows])
        np.testing.assert_allclose(part.continuous, whole.continuous[rows], atol=1e-5)
        np.testing.assert_array_equal(part.discrete, whole.discrete[rows])
        assert all(len(x) == len(rows) for x in state.values())


def test_the_same_seed_draws_the_same_actions():
    obs, model = random_obs(SPEC, np.random.default_rng(2), 50), made(0)
    a, b = (ModelActor(model, np.random.default_rng(7)) for _ in range(2))
    first, second = (x.act(obs, {}, np.ones(50, bool))[0] for x in (a, b))
    np.testing.assert_array_equal(first.continuous, second.continuous)
    np.testing.assert_array_equal(first.discrete, second.discrete)
    again = a.act(obs, {}, np.ones(50, bool))[0]
    assert (again.continuous != first.continuous).all()


def test_an_action_is_its_own_and_outlives_the_next():
    actor = ModelActor(made(0))
    obs = random_obs(SPEC, np.random.default_rng(2), 2, 3)
    first, _ = actor.act({"obs": obs["obs"][0]}, {}, np.zeros(3, bool))
    kept = first.continuous.copy()
    actor.act({"obs": obs["obs"][1]}, {}, np.zeros(3, bool))
    np.testing.assert_array_equal(first.continuous, kept)


def test_what_is_drawn_ahead_is_used_row_by_row_and_then_dropped():
    obs, model = random_obs(SPEC, np.random.default_rng(2), 3), made(0)
    fresh = np.zeros(3, bool)
    actor = ModelActor(model, np.random.default_rng(7))
    rng = np.random.default_rng(7)
    head = model.actor(3)(obs, {}, fresh)[0].copy()
    actor.draw_ahead(4, 3)
    noise = model.dist.noise(rng, 4, 3)
    for row in noise[:2]:
        drawn, expected = actor.act(obs, {}, fresh)[0], model.dist.sample(head, row)
        np.testing.assert_array_equal(drawn.continuous, expected.continuous)
        np.testing.assert_array_equal(drawn.discrete, expected.discrete)
    # Two rows are left; a new rollout begins with new ones, and more slots draw for themselves.
    actor.draw_ahead(1, 3)
    (row,) = model.dist.noise(rng, 1, 3)
    drawn = actor.act(obs, {}, fresh)[0]
    np.testing.assert_array_equal(drawn.continuous, model.dist.sample(head, row).continuous)
    drawn = actor.act(obs, {}, fresh)[0]
    later = model.dist.sample(head, model.dist.noise(rng, 3))
    np.testing.assert_array_equal(drawn.continuous, later.continuous)


def test_fewer_slots_than_were_drawn_for_take_the_first_numbers():
    model = made(0)
    obs = random_obs(SPEC, np.random.default_rng(2), 2)
    actor = ModelActor(model, np.random.default_rng(7))
    actor.draw_ahead(1, 5)
    noise = model.dist.noise(np.random.default_rng(7), 1, 5)[0, :2]
    fresh = np.zeros(2, bool)
    drawn = actor.act(obs, {}, fresh)[0]
    expected = model.dist.sample(model.actor(2)(obs, {}, fresh)[0], noise)
    np.testing.assert_array_equal(drawn.continuous, expected.continuous)
