"""What was learned from demonstrations, in a world that has changed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from understudy.data.tabular import TabularActor
from understudy.nets.discriminator import Teller
from understudy.ops.soft_values import soft_values
from understudy.presets import BC, ActingAgent, acting_env, evaluate, record, settings_for
from understudy.rewards.airl import AIRL, AIRLConfig
from understudy.rewards.gail import GAIL, GAILConfig
from understudy.rewards.recovered import Recovered, RecoveredConfig
from understudy.run.on_policy import OnPolicyConfig, on_policy
from understudy.run.sought import SignalConfig
from understudy.worlds.grid_world import GridWorld

SHOWN = "SSGSS", "SSSSS", "####S", "SSSSS", "SSSSS"
CHANGED = "SSGSS", "SSSSS", "S####", "SSSSS", "SSSSS"
BEHIND = "..G..", ".....", ".####", "SSSSS", "SSSSS"
"""The gap is at the other end; whoever starts before the wall has to find it."""


def world(rows):
    return GridWorld(rows, {".": -1.0, "G": 1.0}, ends="", slip=0, discount=0.95, horizon_steps=30)


def demos():
    known = world(SHOWN)
    mdp = replace(known.mdp, horizon_steps=None)
    expert = TabularActor(soft_values(mdp, 2 * known.reward).policy)
    return record(partial(world, SHOWN), expert, episodes=50)


class Taught(ActingAgent):
    method = "airl"


def taught(signal: SignalConfig) -> Taught:
    agent = Taught(partial(world, SHOWN), demos(), steps=60_000, signals={"like": signal})
    return agent.learn()


def judged(actor, rows=BEHIND):
    found = evaluate(actor, partial(world, rows), episodes=60, deterministic=False)
    return found.returns.mean()


def again(net: Teller):
    """What a fresh agent brings that seeks in the changed world what a network rewards."""
    known = settings_for("airl", None)
    assert isinstance(known, OnPolicyConfig)
    learner = replace(known.learner, entropy=0.02)
    config = replace(known, method="ppo", signals={}, steps=40_000, learner=learner)
    signal = Recovered(net, RecoveredConfig(folder="", discount=0.95, scale=1))
    env = acting_env(partial(world, CHANGED), config)
    run = on_policy(env, config, lambda line: None, signals={"recovered": signal})
    run.learn()
    return judged(run.policy())


def test_a_recovered_reward_teaches_a_fresh_agent_what_to_do_there():
    # Who knows the changed world gets 14, or 17 if it always does what is best; chance gets -30.
    agent = taught(AIRLConfig(discount=0.95, updates=8, penalty=0, mixed=0))
    assert judged(agent, SHOWN) > 10
    assert judged(agent) < -25, "a copy walks to where the gap was"
    assert agent.run
    signal = agent.run.learner.signals["like"]
    assert isinstance(signal, AIRL)
    net, cells = signal.reward_net, np.eye(21, dtype=np.float32)
    worth = net(net.see({"obs": cells}, np.zeros((21, 4), np.float32), {})).array[:, 0]
    assert worth.argmax() == 2, "where the goal is"
    assert again(net) > 12


def test_what_a_discriminator_rewards_and_a_clone_are_of_no_use_there():
    assert judged(BC(partial(world, SHOWN), demos()).learn()) < -25
    config = GAILConfig(discount=0.95, updates=8, learning_rate=1e-3, penalty=0.05, mixed=0)
    agent = taught(config)
    assert judged(agent, SHOWN) > 10
    assert agent.run
    signal = agent.run.learner.signals["like"]
    assert isinstance(signal, GAIL)
    assert again(signal.net) < -20
