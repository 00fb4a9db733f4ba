"""One door to every environment: what it opens, and that nobody can tell who keeps the slots."""

from __future__ import annotations

from contextlib import closing
from multiprocessing import active_children
from typing import Any, cast

import gymnasium
import pytest

from strange import Count, Drifting, Slow, small_pool
from understudy.envs import opening
from understudy.envs.actors import random_actor
from understudy.envs.check import check_env
from understudy.envs.gym import GymEnv
from understudy.envs.opening import open_env, planned
from understudy.envs.pool import PoolEnv
from understudy.envs.vector import VectorGym
from understudy.errors import EnvError


def lived(env, steps=40):
    actor, said = random_actor(env.behaviors["agent"]), []
    moment = env.reset(11)["agent"]
    for _ in range(steps):
        said.append((moment.obs["obs"].tolist(), moment.reward.tolist(), moment.ended.tolist()))
        action, _ = actor.act(moment.obs, {}, moment.fresh)
        moment = env.step({"agent": action})["agent"]
    return said


@pytest.mark.parametrize("source", [Count, "CartPole-v1", "strange:Strange/Count-v0"])
def test_who_keeps_the_slots_changes_no_episode(source):
    with closing(open_env(source, 3, workers=0)) as env:
        expected = lived(env)
    for workers in ("auto", 1, 2, 3):
        with closing(open_env(source, 3, workers=workers)) as env:
            assert lived(env) == expected, workers


class Counted(Count):
    made = 0

    def __init__(self, **kwargs: Any) -> None:
        type(self).made += 1
        super().__init__(**kwargs)


def test_one_slot_costs_no_measuring():
    Counted.made = 0
    env = open_env(Counted)
    assert type(env) is GymEnv
    assert Counted.made == 1
    assert planned(Counted, 1).step_seconds is None
    assert Counted.made == 1


def cost(monkeypatch, seconds, cores=2):
    monkeypatch.setattr(opening, "_step_seconds", lambda env, *_: seconds)
    monkeypatch.setattr(opening, "_cores", lambda: cores)


# With two workers a round of 8 slots takes 4 c + 0.3 ms, here 8 c: 1.25 times as much from
# 8 c = 5 c + 0.375 ms on, which is c = 125 us.
@pytest.mark.parametrize(
    ("microseconds", "slots", "cores", "workers"),
    [
        (10, 8, 2, 0),
        (124, 8, 2, 0),
        (126, 8, 2, 2),
        (1000, 8, 2, 2),
        (1000, 8, 16, 8),
        (1000, 8, 1, 0),
        (1000, 2, 2, 2),
        (1000, 1, 2, 0),
        # Three slots in two shares take two steps: 3 c over 2 c + 0.3 ms is 1.25 at c = 0.75 ms.
        (749, 3, 2, 0),
        (751, 3, 2, 2),
    ],
)
def test_workers_are_planned_where_a_step_is_dear(monkeypatch, microseconds, slots, cores, workers):
    cost(monkeypatch, microseconds * 1e-6, cores)
    plan = planned(Count, slots)
    assert plan.workers == workers
    assert plan.why


# 8 c = 8 ms here and 4.3 ms there: over n rounds 8 n ms against 4.3 n ms and a second, 1.25 times
# as much from 8 n = 5.375 n + 1250 on, which is n = 476.2.
@pytest.mark.parametrize(("steps", "workers"), [(476 * 8, 0), (477 * 8, 2), (1, 0), (None, 2)])
def test_few_steps_are_not_worth_starting_workers(monkeypatch, steps, workers):
    cost(monkeypatch, 1e-3)
    assert planned(Count, 8, steps=steps).workers == workers


def test_a_dear_step_is_measured_as_one():
    plan = planned(Slow, 4)
    assert plan.step_seconds is not None
    assert plan.step_seconds >= 1e-3


def test_what_only_this_process_can_make_is_kept_here(monkeypatch):
    cost(monkeypatch, 1.0)
    plan = planned(lambda: Count(), 8)
    assert plan.workers == 0
    assert "cannot be sent to a worker process" in plan.why


def test_workers_that_are_planned_are_kept_only_if_they_are_faster(monkeypatch):
    cost(monkeypatch, 1.0)
    before = set(active_children())
    monkeypatch.setattr(opening, "_tried", lambda pool: 7.9)
    with closing(open_env(Count, 8)) as env:
        assert isinstance(env, PoolEnv)
        assert len(env.shares) == 2
    monkeypatch.setattr(opening, "_tried", lambda pool: 8.1)
    assert type(open_env(Count, 8)) is GymEnv
    assert set(active_children()) <= before


def test_what_exists_is_taken_as_it_is():
    ours = GymEnv(Count, 2)
    assert open_env(ours) is ours
    assert open_env(ours, 2) is ours
    vec = gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="sync")
    assert open_env(vec, 4).slots == {"agent": 4}
    assert type(open_env(small_pool(3))) is VectorGym
    assert type(open_env(Count())) is GymEnv


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: open_env(GymEnv(Count, 2), 3), "exists already with 2 slots, 3 were asked for"),
        (lambda: open_env(small_pool(3), 5), "exists already with 3 slots"),
        (lambda: open_env(small_pool(3), workers=2), "workers=2 cannot keep its slots"),
        (lambda: open_env(Count, 2, workers=3), "expected 1 to 2"),
        (
            lambda: open_env(Count, 2, workers=cast("Any", "none")),
            "'none': expected a whole number",
        ),
        (lambda: open_env("Cart-v1", 4), "Did you mean: `CartPole`"),
        (lambda: open_env("Cart-v1", 4, workers=2), "Did you mean: `CartPole`"),
        (lambda: open_env("Pendulum-v1", 4, workers="native"), "without a vectorized form"),
        (lambda: open_env(Count, 4, workers="native"), "expected an id"),
    ],
)
def test_what_cannot_be_opened_is_refused(ask: Any, words):
    with pytest.raises(EnvError, match=words):
        ask()


def test_a_native_form_keeps_the_time_limit_that_is_registered():
    env = open_env("CartPole-v1", 8, workers="native")
    assert type(env) is VectorGym
    assert env.env_id == "CartPole-v1"
    assert check_env(env) == []
    limited = open_env("CartPole-v1", 8, workers="native", make_kwargs={"max_episode_steps": 6})
    said = lived(limited, 7)
    assert all(said[6][2])


def test_an_environment_without_seeds_is_found_out_whoever_keeps_its_slots():
    for workers in (0, 2):
        problems = check_env(open_env(Drifting, 2, workers=workers), steps=20)
        assert any("not determined by the seed" in problem for problem in problems)
