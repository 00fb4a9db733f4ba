"""The peer's side of `ppo.py`; run with the interpreter that has `stable-baselines3`."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from importlib import metadata
from typing import Any

import torch
from ppo_cases import CASES
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env


def made(case: dict[str, Any], seed: int) -> Any:
    """A run of a case, ready to learn."""
    rate, clip = case["learning_rate"], case["clip"]
    falls = case.get("clip_schedule") == "linear"
    words = {
        "n_steps": case["rows"],
        "batch_size": case["minibatch"],
        "n_epochs": case["epochs"],
        "learning_rate": rate if case["schedule"] == "constant" else lambda left: rate * left,
        "clip_range": (lambda left: clip * left) if falls else clip,
        "clip_range_vf": case["value_clip"],
        "ent_coef": case["entropy"],
        "gamma": case["discount"],
        "gae_lambda": case["lam"],
        "max_grad_norm": case["max_grad_norm"],
        "device": "cpu",
        "seed": seed,
    }
    env = make_vec_env(case["env"], n_envs=case["slots"], seed=seed)
    if "memory" not in case:
        return PPO("MlpPolicy", env, **words)
    from sb3_contrib import RecurrentPPO

    nets = {"lstm_hidden_size": case["memory"], "net_arch": []}
    return RecurrentPPO("MlpLstmPolicy", env, policy_kwargs=nets, **words)


class Target(BaseCallback):
    """Stops a run whose last 20 episodes brought enough on average, looking once a rollout."""

    def __init__(self, target: float) -> None:
        super().__init__()
        self.target, self.reached = target, False

    def _on_rollout_end(self) -> None:
        last = [episode["r"] for episode in self.model.ep_info_buffer][-20:]
        self.reached = len(last) == 20 and statistics.fmean(last) >= self.target

    def _on_step(self) -> bool:
        return not self.reached


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("case", choices=[*CASES])
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--target", type=float, help="stop when 20 training episodes bring as much")
    a = p.parse_args()
    torch.set_num_threads(1)
    case = CASES[a.case]
    made(case, a.seed).learn(case["rows"] * case["slots"])  # whatever only a first run does
    model, target = made(case, a.seed), Target(a.target or float("inf"))
    cpu, wall = time.process_time(), time.perf_counter()
    model.learn(case["steps"], callback=target)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    steps = model.num_timesteps
    last = [episode["r"] for episode in model.ep_info_buffer][-20:]
    print(
        json.dumps(
            {
                "steps": steps,
                "cpu_seconds": cpu,
                "seconds": wall,
                "per_cpu_second": steps / cpu,
                "per_second": steps / wall,
                "return": statistics.fmean(last or [float("nan")]),
                "reached": target.reached,
                "versions": {n: metadata.version(n) for n in ("stable-baselines3", "torch")},
            }
        )
    )


if __name__ == "__main__":
    main()
