"""Learns from reward, and writes what came out as data beside this file.

    python benchmarks/learning/reinforce.py --row lander    one row, into results/ppo-lander.json
    python benchmarks/learning/reinforce.py --row all       every row but the long ones
    python benchmarks/learning/reinforce.py --row lander --peer PYTHON
                                                    the same with Stable-Baselines3, which that
                                                    interpreter has, into results/sb3-lander.json
    python benchmarks/learning/reinforce.py --table         the table of README.md from the data

Each seed learns with the settings that ship for its environment and plays 100 episodes with its
last weights, by its likeliest actions and by drawn ones; all see the same starts, which nobody
trained on. Intervals are at 95 % and draw seeds, then episodes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clone import spread
from results_page import interval, put_table

from understudy import settings
from understudy.presets import EVALUATION_SEED, PPO, SAC, evaluate, settings_for

HERE = Path(__file__).parent
EPISODES = 100
WORLDS = "understudy.worlds.tasks:"


@dataclass(frozen=True)
class Row:
    """One task.

    Attributes:
        env, method: What, and how.
        at_least: What it must bring: the interquartile mean of all episodes.
        seeds: How many.
        long: Whether it takes an hour and is left out of `all`.
        peer: Whether Stable-Baselines3 can learn it too.
    """

    env: str
    method: str
    at_least: float
    seeds: int = 5
    long: bool = False
    peer: bool = True


ROWS = {
    "cartpole": Row("CartPole-v1", "ppo", 475),
    "acrobot": Row("Acrobot-v1", "ppo", -85),
    "lander": Row("LunarLander-v3", "ppo", 240),
    "hidden-cartpole": Row(f"{WORLDS}HiddenCartPole-v0", "ppo", 475),
    "grid": Row(f"{WORLDS}Grid-v0", "ppo", 0.85, peer=False),
    "dials": Row(f"{WORLDS}Dials-v0", "ppo", 38),
    "pick": Row(f"{WORLDS}Pick-v0", "ppo", 1.75, peer=False),
    "presence": Row(f"{WORLDS}Presence-v0", "ppo", 15.5, peer=False),
    "pendulum": Row("Pendulum-v1", "sac", -170),
    "half-cheetah": Row("HalfCheetah-v5", "sac", 8000, seeds=3, long=True, peer=False),
    "hopper": Row("Hopper-v5", "sac", 3000, seeds=3, long=True, peer=False),
}


def ours(row: Row, seed: int) -> dict:
    """One policy: what it cost and what it brings."""
    begun, start = time.perf_counter(), time.process_time()
    agent = (PPO if row.method == "ppo" else SAC)(row.env, seed=seed).learn()
    cost, wall = time.process_time() - start, time.perf_counter() - begun
    assert agent.run is not None
    done = {
        mode: evaluate(agent, row.env, episodes=EPISODES, deterministic=mode == "deterministic")
        for mode in ("deterministic", "sampled")
    }
    return {
        "seed": seed,
        "steps": agent.run.progress.steps,
        "cpu_seconds": round(cost, 2),
        "seconds": round(wall, 2),
        **{mode: np.round(e.returns, 3).tolist() for mode, e in done.items()},
    }


def theirs(name: str, row: Row, seed: int, python: str, steps: int) -> dict:
    """The same with Stable-Baselines3, in an interpreter of its own."""
    words = [python, HERE / "sb3_reinforce.py", name, row.env, seed, steps, EVALUATION_SEED]
    here = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src")}
    told = subprocess.run([*map(str, words)], check=True, stdout=subprocess.PIPE, env=here).stdout
    return {"seed": seed, **json.loads(told.splitlines()[-1])}


def measure(name: str, python: str | None, seeds: int | None) -> None:
    """One row, into its file."""
    row = ROWS[name]
    config = settings_for(row.method, row.env)
    runs = []
    for seed in range(seeds or row.seeds):
        runs.append(
            ours(row, seed) if python is None else theirs(name, row, seed, python, config.steps)
        )
        figure = spread([runs[-1]["deterministic"]])["iqm"]
        print(f"  {name} seed {seed}: {figure}, {runs[-1]['cpu_seconds']} CPU-s", flush=True)
    found = {
        "env": row.env,
        "method": row.method,
        "at_least": row.at_least,
        "settings": settings.as_tree(config) if python is None else "sb3_reinforce.py",
        "machine": {"python": platform.python_version(), "load_average": os.getloadavg()[0]},
        **{mode: spread([run[mode] for run in runs]) for mode in ("deterministic", "sampled")},
        "runs": runs,
    }
    file = HERE / "results" / f"{'sb3' if python else row.method}-{name}.json"
    file.write_text(json.dumps(found) + "\n")


def table() -> str:
    """The rows that were measured, ours beside theirs."""
    lines = [
        "| | steps | must reach | deterministic | sampled | seeds | CPU-s | SB3 | its CPU-s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in ROWS.items():
        files = [HERE / "results" / f"{who}-{name}.json" for who in (row.method, "sb3")]
        found, peer = (json.loads(f.read_text()) if f.exists() else None for f in files)
        if found is None:
            continue
        means = ", ".join(f"{x:.4g}" for x in found["deterministic"]["iqm_by_seed"])
        cells = [
            f"{row.env.removeprefix(WORLDS)}, {row.method.upper()}",
            f"{found['runs'][0]['steps']:,}",
            f"{row.at_least:g}",
            interval(found["deterministic"]),
            interval(found["sampled"]),
            means,
            _cost(found),
            "" if peer is None else interval(max_of(peer)),
            "" if peer is None else _cost(peer),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def max_of(found: dict) -> dict:
    """The better of likeliest and drawn actions."""
    return max((found["deterministic"], found["sampled"]), key=lambda x: x["iqm"])


def _cost(found: dict) -> str:
    return f"{np.median([run['cpu_seconds'] for run in found['runs']]):.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", choices=[*ROWS, "all"])
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter with Stable-Baselines3")
    parser.add_argument("--seeds", type=int, help="by default 5; 3 for rows of an hour")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if asked.row == "all":
        names = [n for n, row in ROWS.items() if not row.long and (row.peer or not asked.peer)]
    else:
        names = [asked.row] if asked.row else []
    for name in names:
        print(name, flush=True)
        measure(name, asked.peer, asked.seeds)
    if asked.table:
        put_table("reinforced", table())


if __name__ == "__main__":
    main()
