"""Our side of `ppo.py` and its kin: learns one case and prints how fast that was."""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from typing import Any

from ppo_cases import CASES

from understudy.learners.ppo import PPOConfig
from understudy.nets.model import NetConfig
from understudy.presets import PPO
from understudy.rewards.extrinsic import ExtrinsicConfig
from understudy.run.loop import Progress
from understudy.run.on_policy import OnPolicyConfig
from understudy.run.reinforcement import Reinforcement

OF_THE_LEARNER = (
    "learning_rate",
    "schedule",
    "clip_schedule",
    "epochs",
    "minibatch",
    "clip",
    "value_clip",
    "entropy",
    "lam",
    "max_grad_norm",
    "length",
)


def made(case: dict[str, Any], seed: int, steps: int) -> Reinforcement:
    """A run of a case, ready to learn."""
    memory = case.get("memory", 0)
    net = NetConfig(
        hidden=() if memory else case.get("hidden", (64, 64)),
        activation="tanh",
        normalize=False,
        memory=memory,
    )
    config = OnPolicyConfig(
        seed=seed,
        steps=steps,
        slots=case["slots"],
        rows=case["rows"],
        net=net,
        learner=PPOConfig(**{name: case[name] for name in OF_THE_LEARNER if name in case}),
        extrinsic=ExtrinsicConfig(discount=case["discount"]),
    )
    run = PPO(case["env"], config=config).run
    assert run is not None
    return run


class Target:
    """Stops a run whose last 20 episodes brought enough on average. See `Watcher`."""

    def __init__(self, run: Reinforcement, target: float) -> None:
        """Args: run: which. target: how much is enough."""
        self.run, self.target = run, target

    def see(self, progress: Progress, metrics: Any) -> None:
        """See `Watcher`."""
        last = self.run.returns.last
        if len(last) == 20 and statistics.fmean(last) >= self.target:
            progress.stop = "enough"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("case", choices=[*CASES])
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--slots", type=int, help="instead of the case's, as many rows in all")
    p.add_argument("--target", type=float, help="stop when 20 training episodes bring as much")
    a = p.parse_args()
    case = dict(CASES[a.case])
    if a.slots:
        case["rows"] = max(1, case["rows"] * case["slots"] // a.slots)
        case["slots"] = a.slots
    made(case, a.seed, 2 * case["rows"] * case["slots"]).learn()  # whatever only a first run does
    run = made(case, a.seed, case["steps"])
    watchers = [Target(run, a.target)] if a.target else []
    cpu, wall = time.process_time(), time.perf_counter()
    run.learn(watchers=watchers)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    steps = run.progress.steps
    print(
        json.dumps(
            {
                "steps": steps,
                "cpu_seconds": cpu,
                "seconds": wall,
                "per_cpu_second": steps / cpu,
                "per_second": steps / wall,
                "return": statistics.fmean(run.returns.last or [float("nan")]),
                "reached": run.progress.stop is not None,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
