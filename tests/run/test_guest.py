"""Somebody else's actor: what goes wrong in it is one line."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.data.actor import Fixed
from understudy.envs.env import one
from understudy.envs.gym import GymEnv
from understudy.errors import EnvError
from understudy.run.guest import Guest
from understudy.run.saying import Saying


@pytest.fixture
def env():
    world = GymEnv("CartPole-v1", 2)
    yield world
    world.close()


def random_act(seen):
    raise AssertionError("nothing is there to see")


def act(actor, env):
    obs = one(env.reset(0)).obs
    return actor.act(obs, actor.start(2), np.ones(2, bool))[0]


def test_a_guest_does_what_the_actor_does(env):
    guest = Guest(Saying(lambda obs: 1, one(env.behaviors)), "mine:go")
    assert act(guest, env).discrete.tolist() == [[1], [1]]
    assert guest.proposed is None


def test_an_error_is_one_line_with_its_place(env):
    def fails(obs):
        raise RuntimeError("two\nlines")

    with pytest.raises(EnvError, match=r"^mine:fails: RuntimeError: two lines \(.*\.py:\d+\)$"):
        act(Guest(Saying(fails, one(env.behaviors)), "mine:fails"), env)
    with pytest.raises(EnvError, match="KeyError"):
        act(Guest(Fixed(lambda obs: random_act(obs["none"])), "mine:none"), env)


def test_what_is_no_action_and_what_is_nothing_is_refused(env):
    spec = one(env.behaviors)
    with pytest.raises(EnvError, match="its space does not hold"):
        act(Guest(Saying(lambda obs: 7, spec), "mine:seven"), env)
    with pytest.raises(EnvError, match="mine:mute returned None: a recording needs an action"):
        act(Guest(Saying(lambda obs: 1 if obs[0] > 0 else None, spec), "mine:mute"), env)
