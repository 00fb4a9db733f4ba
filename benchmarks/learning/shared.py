"""Whether policy and critic should look at pictures through one network or through one each.

    python benchmarks/learning/shared.py    into results/shared.json

The maze of `understudy.worlds.grid` by PPO, apart and shared in turn, the same settings and seeds.
`curve` is the mean return of the episodes of every rollout of 1,024 steps, `cpu_seconds` what
learning took without acting.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from understudy.envs.env import one
from understudy.envs.gym import GymEnv
from understudy.learners.ppo import PPO, PPOConfig
from understudy.nets.model import NetConfig, make_model
from understudy.nets.threads import fitting_threads
from understudy.ops.product import Product
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.run.fresh import Fresh

HERE = Path(__file__).parent
ENV, SLOTS, ROWS = "understudy.worlds.tasks:Grid-v0", 8, 128
LEARNER = PPOConfig(epochs=4, minibatch=256, learning_rate=1e-3, entropy=0.01, schedule="constant")


def learned(seed: int, shared: bool, steps: int) -> dict:
    """One run."""
    env = GymEnv(ENV, SLOTS)
    spec = one(env.behaviors)
    weights, order, actions = (np.random.default_rng((seed, k)) for k in range(3))
    net = NetConfig(hidden=(128,), normalize=False, shared=shared)
    model = make_model(spec, Product(spec.action), net, weights, 1)
    learner = PPO(model, {"extrinsic": Extrinsic(ExtrinsicConfig())}, {}, LEARNER, order)
    source = Fresh(env, model, ROWS, actions, seed)
    done, cost, curve = 0, 0.0, []
    with fitting_threads(0):
        while done < steps:
            done += source.collect()
            start = time.process_time()
            for batch in source.batches():
                learner.update(batch, 0.0)
            cost += time.process_time() - start
            curve.append(float(np.mean(source.returns)))
    return {
        "seed": seed,
        "shared": shared,
        "steps": done,
        "cpu_seconds": round(cost, 1),
        "curve": np.round(curve, 3).tolist(),
    }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--steps", type=int, default=150_000)
    p.add_argument("--seeds", type=int, default=3)
    a = p.parse_args()
    runs = []
    for seed in range(a.seeds):
        for shared in (False, True):
            runs.append(learned(seed, shared, a.steps))
            last = np.mean(runs[-1]["curve"][-8:])
            said = "shared" if shared else "apart"
            print(f"seed {seed} {said}: {last:.2f}, {runs[-1]['cpu_seconds']} CPU-s", flush=True)
            file = HERE / "results" / "shared.json"
            file.write_text(json.dumps({"env": ENV, "runs": runs}) + "\n")


if __name__ == "__main__":
    main()
