"""The peer's side of `sac.py`; run with the interpreter that has `stable-baselines3`."""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from importlib import metadata

import torch
from stable_baselines3 import SAC


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--hidden", type=int, default=64)
    p.add_argument("--steps", type=int, default=5000)
    p.add_argument("--warmup", type=int, default=500)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    model = SAC(
        "MlpPolicy",
        "Pendulum-v1",
        learning_rate=1e-3,
        batch_size=a.batch,
        learning_starts=a.warmup,
        policy_kwargs={"net_arch": [a.hidden, a.hidden]},
        device="cpu",
        seed=a.seed,
    )
    # The warm-up and whatever only a first update does.
    model.learn(a.warmup + 100)
    before = model._n_updates
    cpu, wall = time.process_time(), time.perf_counter()
    model.learn(a.steps - 100, reset_num_timesteps=False)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    updates = model._n_updates - before
    last = [episode["r"] for episode in model.ep_info_buffer][-5:]
    print(
        json.dumps(
            {
                "updates": updates,
                "per_cpu_second": updates / cpu,
                "per_second": updates / wall,
                "return": statistics.fmean(last),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "versions": {n: metadata.version(n) for n in ("stable-baselines3", "torch")},
            }
        )
    )


if __name__ == "__main__":
    main()
