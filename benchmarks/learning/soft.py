"""Soft actor-critic on Pendulum-v1: what it reaches, and how fast.

    python benchmarks/learning/soft.py [--seeds 5] [--steps 10000] [--out soft.json]

Every seed: `--warmup` actions by chance, then one update of 256 rows per action, 64x64 networks,
twin critics. Judged by its greedy last policy on 20 episodes whose starts no run has trained on;
the IQM over seeds and its interval are written beside the single figures. Seconds mean little where
`load_average` is above the number of cores; seconds of the processor mean more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np

from understudy.envs.env import one
from understudy.envs.gym import GymEnv
from understudy.learners.sac import SAC, SACConfig
from understudy.nets.acting import ModelActor
from understudy.nets.critic import CriticConfig, make_critics
from understudy.nets.model import NetConfig, make_model
from understudy.ops.soft_product import SoftProduct
from understudy.ops.statistics import bootstrap_interval, iqm
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.run.evaluate import play
from understudy.run.loop import Behavior, Progress, Run, learn
from understudy.run.practice import Practice, PracticeConfig

STARTS = 123_456
"""The seed of the episodes that a policy is judged by."""


def train(asked: argparse.Namespace, seed: int) -> dict[str, float]:
    """One run, from nothing to its last policy."""
    env = GymEnv(asked.env)
    spec = one(env.behaviors)
    rng = np.random.default_rng(seed)
    hidden = (asked.hidden, asked.hidden)
    net = NetConfig(hidden=hidden, normalize=asked.normalize)
    model = make_model(spec, SoftProduct(spec.action), net, rng)
    critics = make_critics(
        model,
        CriticConfig(hidden=hidden, num_critics=asked.critics, layer_norm=asked.layer_norm),
        rng,
        num_signals=1,
    )
    signals = {"extrinsic": Extrinsic(ExtrinsicConfig())}
    config = SACConfig(learning_rate=asked.learning_rate, tau=asked.tau)
    learner = SAC(model, critics, signals, {}, config, rng)
    practice = PracticeConfig(
        capacity=asked.steps + asked.warmup + 1000,
        batch_size=asked.batch,
        warmup_steps=asked.warmup,
        updates_per_step=asked.updates,
        n_step=asked.n_step,
    )
    source = Practice(env, model, practice, rng, seed)
    progress = Progress(asked.steps + asked.warmup)
    wall, cpu = time.perf_counter(), time.process_time()
    learn(Run({"agent": Behavior(source, learner)}, progress, collect=source.collect))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    judged = play(GymEnv(asked.env), ModelActor(model), 20, STARTS)
    return {
        "seed": seed,
        "return": float(judged.returns.mean()),
        "updates": learner.policy_adam.num_steps,
        "seconds": wall,
        "cpu_seconds": cpu,
        "updates_per_second": learner.policy_adam.num_steps / wall,
        "temperature": float(np.exp(learner.heat.value).mean()),
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--env", default="Pendulum-v1")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--warmup", type=int, default=500)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--updates", type=float, default=1.0)
    parser.add_argument("--n-step", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--critics", type=int, default=2)
    parser.add_argument("--layer-norm", action="store_true")
    parser.add_argument("--normalize", action="store_true")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--tau", type=float, default=0.005)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("soft.json"))
    asked = parser.parse_args()
    runs = []
    for seed in range(asked.seeds):
        runs.append(train(asked, seed))
        print(json.dumps(runs[-1]), flush=True)
    returns = np.array([run["return"] for run in runs])
    asked_for = {name: value for name, value in vars(asked).items() if name != "out"}
    result = {
        "asked": asked_for,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch_was_loaded": "torch" in sys.modules,
        "iqm": float(iqm(returns)),
        "ci95": list(bootstrap_interval(returns, np.random.default_rng(0))),
        "runs": runs,
    }
    asked.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
