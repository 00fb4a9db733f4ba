"""PPO with a memory, ours and sb3-contrib's, in turn.

    python benchmarks/speed/recurrent.py --sb3 SB3/bin/python

SB3 is an environment with `pip install sb3-contrib`. Policy and critic have a memory of 64 each.
Ours learns through windows of 16 rows, sb3-contrib through whole rollouts cut at the minibatches.
"""

from __future__ import annotations

import argparse
import sys

from ppo import compared, seeded
from rounds import in_turn, write

CASES = ("recurrent", "recurrent, large batches")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--sb3", required=True, metavar="PATH", help="the peer's interpreter")
    p.add_argument("--rounds", type=int, default=3)
    a = p.parse_args()
    found: dict = {"cases": {}}
    for name in CASES:
        sides = {
            "sb3-contrib": seeded(a.sb3, "sb3_ppo.py", name),
            "ours": seeded(sys.executable, "ours_ppo.py", name),
        }
        found["cases"][name] = case = compared(in_turn(sides, a.rounds))
        print(name, case["ratio"], flush=True)
    write("recurrent", found)


if __name__ == "__main__":
    main()
