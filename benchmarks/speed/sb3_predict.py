"""The peer's side of `predict.py`; run with the interpreter that has `stable-baselines3`."""

from __future__ import annotations

import argparse
import json
from importlib import metadata

import numpy as np
import torch
from rounds import median_microseconds
from stable_baselines3 import PPO


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--env", default="CartPole-v1")
    p.add_argument("--hidden", type=int, default=64)
    a = p.parse_args()
    torch.set_num_threads(1)
    nets = {"net_arch": [a.hidden, a.hidden]}
    model = PPO("MlpPolicy", a.env, device="cpu", policy_kwargs=nets)
    shape = model.observation_space.shape
    found: dict = {}
    for count, times in ((1, 300), (256, 50)):
        obs = np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)
        seen = obs[0] if count == 1 else obs
        for likeliest in (True, False):
            name = f"{'one' if count == 1 else 'batch'}_{'deterministic' if likeliest else 'drawn'}"
            found[name] = median_microseconds(
                lambda seen=seen, likeliest=likeliest: model.predict(seen, deterministic=likeliest),
                times,
            )
    found["versions"] = {name: metadata.version(name) for name in ("stable-baselines3", "torch")}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
