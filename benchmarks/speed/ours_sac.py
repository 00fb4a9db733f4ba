"""Our side of `sac.py`: learns Pendulum-v1 and prints how fast that was."""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time

import numpy as np
from threadpoolctl import threadpool_limits

from understudy.envs.env import one
from understudy.envs.gym import GymEnv
from understudy.learners.sac import SAC, SACConfig
from understudy.nets.critic import CriticConfig, make_critics
from understudy.nets.model import NetConfig, make_model
from understudy.ops.soft_product import SoftProduct
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.run.loop import Behavior, Progress, Run, learn
from understudy.run.practice import Practice, PracticeConfig


class Returns:
    """Keeps the returns of all episodes. See `Watcher`."""

    def __init__(self, source: Practice) -> None:
        self.source, self.all = source, []

    def see(self, progress: Progress, metrics: object) -> None:
        self.all += self.source.returns


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--hidden", type=int, default=64)
    p.add_argument("--steps", type=int, default=5000)
    p.add_argument("--warmup", type=int, default=500)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    env, rng = GymEnv("Pendulum-v1"), np.random.default_rng(a.seed)
    spec, hidden = one(env.behaviors), (a.hidden, a.hidden)
    net = NetConfig(hidden=hidden, normalize=False)
    model = make_model(spec, SoftProduct(spec.action), net, rng)
    critics = make_critics(model, CriticConfig(hidden=hidden, layer_norm=False), rng, 1)
    signals = {"extrinsic": Extrinsic(ExtrinsicConfig())}
    config = SACConfig(learning_rate=1e-3, tau=0.005)
    sac = SAC(model, critics, signals, {}, config, rng)
    asked = PracticeConfig(batch_size=a.batch, warmup_steps=a.warmup)
    source = Practice(env, model, asked, rng, a.seed)
    returns = Returns(source)
    behaviors = {"agent": Behavior(source, sac)}
    with threadpool_limits(a.threads):
        # The warm-up and whatever only a first update does.
        progress = learn(Run(behaviors, Progress(a.warmup + 100), [returns], source.collect))
        before = sac.policy_adam.num_steps
        cpu, wall = time.process_time(), time.perf_counter()
        rest = Progress(a.warmup + a.steps, progress.steps)
        learn(Run(behaviors, rest, [returns], source.collect))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    updates = sac.policy_adam.num_steps - before
    print(
        json.dumps(
            {
                "updates": updates,
                "per_cpu_second": updates / cpu,
                "per_second": updates / wall,
                "return": statistics.fmean(returns.all[-5:]),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
