"""Our side of `predict.py`: CPU-microseconds of one call, numpy in and numpy out."""

from __future__ import annotations

import argparse
import json

import numpy as np
from rounds import median_microseconds

from understudy.nets.model import NetConfig
from understudy.presets import BC, record


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--env", default="CartPole-v1")
    p.add_argument("--hidden", type=int, default=64)
    a = p.parse_args()
    net = NetConfig(hidden=(a.hidden, a.hidden), activation="tanh")
    agent = BC(a.env, record(a.env, episodes=2), net=net, steps=50).learn()
    shape = agent.policy.spec.obs["obs"].shape
    found = {}
    for count, times in ((1, 2000), (256, 100)):
        obs = np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)
        seen = obs[0] if count == 1 else obs
        for likeliest in (True, False):
            name = f"{'one' if count == 1 else 'batch'}_{'deterministic' if likeliest else 'drawn'}"
            found[name] = median_microseconds(
                lambda seen=seen, likeliest=likeliest: agent.predict(seen, deterministic=likeliest),
                times,
            )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
