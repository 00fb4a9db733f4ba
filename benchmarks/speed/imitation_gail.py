"""GAIL and AIRL of the library `imitation` on CartPole; `gail.py` runs it where that is installed.

python imitation_gail.py METHOD STEPS SEED DEMOS.npz
"""

from __future__ import annotations

import json
import sys
import time

import gymnasium as gym
import numpy as np
import torch
from imitation.algorithms.adversarial.airl import AIRL
from imitation.algorithms.adversarial.gail import GAIL
from imitation.data.types import Transitions
from imitation.rewards.reward_nets import BasicRewardNet, BasicShapedRewardNet
from imitation.util.networks import RunningNorm
from imitation.util.util import make_vec_env
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy

torch.set_num_threads(1)
method, steps, seed, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
with np.load(path) as file:
    shown = {name: file[name] for name in file.files}
demos = Transitions(
    obs=shown["obs"],
    acts=shown["acts"],
    infos=np.array([{}] * len(shown["acts"])),
    next_obs=shown["next_obs"],
    dones=shown["dones"],
)
venv = make_vec_env("CartPole-v1", rng=np.random.default_rng(seed), n_envs=8)
learner = PPO(
    "MlpPolicy",
    venv,
    n_steps=128,
    batch_size=256,
    n_epochs=10,
    learning_rate=1e-3,
    gamma=0.98,
    gae_lambda=0.9,
    ent_coef=1e-3,
    seed=seed,
    device="cpu",
)
kind, net = (GAIL, BasicRewardNet) if method == "gail" else (AIRL, BasicShapedRewardNet)
reward = net(venv.observation_space, venv.action_space, normalize_input_layer=RunningNorm)
trainer = kind(
    demonstrations=demos,
    demo_batch_size=min(256, len(demos)),
    gen_replay_buffer_capacity=1024,
    n_disc_updates_per_round=8,
    venv=venv,
    gen_algo=learner,
    reward_net=reward,
    allow_variable_horizon=True,
)
begun, clock = time.process_time(), time.perf_counter()
trainer.train(steps)
cpu, wall = time.process_time() - begun, time.perf_counter() - clock
env = gym.make("CartPole-v1")
returns, _ = evaluate_policy(learner, env, 20, return_episode_rewards=True, warn=False)
print(json.dumps({"steps": steps, "cpu_seconds": cpu, "seconds": wall, "returns": list(returns)}))
