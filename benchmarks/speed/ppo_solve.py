"""Seconds until PPO has solved CartPole, ours and Stable-Baselines3's, in turn.

    python benchmarks/speed/ppo_solve.py --sb3 SB3/bin/python

Solved is when the last 20 episodes lived while learning brought 475 on average, looked at after
every rollout. SB3 learns with rl-zoo's settings, ours with those and with the quickest we found.
What counts is learning alone: imports and the making of networks are in `start.py`.
"""

from __future__ import annotations

import argparse
import sys

from ppo import seeded
from rounds import in_turn, medians, write

TARGET = ("--target", 475)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--sb3", required=True, metavar="PATH", help="the peer's interpreter")
    p.add_argument("--rounds", type=int, default=7, help="seeds")
    a = p.parse_args()
    sides = {
        "stable-baselines3, rl-zoo's settings": seeded(a.sb3, "sb3_ppo.py", "zoo", *TARGET),
        "ours, rl-zoo's settings": seeded(sys.executable, "ours_ppo.py", "zoo", *TARGET),
        "ours": seeded(sys.executable, "ours_ppo.py", "quick", *TARGET),
    }
    answers = in_turn(sides, a.rounds)
    peer, *_ = middle = {name: medians(answer) for name, answer in answers.items()}
    found = {
        "seeds": a.rounds,
        "sides": middle,
        "reached": {name: sum(x["reached"] for x in xs) for name, xs in answers.items()},
        "cpu_seconds": {n: [round(x["cpu_seconds"], 3) for x in xs] for n, xs in answers.items()},
        "ratio": {
            name: round(middle[peer]["cpu_seconds"] / side["cpu_seconds"], 2)
            for name, side in middle.items()
            if name != peer
        },
    }
    print(found["ratio"], found["reached"])
    write("ppo_solve", found)


if __name__ == "__main__":
    main()
