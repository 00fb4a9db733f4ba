"""Stable-Baselines3 on a row of `reinforce.py`, with the settings of RL Baselines3 Zoo.

    python sb3_reinforce.py ROW ENV SEED STEPS EVALUATION_SEED

Run by `reinforce.py --peer`; prints one line of JSON: what it cost, and the returns of 100
episodes by likeliest and by drawn actions.
"""

from __future__ import annotations

import json
import sys
import time

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.env_util import make_vec_env

torch.set_num_threads(1)


def falling(start: float):
    return lambda left: start * left


def nets(*hidden: int) -> dict:
    return {"net_arch": list(hidden)}


# Where the Zoo has none for a task, those of the most similar one.
SETTINGS = {
    "cartpole": (
        PPO,
        8,
        {
            "n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "n_epochs": 20,
            "learning_rate": falling(1e-3), "clip_range": falling(0.2),
        },
    ),
    "acrobot": (PPO, 16, {"n_steps": 256, "gae_lambda": 0.94, "gamma": 0.99, "n_epochs": 4}),
    "lander": (
        PPO,
        16,
        {
            "n_steps": 1024, "batch_size": 64, "gae_lambda": 0.98, "gamma": 0.999, "n_epochs": 4,
            "ent_coef": 0.01,
        },
    ),
    "hidden-cartpole": (
        "recurrent",
        8,
        {
            "n_steps": 256, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "n_epochs": 10,
            "learning_rate": falling(1e-3), "clip_range": falling(0.2),
            "policy_kwargs": {
                "ortho_init": False, "lstm_hidden_size": 64, "enable_critic_lstm": True,
                **nets(64),
            },
        },
    ),
    "dials": (PPO, 8, {"n_steps": 128, "batch_size": 256, "n_epochs": 10}),
    "pendulum": (SAC, 1, {"learning_rate": 1e-3}),
}  # fmt: skip


def main() -> None:
    row, env_id, seed, steps, evaluation_seed = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    kind, slots, options = SETTINGS[row]
    policy = "MlpPolicy"
    if kind == "recurrent":
        from sb3_contrib import RecurrentPPO

        kind, policy = RecurrentPPO, "MlpLstmPolicy"
    begun, start = time.perf_counter(), time.process_time()
    env = make_vec_env(env_id, slots, seed=seed)
    agent = kind(policy, env, seed=seed, device="cpu", **options).learn(steps)
    cost = {
        "steps": agent.num_timesteps,
        "cpu_seconds": round(time.process_time() - start, 2),
        "seconds": round(time.perf_counter() - begun, 2),
    }
    played = {
        "deterministic": play(agent, env_id, True, evaluation_seed),
        "sampled": play(agent, env_id, False, evaluation_seed),
    }
    print(json.dumps({**cost, **played}))


def play(agent, env_id: str, deterministic: bool, seed: int) -> list[float]:
    env, returns = gym.make(env_id), []
    for episode in range(100):
        obs, _ = env.reset(seed=seed + episode)
        state, first, total, over = None, np.ones(1, bool), 0.0, False
        while not over:
            action, state = agent.predict(
                obs, state=state, episode_start=first, deterministic=deterministic
            )
            obs, reward, terminated, truncated, _ = env.step(action)
            total, over, first = total + float(reward), terminated or truncated, np.zeros(1, bool)
        returns.append(round(total, 3))
    return returns


if __name__ == "__main__":
    main()
