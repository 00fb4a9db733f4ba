"""All example environments: their contract, their experts, their pictures."""

import subprocess
import sys
from importlib import import_module

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_as_gymnasium_does

from understudy.data.spaces import spec_of
from understudy.envs.actors import RandomActor
from understudy.envs.check import check_env
from understudy.envs.gym import GymEnv
from understudy.errors import EnvError
from understudy.worlds.experts import scripted

MODULE = "understudy.worlds.tasks"
import_module(MODULE)
SPECS = {
    "HiddenCartPole-v0": "sees obs vector 2; does choices 2",
    "Grid-v0": "sees obs image 28x28x3 uint8; does choices 4",
    "Dials-v0": "sees obs vector 36 uint8; does choices 3 x 3 x 3",
    "Pick-v0": "sees obs vector 7; does 2 continuous and choices 3",
    "Presence-v0": "sees obs entities 6x3; does choices 2",
}
worlds = pytest.mark.parametrize("name", SPECS)


def opened(name, slots=1, **options):
    return GymEnv(f"{MODULE}:{name}", slots, **options)


def expert_of(env):
    return scripted(env.env_id, env.behaviors["agent"])


def returns(env, actor, seed=1):
    """The first episode of every slot."""
    moment, slots = env.reset(seed)["agent"], env.slots["agent"]
    state, total, running = actor.start(slots), np.zeros(slots), np.ones(slots, bool)
    while running.any():
        action, state = actor.act(moment.obs, state, moment.fresh)
        moment = env.step({"agent": action})["agent"]
        total += moment.reward * running
        running &= ~moment.ended
    env.close()
    return total


@worlds
def test_keeps_our_contract_and_is_determined_by_its_seed(name):
    assert check_env(opened(name, 3), steps=200) == []


@worlds
def test_keeps_the_contract_of_gymnasium(name):
    check_as_gymnasium_does(gymnasium.make(f"{MODULE}:{name}", render_mode="rgb_array").unwrapped)


@worlds
def test_another_seed_is_another_episode(name):
    env = gymnasium.make(f"{MODULE}:{name}")
    first, _ = env.reset(seed=1)
    second, _ = env.reset(seed=2)
    assert len(first) != len(second) or not np.array_equal(first, second)


@worlds
def test_sees_and_does_what_it_was_written_to_show(name):
    assert opened(name, max_entities=6).behaviors["agent"].describe() == SPECS[name]


@worlds
def test_expert_reaches_the_threshold_and_chance_does_not(name):
    threshold = gymnasium.spec(name).reward_threshold
    assert threshold is not None
    env = opened(name, 100)
    assert returns(env, expert_of(env)).mean() > threshold
    env = opened(name, 100)
    assert returns(env, RandomActor(env.behaviors["agent"])).mean() < 0.6 * threshold


@worlds
def test_module_before_the_id_does_not_matter_to_the_expert(name):
    env = opened(name)
    assert type(expert_of(env)) is type(scripted(f"{MODULE}:{name}", env.behaviors["agent"]))


@worlds
def test_expert_refuses_what_it_was_not_written_for(name):
    other = spec_of(gymnasium.spaces.Box(-1, 1, (4,)), gymnasium.spaces.Discrete(2))
    with pytest.raises(EnvError, match=r"is it wrapped\?"):
        scripted(name, other)


@worlds
def test_a_picture_shows_how_things_stand(name):
    env = opened(name, render_mode="rgb_array")
    actor, moment = expert_of(env), env.reset(0)["agent"]
    state, first, again = actor.start(1), env.render(), env.render()
    assert first is not None
    assert again is not None
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    for _ in range(2):
        action, state = actor.act(moment.obs, state, moment.fresh)
        moment = env.step({"agent": action})["agent"]
    later = env.render()
    assert later is not None
    assert not np.array_equal(first, later)


def test_experts_are_found_without_loading_gymnasium():
    code = "import understudy.worlds.experts, sys; assert 'gymnasium' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
