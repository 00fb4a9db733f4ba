"""What a second thread brings to an update, by the size of the network.

    python benchmarks/speed/threads.py            with the machine to itself: threads.json
    python benchmarks/speed/threads.py --busy 2   beside so many idle loops: threads_busy.json

Updates by the clock, blocks with one thread and with two in turn within one process. `gain` is
between the fastest blocks of each, `median_gain` that of the median pair.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
from rounds import write
from threadpoolctl import threadpool_limits

from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.learners.supervised import Supervised, SupervisedConfig
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.terms.clone import Clone, CloneConfig

WIDTHS, BATCHES = (64, 128, 256, 384, 512, 768, 1024), (128, 256)


def updater(width: int, batch_size: int):
    """A function of no arguments that makes one update, and how many parameters there are."""
    from understudy.data.batch import Batch

    rng = np.random.default_rng(0)
    spec = Spec(obs={"obs": Obs(kind="vector", shape=(8,))}, action=ActionSpec(branches=(4,)))
    dist = Product(spec.action)
    model = make_model(spec, dist, NetConfig(hidden=(width, width)), rng)
    learner = Supervised(model, {"clone": Clone(CloneConfig())}, SupervisedConfig())
    batch = Batch(
        obs={"obs": rng.standard_normal((1, batch_size, 8)).astype(np.float32)},
        code=np.eye(4, dtype=np.float32)[rng.integers(0, 4, (1, batch_size))],
        acted=np.ones((1, batch_size), np.float32),
        fresh=np.zeros((1, batch_size), bool),
    )
    return lambda: learner.update(batch, 0.5), len(model.flat.value)


@contextmanager
def company(count: int):
    """So many processes that do nothing as hard as they can."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def milliseconds(update, threads: int, times: int) -> float:
    with threadpool_limits(threads):
        update()
        start = time.perf_counter()
        for _ in range(times):
            update()
        return 1e3 * (time.perf_counter() - start) / times


def row(width: int, batch_size: int, rounds: int) -> dict:
    """One thread and two in turn."""
    update, parameters = updater(width, batch_size)
    times = max(3, int(5e7 / (parameters * batch_size)) + 1)
    took: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for threads, found in took.items():
            found.append(milliseconds(update, threads, times))
    one, two = min(took[1]), min(took[2])
    return {
        "width": width,
        "batch": batch_size,
        "parameters": parameters,
        "one_thread_ms": round(one, 3),
        "two_threads_ms": round(two, 3),
        "gain": round(one / two, 2),
        "median_gain": round(
            statistics.median(x / y for x, y in zip(took[1], took[2], strict=True)), 2
        ),
    }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--rounds", type=int, default=25)
    p.add_argument("--busy", type=int, default=0, help="processes that compete for the cores")
    a = p.parse_args()
    rows = []
    with company(a.busy):
        for width in WIDTHS:
            for batch_size in BATCHES:
                rows.append(row(width, batch_size, a.rounds))
                print(rows[-1], flush=True)
    name = "threads_busy" if a.busy else "threads"
    write(name, {"rounds": a.rounds, "busy": a.busy, "rows": rows})


if __name__ == "__main__":
    main()
