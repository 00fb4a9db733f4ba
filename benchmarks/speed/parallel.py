"""What workers and native forms bring to stepping several environments, by the clock.

    python benchmarks/speed/parallel.py [--rounds 9] [--slots 8] [--workers 2]

Everything takes the same actions in turn within one process, a stretch of steps each, round by
round; a rate is the median over the rounds, in steps of one environment a second. `here` is this
process, `default` what `open_env` opens unless it is told otherwise. `vs_here` is the median of the
ratios within a round, since the machine may change between rounds.

Where others use the same cores, the clock says little about workers. `processor_us` is what one
step of all slots takes of the processor: here, and with workers in this process and in each of
them. `vs_here_by_processor` is what that would come to with a core for each: the time here, by that
of this process and the busiest worker.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from rounds import write

from understudy.envs.actors import random_actor
from understudy.envs.env import Env, one
from understudy.envs.opening import Workers, open_env, planned

IDS = ("CartPole-v1", "HalfCheetah-v5", "Humanoid-v5")
STRETCH_SECONDS = 0.5


def ours(env_id: str, slots: int, workers: Workers) -> Callable[[], Env]:
    return lambda: open_env(env_id, slots, workers=workers)


def gymnasiums(env_id: str, slots: int, mode: str) -> Callable[[], Env]:
    return lambda: open_env(gymnasium.make_vec(env_id, slots, vectorization_mode=mode))


def programs(env_id: str, slots: int, workers: int) -> Iterator[tuple[str, Callable[[], Env]]]:
    yield "here", ours(env_id, slots, 0)
    yield "default", ours(env_id, slots, "auto")
    yield "workers", ours(env_id, slots, workers)
    yield "gymnasium_sync", gymnasiums(env_id, slots, "sync")
    yield "gymnasium_async", gymnasiums(env_id, slots, "async")
    if gymnasium.spec(env_id).vector_entry_point is not None:
        yield "native", ours(env_id, slots, "native")


class Stepping:
    """One environment that is stepped on and on."""

    def __init__(self, make: Callable[[], Env]) -> None:
        begun, others = time.perf_counter(), set(active_children())
        self.env = make()
        self.workers = [child.pid for child in active_children() if child not in others]
        self.opening_seconds = time.perf_counter() - begun
        self.slots = one(self.env.slots)
        actor = random_actor(one(self.env.behaviors))
        moment = one(self.env.reset(0))
        self.actions = [actor.act(moment.obs, {}, moment.fresh)[0] for _ in range(64)]

    def rate(self, steps: int) -> float:
        """Steps of one environment a second."""
        (name,) = self.env.behaviors
        begun = time.perf_counter()
        for step in range(steps):
            self.env.step({name: self.actions[step % 64]})
        return self.slots * steps / (time.perf_counter() - begun)

    def processor_us(self, steps: int) -> list[float]:
        """What a step of all slots takes in this process and in each worker."""
        before = [time.process_time(), *map(processor_seconds, self.workers)]
        self.rate(steps)
        after = [time.process_time(), *map(processor_seconds, self.workers)]
        return [round(1e6 * (b - a) / steps, 1) for a, b in zip(before, after, strict=True)]


def processor_seconds(pid: int | None) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def row(env_id: str, slots: int, workers: int, rounds: int) -> dict[str, Any]:
    with ExitStack() as stack:
        made = {name: Stepping(make) for name, make in programs(env_id, slots, workers)}
        for stepping in made.values():
            stack.enter_context(closing(stepping.env))
        steps = int(STRETCH_SECONDS * made["here"].rate(50) / slots) + 1
        rates: dict[str, list[float]] = {name: [] for name in made}
        for _ in range(rounds):
            for name, stepping in made.items():
                rates[name].append(stepping.rate(steps))
        here = np.array(rates["here"])
        alone = made["here"].processor_us(2 * steps)
        shared = made["workers"].processor_us(2 * steps)
        return {
            "env": env_id,
            "slots": slots,
            "default_is": type(made["default"].env).__name__,
            "planned": planned(env_id, slots).why,
            "rates": {name: round(statistics.median(r)) for name, r in rates.items()},
            "vs_here": {
                name: round(float(np.median(np.array(r) / here)), 2) for name, r in rates.items()
            },
            "best_vs_here": {
                name: round(float(max(r) / here.max()), 2) for name, r in rates.items()
            },
            "processor_us": {"here": alone, "workers": shared},
            "vs_here_by_processor": round(alone[0] / (shared[0] + max(shared[1:])), 2),
            "opening_seconds": {
                name: round(stepping.opening_seconds, 2) for name, stepping in made.items()
            },
        }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--slots", type=int, default=8)
    p.add_argument("--workers", type=int, default=2)
    a = p.parse_args()
    rows = []
    for env_id in IDS:
        rows.append(row(env_id, a.slots, a.workers, a.rounds))
        print(rows[-1], flush=True)
    write("parallel", {"rounds": a.rounds, "workers": a.workers, "rows": rows})


if __name__ == "__main__":
    main()
