"""Samples a second of behavioral cloning, ours and `imitation`'s, in turn.

    python benchmarks/speed/cloning.py --python PEER/bin/python

PEER is an environment with `pip install imitation==1.0.1`. Both sides clone the same 5,000 steps of
CartPole (ten scripted episodes) with tanh networks of the same widths, the same batches, Adam at
1e-3 and one thread, for the same number of epochs, and are then played.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from rounds import ask, in_turn, medians, write

CASES = ((32, 32, 10), (64, 256, 20), (256, 256, 10))  # hidden, batch, epochs


def demonstrations(path: Path) -> None:
    """What `ours_cloning.py` records, as the arrays that the peer takes."""
    from understudy.presets import record

    parts = []
    for episode in record("CartPole-v1", episodes=10, seed=100):
        obs = episode.obs["obs"]
        ends = np.arange(len(episode)) == len(episode) - 1
        parts.append((obs[:-1], episode.action.discrete[:, 0], obs[1:], ends))
    names = ("obs", "actions", "next_obs", "terminals")
    np.savez(path, **dict(zip(names, map(np.concatenate, zip(*parts, strict=True)), strict=True)))


def case(peer: str, demos: Path, rounds: int, hidden: int, batch: int, epochs: int) -> dict:
    words = ("--hidden", hidden, "--batch", batch, "--epochs", epochs)
    ours = partial(ask, sys.executable, "ours_cloning.py", *words)
    answers = in_turn(
        {
            "imitation": partial(ask, peer, "imitation_cloning.py", demos, *words),
            "equal work": partial(ours, "--settings", "equal"),
            "default settings": partial(ours, "--settings", "default"),
        },
        rounds,
    )
    middle = {name: medians(a) for name, a in answers.items()}
    base = middle["imitation"]["per_cpu_second"]
    return {
        "hidden": hidden,
        "batch": batch,
        "epochs": epochs,
        **middle,
        "ratio": {name: round(m["per_cpu_second"] / base, 1) for name, m in middle.items()},
        "ratio_by_round": [
            round(a["per_cpu_second"] / b["per_cpu_second"], 1)
            for a, b in zip(answers["equal work"], answers["imitation"], strict=True)
        ],
    }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--python", required=True, metavar="PATH", help="the peer's interpreter")
    p.add_argument("--rounds", type=int, default=5)
    a = p.parse_args()
    found: dict = {"rounds": a.rounds, "cases": []}
    with tempfile.TemporaryDirectory() as folder:
        demos = Path(folder) / "demos.npz"
        demonstrations(demos)
        for hidden, batch, epochs in CASES:
            found["cases"].append(case(a.python, demos, a.rounds, hidden, batch, epochs))
            print(hidden, batch, found["cases"][-1]["ratio"], found["cases"][-1]["ratio_by_round"])
    write("cloning", found)


if __name__ == "__main__":
    main()
