"""Updates a second of soft actor-critic, ours and Stable-Baselines3's, in turn.

    python benchmarks/speed/sac.py --python SB3/bin/python [--rounds 5] [--threads 1 2]

SB3 is an environment with `pip install stable-baselines3`. Both sides learn Pendulum-v1 end to end,
environment and acting included: twin critics, batches of 256, one update a step, Adam at 1e-3, an
automatic temperature. With several numbers of threads each side is also taken at its own best, by
the clock.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

from rounds import ask, in_turn, medians, write

CASES = ((64, 5000), (256, 2000))  # hidden, steps


def case(peer: str, rounds: int, threads: list[int], hidden: int, steps: int) -> dict[str, Any]:
    programs = {
        f"{name}, {count}": partial(
            ask, python, script, "--hidden", hidden, "--steps", steps, "--threads", count
        )
        for count in threads
        for name, python, script in (
            ("stable-baselines3", peer, "sb3_sac.py"),
            ("ours", sys.executable, "ours_sac.py"),
        )
    }
    answers = in_turn(programs, rounds)
    middle = {name: medians(a) for name, a in answers.items()}
    one = threads[0]
    ours, theirs = answers[f"ours, {one}"], answers[f"stable-baselines3, {one}"]

    def best(name: str) -> float:
        return max(middle[f"{name}, {count}"]["per_second"] for count in threads)

    found = {
        "hidden": hidden,
        "steps": steps,
        **middle,
        "ratio": round(
            middle[f"ours, {one}"]["per_cpu_second"]
            / middle[f"stable-baselines3, {one}"]["per_cpu_second"],
            2,
        ),
        "ratio_by_round": [
            round(a["per_cpu_second"] / b["per_cpu_second"], 2)
            for a, b in zip(ours, theirs, strict=True)
        ],
    }
    if len(threads) > 1:  # the clock, which says little where others are at work
        found["ratio_at_best_threads"] = round(best("ours") / best("stable-baselines3"), 2)
    return found


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--python", required=True, metavar="PATH", help="the peer's interpreter")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, nargs="+", default=[1])
    p.add_argument("--hidden", type=int, nargs="+", help="only networks of these widths")
    a = p.parse_args()
    found: dict[str, Any] = {"rounds": a.rounds, "threads": a.threads, "cases": []}
    for hidden, steps in CASES:
        if a.hidden and hidden not in a.hidden:
            continue
        found["cases"].append(case(a.python, a.rounds, a.threads, hidden, steps))
        last = found["cases"][-1]
        print(hidden, last["ratio"], last["ratio_by_round"], last.get("ratio_at_best_threads"))
    if not a.hidden:
        write("sac", found)


if __name__ == "__main__":
    main()
