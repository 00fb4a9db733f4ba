"""What more environments cost: steps a second and memory with 1 to 1,024 of them side by side.

    python benchmarks/speed/growth.py

Rollouts of 8,192 rows of CartPole, four epochs, however many environments they come from. Where
cost is linear, a step costs the same everywhere, less what calls cost that many share.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from rounds import ask, in_turn, medians, write

SLOTS = (1, 8, 64, 1024)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--rounds", type=int, default=5)
    a = p.parse_args()
    sides = {
        str(slots): partial(ask, sys.executable, "ours_ppo.py", "growth", "--slots", slots)
        for slots in SLOTS
    }
    answers = in_turn(sides, a.rounds)
    found = {"rounds": a.rounds, "slots": {name: medians(x) for name, x in answers.items()}}
    for name, row in found["slots"].items():
        print(name, round(row["per_cpu_second"]), "steps/CPU-s", round(row["peak_mib"]), "MiB")
    write("growth", found)


if __name__ == "__main__":
    main()
