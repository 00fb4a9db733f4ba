"""PPO end to end, ours and its peers', in turn.

    python benchmarks/speed/ppo.py --sb3 SB3/bin/python [--tianshou TIANSHOU/bin/python]

SB3 is an environment with `pip install stable-baselines3 gymnasium[mujoco]`, TIANSHOU one with
`pip install tianshou`. The plain loop is a single file of torch in the manner of CleanRL; it runs
in SB3's environment. Environment, settings and steps are the same on every side (`ppo_cases.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from ppo_cases import PPO_CASES
from rounds import HERE, ask, in_turn, medians, write


def seeded(python: str, script: str, *words: Any) -> Callable[[], dict[str, Any]]:
    """Asks a script, each time with the next seed."""
    seeds = count()
    return lambda: ask(python, script, *words, "--seed", next(seeds))


def compared(answers: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Every side's medians, and how many times as fast as each peer ours was."""
    middle = {name: medians(answer) for name, answer in answers.items()}
    ours = middle["ours"]
    ratio = {
        name: {per: round(ours[per] / side[per], 2) for per in ("per_cpu_second", "per_second")}
        for name, side in middle.items()
        if name != "ours"
    }
    return {**middle, "rounds": len(answers["ours"]), "ratio": ratio}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--sb3", required=True, metavar="PATH", help="the peer's interpreter")
    p.add_argument("--tianshou", metavar="PATH", help="the peer's interpreter")
    p.add_argument(
        "--cases",
        nargs="+",
        choices=[*PPO_CASES],
        default=[*PPO_CASES],
        help="only these; of others the figures are kept",
    )
    p.add_argument("--rounds", type=int, default=5)
    a = p.parse_args()
    found: dict = {"cases": {}}
    if a.cases != [*PPO_CASES] and (HERE / "ppo.json").exists():
        found = json.loads((HERE / "ppo.json").read_text())
    for name in a.cases:
        sides = {
            "stable-baselines3": seeded(a.sb3, "sb3_ppo.py", name),
            "ours": seeded(sys.executable, "ours_ppo.py", name),
        }
        if name == "cartpole":
            sides["plain loop"] = seeded(a.sb3, "plain_ppo.py", name)
            if a.tianshou:
                sides["tianshou"] = seeded(a.tianshou, "tianshou_ppo.py", name)
        found["cases"][name] = case = compared(in_turn(sides, a.rounds))
        print(name, case["ratio"], flush=True)
        write("ppo", found)


if __name__ == "__main__":
    main()
