"""A person who takes over from a policy, by lists of events."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from listed import Listed, down, tap, up
from understudy.data.episode import ActedBy
from understudy.envs.env import one
from understudy.errors import ConfigError, EnvError
from understudy.human.door import is_person, person_in, seen_env
from understudy.human.hands import Event
from understudy.human.taking_over import TakingOver
from understudy.interactive import DAgger, asking_env, expert_of
from understudy.run.dagger import DAggerConfig
from understudy.run.gates import GateConfig


@pytest.fixture
def env():
    world = seen_env("CartPole-v1", 1)
    yield world
    world.close()


def watch(env, *waits):
    """What a person says in every step, None where nothing."""
    shell = Listed(*waits)
    person = person_in(env, shell=lambda title: shell)
    obs, said = one(env.reset(0)).obs, []
    fresh = np.array([True])
    while shell.left:
        action, _ = person.act(obs, person.start(1), fresh)
        said.append(int(action.discrete[0, 0]) if person.spoke[0] else None)
        fresh = np.array([False])
    return said, shell


def test_whoever_holds_a_key_acts_and_nobody_else(env):
    said, shell = watch(env, [], [down("right")], [], [up("right")], tap("left"), [])
    assert said == [None, 1, 1, None, 0, None]
    assert shell.shown[0] == "the policy acts"
    assert shell.shown[2] == "you act"
    assert shell.pictures[0].shape == (400, 600, 3)
    # CartPole is watched at 50 pictures a second.
    assert shell.waited[0] == 1 / 50


def test_a_hand_may_stay_on_the_wheel_without_a_key(env):
    said, _ = watch(env, tap("right"), tap("return"), [], tap("return"), [])
    # The last choice is kept.
    assert said == [1, 1, 1, None, None]


def test_time_stands_still_while_it_is_paused(env):
    said, shell = watch(env, tap("space"), tap("x"), [*tap("space"), down("left")], tap("tab"), [])
    assert said == [0, 0, 0]
    assert shell.waited == [0.02, None, None, 0.02, 0.08]


def test_quitting_is_what_an_interruption_is(env):
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append("stop"))
    try:
        said, _ = watch(env, [down("left")], [Event("closed")])
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == ["stop"]
    assert said == [0, None]


def test_a_person_watches_one_environment(env):
    with pytest.raises(ConfigError, match="slots=1"):
        seen_env("CartPole-v1", 2)
    person = person_in(env, shell=lambda title: Listed())
    with pytest.raises(EnvError, match="slots=1"):
        person.start(3)


def test_what_means_a_person():
    assert is_person("human")
    assert is_person("human:keys.yaml")
    assert not is_person("humans:f")
    assert not is_person(len)


def test_a_person_may_bring_keys(env, tmp_path):
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys: {x: branch 0 = 1}\n")
    shell = Listed([down("x")])
    person = person_in(env, f"human:{keys}", shell=lambda title: shell)
    action, _ = person.act(one(env.reset(0)).obs, {}, np.array([True]))
    assert action.discrete.tolist() == [[1]]
    assert person.spoke.tolist() == [True]


def test_dagger_learns_from_what_a_person_did_and_from_nothing_else(monkeypatch):
    """The policy acts, a person takes over for a while, and only that is labeled."""
    rounds = [[], [], [], [down("right")], *[[]] * 8, [up("right"), down("left")], *[[]] * 8]
    shell = Listed(*rounds, *[[up("left")]], *[[]] * 400)
    monkeypatch.setattr("understudy.human.door.open_shell", lambda title: shell)
    config = DAggerConfig(
        env="CartPole-v1",
        expert="human",
        rounds=1,
        labels=15,
        beta=(0.0,),
        updates=20,
        most_steps=200,
        trials=0,
        gate=GateConfig(kind="takeover"),
    )
    world = asking_env("CartPole-v1", config)
    person = person_in(world, shell=lambda title: shell)
    agent = DAgger(world, person, config=config).learn()
    episodes = list(agent.labels())
    acted = np.concatenate([e.acted_by for e in episodes])
    done = np.concatenate([e.action.discrete[:, 0] for e in episodes])
    human = acted == ActedBy.HUMAN
    assert human.sum() == 15
    assert done[human].tolist() == [1] * 9 + [0] * 6
    assert set(acted[~human]) == {ActedBy.UNLABELED}
    assert acted[:3].tolist() == [ActedBy.UNLABELED] * 3
    world.close()


def test_the_word_of_a_person_is_an_expert(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("DISPLAY", ":77")
    pytest.importorskip("pygame")
    world = asking_env("CartPole-v1", DAggerConfig(env="CartPole-v1", expert="human"))
    person = expert_of("human", world)
    assert person.acted_by is ActedBy.HUMAN
    world.reset(0)
    assert world.render() is not None
    assert isinstance(person, TakingOver)
    person.close()
    world.close()
