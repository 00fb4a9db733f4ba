"""What networks cost: memory in numpy and in torch, and policy and critic apart and shared.

    python benchmarks/speed/networks.py    into networks.json

CPU-milliseconds of one thread for a pass forward and back of policy and critic, and of one step of
acting, both sides in turn; `ratio` is that of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import product

import numpy as np
from rounds import write
from threadpoolctl import threadpool_limits

from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.check import random_obs
from understudy.nets.model import Model, NetConfig, make_model, start_state
from understudy.nets.modules import make_torch_model
from understudy.ops.cost import Cost
from understudy.ops.product import Product

ACTION = ActionSpec(branches=(4,))
VECTOR = Spec(obs={"obs": Obs(kind="vector", shape=(8,))}, action=ACTION)
SLOTS = 8


def passing(model: Model, rows: int, windows: int) -> Callable[[], None]:
    """Forward and back of policy and critic."""
    obs = random_obs(model.spec, np.random.default_rng(0), rows, windows)
    state, fresh = start_state(model, windows), np.zeros((rows, windows), bool)

    def run() -> None:
        head, value, _ = model(obs, state, fresh)
        ones = np.ones_like(head.array), np.ones_like(value.array)
        Cost(seeds=[(head, ones[0]), (value, ones[1])]).backward()

    return run


def acting(model: Model) -> Callable[[], None]:
    """One step of all slots."""
    obs = random_obs(model.spec, np.random.default_rng(0), SLOTS)
    act, state, fresh = model.actor(SLOTS), start_state(model, SLOTS), np.zeros(SLOTS, bool)

    def run() -> None:
        act(obs, state, fresh)

    return run


def compared(one: Callable[[], None], other: Callable[[], None], rounds: int) -> dict:
    """Two functions in turn."""
    took: list[list[float]] = [[], []]
    for run in (one, other):
        run()
    for _ in range(rounds):
        for run, found in zip((one, other), took, strict=True):
            start = time.process_time()
            run()
            found.append(1e3 * (time.process_time() - start))
    medians = [statistics.median(found) for found in took]
    return {"ms": [round(m, 4) for m in medians], "ratio": round(medians[1] / medians[0], 2)}


def made(spec: Spec, torch: bool = False, **config) -> Model:
    make = make_torch_model if torch else make_model
    return make(spec, Product(ACTION), NetConfig(**config), np.random.default_rng(0), 1)


def memories(rounds: int):
    """Numpy first, torch second."""
    for cell, width, windows in product(("lstm", "gru"), (64, 128), (8, 32)):
        settings = {"hidden": (width, width), "memory": width, "cell": cell}
        pair = [made(VECTOR, torch, **settings) for torch in (False, True)]
        learning = compared(*(passing(m, 16, windows) for m in pair), rounds)
        row = {"cell": cell, "width": width, "windows": windows, "learning": learning}
        yield {**row, "acting": compared(*map(acting, pair), 20 * rounds)}


def sharing(rounds: int):
    """Shared first, apart second."""
    for camera, shape, rows in (
        ("simple", (84, 84, 3), 64),
        ("nature", (84, 84, 4), 64),
        ("resnet", (36, 36, 3), 32),
    ):
        spec = Spec(obs={"eye": Obs(kind="image", shape=shape, dtype="uint8")}, action=ACTION)
        pair = [made(spec, camera=camera, shared=shared) for shared in (True, False)]
        found = compared(*(passing(m, 1, rows) for m in pair), max(3, rounds // 5))
        yield {"camera": camera, "image": shape, "rows": rows, "learning": found}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--rounds", type=int, default=50)
    a = p.parse_args()
    import torch

    torch.set_num_threads(1)
    found: dict[str, list] = {"numpy and torch": [], "shared and apart": []}
    with threadpool_limits(1):
        for (name, rows), measure in zip(found.items(), (memories, sharing), strict=True):
            for row in measure(a.rounds):
                rows.append(row)
                print(name, row, flush=True)
    write("networks", {"rounds": a.rounds, **found})


if __name__ == "__main__":
    main()
