"""Time of `predict`, ours and Stable-Baselines3's, in turn.

    python benchmarks/speed/predict.py --python PEER/bin/python

PEER is an environment with `pip install stable-baselines3`. CPU-microseconds of one call on one
thread, for one observation and for 256, the likeliest action and a drawn one.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from rounds import ask, in_turn, medians, write

CASES = (("CartPole-v1", 64), ("CartPole-v1", 256), ("Pendulum-v1", 64), ("Pendulum-v1", 256))
CALLS = ("one_deterministic", "one_drawn", "batch_deterministic", "batch_drawn")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--python", required=True, metavar="PATH", help="the peer's interpreter")
    p.add_argument("--rounds", type=int, default=5)
    a = p.parse_args()
    found: dict = {"rounds": a.rounds, "cases": []}
    for env, hidden in CASES:
        words = ("--env", env, "--hidden", hidden)
        answers = in_turn(
            {
                "stable-baselines3": partial(ask, a.python, "sb3_predict.py", *words),
                "ours": partial(ask, sys.executable, "ours_predict.py", *words),
            },
            a.rounds,
        )
        middle = {name: medians(answer) for name, answer in answers.items()}
        ratio = {
            call: round(middle["stable-baselines3"][call] / middle["ours"][call], 1)
            for call in CALLS
        }
        found["cases"].append({"env": env, "hidden": hidden, **middle, "ratio": ratio})
        print(env, hidden, ratio, flush=True)
    write("predict", found)


if __name__ == "__main__":
    main()
