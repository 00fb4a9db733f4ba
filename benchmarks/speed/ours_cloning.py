"""Our side of `cloning.py`: clones CartPole and prints how fast that was and what came out."""

from __future__ import annotations

import argparse
import json
import statistics
import time

import numpy as np
from played import returns

from understudy.learners.supervised import SupervisedConfig
from understudy.nets.model import NetConfig
from understudy.presets import BC, record
from understudy.run.source import OfflineConfig
from understudy.run.watch import HeldOutConfig


def settings(a: argparse.Namespace) -> dict:
    """Ours as they ship, or such that exactly the peer's work is done."""
    net = NetConfig(hidden=(a.hidden, a.hidden), activation="tanh")
    if a.settings == "default":
        return {"net": net, "source": OfflineConfig(batch_size=a.batch)}
    return {
        "net": net,
        "source": OfflineConfig(batch_size=a.batch, noise=0),
        "learner": SupervisedConfig(schedule="constant", weight_decay=0, average=0),
        "held_out": HeldOutConfig(fraction=0),
    }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--hidden", type=int, default=32)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--settings", choices=("equal", "default"), default="equal")
    p.add_argument("--repeats", type=int, default=5)
    a = p.parse_args()
    demos, changes = record("CartPole-v1", episodes=10, seed=100), settings(a)
    rows = demos.num_steps if a.settings == "equal" else round(0.8 * demos.num_steps)
    steps = a.epochs * -(-demos.num_steps // a.batch)
    BC("CartPole-v1", demos, steps=20, **changes).learn()
    cpu, wall = [], []
    for _ in range(a.repeats):
        agent = BC("CartPole-v1", demos, steps=steps, seed=a.seed, **changes)
        c, w = time.process_time(), time.perf_counter()
        agent.learn()
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    # The last batch of an epoch is what is left, so a step is a little less than a batch.
    samples = steps * rows / -(-rows // a.batch)
    print(
        json.dumps(
            {
                "samples": round(samples),
                "per_cpu_second": samples / statistics.median(cpu),
                "per_second": samples / statistics.median(wall),
                "return": float(
                    np.mean(returns(lambda obs: agent.predict(obs, deterministic=True)[0]))
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
