"""Asks experts round by round, and writes what came out as data beside this file.

    python benchmarks/learning/dagger.py --row cartpole    one row, into its file in results
    python benchmarks/learning/dagger.py --row all         every row
    python benchmarks/learning/dagger.py --table           the table of README.md from the data

Every seed asks the scripted expert for a fixed number of labels in every round, and its last
weights play 100 episodes, by their likeliest actions and by drawn ones; all see the same starts,
which nobody trained on. A label is one answer of the expert.

Controls: after every round (every second one of eight) a clone of as many steps of the same expert
as there are labels by then, learned with the settings of cloning; and a row in which the expert
always does the same, which must be copied, however bad. Intervals are at 95 % and draw seeds, then
episodes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from clone import spread
from results_page import interval, put_table

from understudy import settings
from understudy.data.action import Action
from understudy.data.actor import Actor, Fixed
from understudy.data.demos import Demos, join
from understudy.interactive import DAgger
from understudy.ops.statistics import iqm
from understudy.presets import BC, evaluate, record
from understudy.run.cloning import piece

HERE = Path(__file__).parent
EPISODES, TRIALS, POINTS = 100, 10, 4
MODES = "deterministic", "sampled", "clone"


@dataclass(frozen=True)
class Row:
    """One task.

    Attributes:
        env: What.
        must: What it must bring, in words.
        changes: Of the settings that are tuned for it.
        constant: Whether the expert always takes the first choice.
    """

    env: str
    must: str = "-"
    changes: dict[str, Any] = field(default_factory=dict)
    constant: bool = False


ROWS = {
    "cartpole": Row("CartPole-v1", ">= 490"),
    "constant": Row("CartPole-v1", "<= 15", constant=True),
    "lander": Row("LunarLander-v3", ">= 230"),
    "lander-few": Row("LunarLander-v3", changes={"labels": 150}),
}


def first_choice(obs: dict[str, np.ndarray]) -> Action:
    """Always the same."""
    count = len(next(iter(obs.values())))
    return Action(np.zeros((count, 0), np.float32), np.zeros((count, 1), np.int64))


def expert_of(row: Row) -> Actor | str:
    """Who is asked."""
    return Fixed(first_choice) if row.constant else "scripted"


def shown(row: Row, pairs: int, seed: int) -> Demos:
    """So many steps of whole episodes of the expert; the last episode is cut."""
    demos = record(row.env, expert_of(row), episodes=1, seed=1000 * seed)
    while demos.num_steps < pairs:
        demos = join(
            [demos, record(row.env, expert_of(row), episodes=1, seed=1000 * seed + len(demos))]
        )
    *whole, last = demos
    return Demos(demos.spec, [*whole, piece(last, 0, len(last) - (demos.num_steps - pairs))])


def run(row: Row, seed: int) -> dict:
    """One policy: what it cost and what it brings, beside clones of as many steps."""
    begun, start = time.perf_counter(), time.process_time()
    agent = DAgger(row.env, expert_of(row), seed=seed, trials=0, **row.changes).learn()
    cost, wall = time.process_time() - start, time.perf_counter() - begun
    assert agent.run is not None
    # What is tried between rounds changes nothing in what is learned, and costs much.
    tried = DAgger(row.env, expert_of(row), seed=seed, trials=TRIALS, **row.changes).learn()
    assert np.array_equal(agent.policy.model.flat.value, tried.policy.model.flat.value)
    rounds = [line for line in tried.log if "trial/return" in line]
    rounds = rounds[:: -max(1, len(rounds) // POINTS)][::-1]
    clones = [BC(row.env, shown(row, r["labels"], seed), seed=seed).learn() for r in rounds]
    played = {
        "deterministic": evaluate(agent, row.env, episodes=EPISODES),
        "sampled": evaluate(agent, row.env, episodes=EPISODES, deterministic=False),
        "clone": evaluate(clones[-1], row.env, episodes=EPISODES),
    }
    by_labels = [evaluate(clone, row.env, episodes=TRIALS).iqm for clone in clones]
    return {
        "seed": seed,
        "labels": agent.run.labels.total,
        "steps": int(agent.labels().num_steps),
        "updates": agent.run.progress.steps,
        "cpu_seconds": round(cost, 2),
        "seconds": round(wall, 2),
        "curve": [[r["labels"], round(r["trial/return"], 1)] for r in rounds],
        "clone_curve": [[r["labels"], round(x, 1)] for r, x in zip(rounds, by_labels, strict=True)],
        **{mode: np.round(e.returns, 3).tolist() for mode, e in played.items()},
    }


def measure(name: str, seeds: list[int]) -> None:
    """A row; what was measured of other seeds before stays."""
    row, file = ROWS[name], HERE / "results" / f"dagger-{name}.json"
    known = json.loads(file.read_text()) if file.exists() else {"runs": []}
    runs = {x["seed"]: x for x in known["runs"]}
    expert = evaluate(expert_of(row), row.env, episodes=EPISODES)
    config = settings.as_tree(DAgger(row.env, expert_of(row), **row.changes).config)
    for seed in seeds:
        runs[seed] = run(row, seed)
        said = {mode: float(np.round(iqm(np.array(runs[seed][mode])), 1)) for mode in MODES}
        print(f"  {name} seed {seed}: {said}, {runs[seed]['cpu_seconds']} CPU-s", flush=True)
        every = [runs[seed] for seed in sorted(runs)]
        found = {
            "env": row.env,
            "method": "dagger",
            "must": row.must,
            "settings": config,
            "machine": {"python": platform.python_version(), "load_average": os.getloadavg()[0]},
            "expert": spread([np.round(expert.returns, 3)]),
            **{mode: spread([x[mode] for x in every]) for mode in MODES},
            "runs": every,
        }
        file.write_text(json.dumps(found) + "\n")


def table() -> str:
    """The rows that were measured."""
    lines = [
        "| | labels | steps | must reach | expert | deterministic | mean | sampled | seeds "
        "| clone of as many pairs | mean | CPU-s |",
        "|" + "---|" * 12,
    ]
    curves = [
        "| | return after a round (clone) |" + " |" * (POINTS - 1),
        "|" + "---|" * (POINTS + 1),
    ]
    for name, row in ROWS.items():
        file = HERE / "results" / f"dagger-{name}.json"
        if not file.exists():
            continue
        found = json.loads(file.read_text())
        runs = found["runs"]
        gate = found["settings"]["gate"]["kind"]
        said = row.env + (", always one action" if row.constant else "")
        said += "" if gate == "none" else f", gate {gate}"
        cells = [
            said,
            f"{runs[0]['labels']:,}",
            f"{np.median([x['steps'] for x in runs]):,.0f}",
            found["must"].replace("<", "\\<").replace(">", "\\>"),
            f"{found['expert']['iqm']:.4g}",
            interval(found["deterministic"]),
            f"{found['deterministic']['mean']:.4g}",
            interval(found["sampled"]),
            ", ".join(f"{x:.4g}" for x in found["deterministic"]["iqm_by_seed"]),
            interval(found["clone"]),
            f"{found['clone']['mean']:.4g}",
            f"{np.median([x['cpu_seconds'] for x in runs]):.3g}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
        ours, theirs = (np.array([x[c] for x in runs])[:, :, 1] for c in ("curve", "clone_curve"))
        labels = [at for at, _ in runs[0]["curve"]]
        steps = [
            f"{at:,}: {a:.0f} ({b:.0f})"
            for at, a, b in zip(labels, iqm(ours, 0), iqm(theirs, 0), strict=True)
        ]
        curves.append(f"| {said} | {' | '.join([*steps, *[''] * (POINTS - len(steps))])} |")
    return "\n".join([*lines, "", *curves])


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask experts round by round.")
    parser.add_argument("--row", choices=[*ROWS, "all"])
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    for name in ROWS if asked.row == "all" else [asked.row] if asked.row else []:
        print(name, flush=True)
        measure(name, list(asked.seeds))
    if asked.table:
        put_table("dagger", table())


if __name__ == "__main__":
    main()
