"""Clones, and writes what came out as data beside this file.

    python benchmarks/learning/clone.py --row lander     one row, into results/lander.json
    python benchmarks/learning/clone.py --row all        every row
    python benchmarks/learning/clone.py --table          the tables of README.md from the data

Each seed records its own demonstrations, learns from them with the settings as they ship, keeps
the last weights and plays 100 episodes; every policy and the expert see the same starts. Intervals
are at 95 % and draw seeds, then episodes.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.demos import Demos
from understudy.data.formats.door import load_demos
from understudy.errors import DemoError
from understudy.learners.supervised import SupervisedConfig
from understudy.ops.statistics import iqm
from understudy.presets import BC, evaluate, record
from understudy.run.cloning import BCConfig
from understudy.run.folds import cross_validate

HERE = Path(__file__).parent
RECORDINGS = HERE.parents[2] / "shared" / "data" / "demos"
SEEDS, EPISODES = 5, 100
OTHER = {"next_record": "same_record", "same_record": "next_record"}


def cloned(env: str, demos: Demos, seed: int, **changes) -> dict:
    """One policy: what it cost and what it brings, likeliest actions and drawn ones."""
    start = time.process_time()
    agent = BC(env, demos, seed=seed, **changes).learn()
    cost = time.process_time() - start
    done = {
        mode: evaluate(agent, env, episodes=EPISODES, deterministic=mode == "deterministic")
        for mode in ("deterministic", "sampled")
    }
    return {
        "seed": seed,
        "steps_shown": demos.num_steps,
        "updates": agent.config.steps,
        "cpu_seconds": round(cost, 2),
        **{mode: np.round(e.returns, 2).tolist() for mode, e in done.items()},
    }


def task(env: str, episodes: int, at_least: float | None = None, **changes) -> dict:
    """A row: demonstrations of the scripted expert in an environment."""
    expert = evaluate("scripted", env, episodes=EPISODES)
    runs = []
    for seed in range(SEEDS):
        demos = record(env, episodes=episodes, seed=1000 * seed, slots=min(10, episodes))
        runs.append(cloned(env, demos, seed, **changes))
        print(f"  {env} seed {seed}: {iqm(np.array(runs[-1]['deterministic'])):.1f}", flush=True)
    return {
        "env": env,
        "demonstrations": episodes,
        "at_least": at_least,
        "expert": spread([np.round(expert.returns, 2)]),
        **{mode: spread([run[mode] for run in runs]) for mode in ("deterministic", "sampled")},
        "runs": runs,
    }


def spread(returns: list) -> dict:
    """IQM of all episodes with its interval, and every seed's own."""
    table, rng = np.array(returns, np.float64), np.random.default_rng(0)
    seeds = rng.integers(0, len(table), (2000, len(table), 1))
    drawn = rng.integers(0, table.shape[1], (2000, *table.shape))
    low, high = np.quantile(iqm(table[seeds, drawn].reshape(2000, -1)), [0.025, 0.975])
    return {
        "iqm": round(float(iqm(table.reshape(-1))), 2),
        "ci95": [round(float(low), 2), round(float(high), 2)],
        "mean": round(float(table.mean()), 2),
        "iqm_by_seed": np.round(iqm(table), 2).tolist(),
    }


def curve(env: str) -> dict:
    """How many demonstrations it takes."""
    return {"points": [task(env, count) for count in (1, 2, 5, 10, 20)]}


def decay() -> dict:
    """How much weights should lose of themselves."""
    cases = (
        ("LunarLander-v3", 20),
        ("LunarLander-v3", 10),
        ("LunarLanderContinuous-v3", 20),
        ("CartPole-v1", 2),
        ("Pendulum-v1", 20),
    )
    return {
        "by_decay": {
            str(weight): [
                task(env, count, learner=SupervisedConfig(weight_decay=weight))
                for env, count in cases
            ]
            for weight in (1.0, 0.3, 0.1, 0.0)
        }
    }


def constant() -> dict:
    """An expert that always does the same: its clone must be as bad, return by return."""
    found = {}
    for env in ("CartPole-v1", "LunarLander-v3"):
        spec = record(env, "random", episodes=1).spec
        idle = Fixed(
            lambda obs, spec=spec: Action.zeros(spec.action, len(next(iter(obs.values()))))
        )
        shown = np.round(evaluate(idle, env, episodes=EPISODES).returns, 2)
        runs = [
            cloned(env, record(env, idle, episodes=20, seed=1000 * seed), seed)
            for seed in range(SEEDS)
        ]
        same = [float(np.mean(shown == run["deterministic"])) for run in runs]
        found[env] = {
            "expert": spread([shown]),
            "deterministic": spread([run["deterministic"] for run in runs]),
            "sampled": spread([run["sampled"] for run in runs]),
            "same_returns_by_seed": same,
            "runs": runs,
        }
    return found


def shuffled() -> dict:
    """The expert's actions in random order: nothing can be learned, so nothing may be."""
    found = {}
    for env in ("CartPole-v1", "LunarLander-v3"):
        runs = []
        for seed in range(SEEDS):
            demos = record(env, episodes=20, seed=1000 * seed)
            runs.append(cloned(env, mixed(demos, np.random.default_rng(seed)), seed))
        found[env] = {
            "expert": spread([np.round(evaluate("scripted", env, episodes=EPISODES).returns, 2)]),
            "random": spread([np.round(evaluate("random", env, episodes=EPISODES).returns, 2)]),
            "deterministic": spread([run["deterministic"] for run in runs]),
            "sampled": spread([run["sampled"] for run in runs]),
            "runs": runs,
        }
    return found


def mixed(demos: Demos, rng: np.random.Generator) -> Demos:
    """The same observations with the same actions in another order, across all episodes."""
    actions = Action.join([episode.meant for episode in demos])
    actions = actions.at(rng.permutation(demos.num_steps))
    ends = np.cumsum(demos.lengths)
    return replace(
        demos,
        episodes=[
            replace(episode, action=actions.at(slice(end - len(episode), end)), proposed=None)
            for episode, end in zip(demos, ends, strict=True)
        ],
    )


def recordings() -> dict | None:
    """Recordings without an environment, judged episode by episode; see `run/folds.py`."""
    if not RECORDINGS.is_dir():
        print(f"recordings: left out, there is no folder {RECORDINGS}")
        return None
    found = {}
    for name in ("ExpertPyramid", "ExpertBasic", "test_3DBall"):
        right = load_demos(RECORDINGS / f"{name}.demo")
        chosen = right.provenance.alignment
        found[name] = {
            "alignment": chosen,
            "episodes": len(right),
            "steps": right.num_steps,
            "right": [judged(right, seed) for seed in range(SEEDS)],
            "wrong": misread(RECORDINGS / f"{name}.demo", OTHER[str(chosen)]),
        }
        print(f"  {name}: {mean(found[name]['right'], 'policy')}", flush=True)
    return found


def misread(path: Path, alignment) -> list[dict]:
    """The same with the other alignment; nothing where the file cannot be read that way."""
    try:
        demos = load_demos(path, alignment=alignment)
    except DemoError:
        return []
    return [judged(demos, seed) for seed in range(SEEDS)]


def judged(demos: Demos, seed: int) -> dict:
    """One cross-validation: accuracy, or explained variance, of the policy and both baselines."""
    start = time.process_time()
    report = cross_validate(demos.spec, demos, BCConfig(seed=seed))
    assert report is not None
    figures = report.to_json()
    out = {"seed": seed, "cpu_seconds": round(time.process_time() - start, 2)}
    for who in ("policy", "commonest", "previous", "training"):
        like = figures[who]
        kind = "accuracy" if like["all_right"] is not None else "explained"
        value = like["all_right"] if kind == "accuracy" else float(np.mean(like["explained"]))
        out[who] = round(value, 4)
        out["measure"] = kind
    return out


def mean(runs: list[dict], who: str) -> float:
    """Over seeds."""
    return round(float(np.mean([run[who] for run in runs])), 4)


ROWS: dict[str, Callable[[], dict | None]] = {
    "lander": partial(task, "LunarLander-v3", 20, 250),
    "lander-continuous": partial(task, "LunarLanderContinuous-v3", 20, 260),
    "cartpole": partial(task, "CartPole-v1", 1, 475),
    "pendulum": partial(task, "Pendulum-v1", 20),
    "mountain-car": partial(task, "MountainCar-v0", 20),
    "decay": decay,
    "curve-lander": partial(curve, "LunarLander-v3"),
    "curve-cartpole": partial(curve, "CartPole-v1"),
    "constant": constant,
    "shuffled": shuffled,
    "recordings": recordings,
}


def tables() -> str:
    """The tables of the README, from the data."""
    files = [HERE / "results" / f"{name}.json" for name in ROWS]
    data = {path.stem: json.loads(path.read_text()) for path in files if path.exists()}
    head = "| | | expert | deterministic | mean | sampled | seeds | updates | CPU-s |\n"
    head += "|---" * 9 + "|"
    tasks = [d for d in data.values() if "demonstrations" in d]
    points = [p for d in data.values() if "points" in d for p in d["points"]]
    lines = [head, *map(_task_line, tasks), "", head, *map(_task_line, points), ""]
    lines += ["| | | decay | deterministic | mean | seeds |", "|---" * 6 + "|"]
    by_decay = data.get("decay", {}).get("by_decay", {})
    for case in zip(*by_decay.values(), strict=True):
        lines += map(_decay_line, by_decay, case)
    lines.append("")
    head = "| control | expert | deterministic | mean | sampled | |\n" + "|---" * 6 + "|"
    lines.append(head)
    for env, row in data.get("constant", {}).items():
        if isinstance(row, dict) and "expert" in row:
            same = f"{100 * np.mean(row['same_returns_by_seed']):.0f} % of returns the same"
            lines.append(f"| always one action, {env} | {_cells(row)} | {same} |")
    for env, row in data.get("shuffled", {}).items():
        if isinstance(row, dict) and "expert" in row:
            lines.append(f"| shuffled, {env} | {_cells(row)} | random {row['random']['iqm']:.0f} |")
    lines += ["", "| recording | policy | commonest | previous | wrong alignment | CPU-s |"]
    lines.append("|---" * 6 + "|")
    for name, row in data.get("recordings", {}).items():
        if isinstance(row, dict) and "right" in row:
            lines.append(_recording_line(name, row))
    return "\n".join(lines) + "\n"


def _task_line(row: dict) -> str:
    seeds = ", ".join(f"{x:.0f}" for x in row["deterministic"]["iqm_by_seed"])
    updates = row["runs"][0]["updates"]
    cost = np.median([run["cpu_seconds"] for run in row["runs"]])
    shown = f"{row['demonstrations']} shown"
    return f"| {row['env']} | {shown} | {_cells(row)} | {seeds} | {updates:,} | {cost:.1f} |"


def _decay_line(weight: str, row: dict) -> str:
    found, shown = row["deterministic"], f"{row['demonstrations']} shown"
    seeds = ", ".join(f"{x:.0f}" for x in found["iqm_by_seed"])
    (low, high), middle = found["ci95"], found["iqm"]
    figures = f"{middle:.1f} [{low:.1f}, {high:.1f}] | {found['mean']:.1f}"
    return f"| {row['env']} | {shown} | {weight} | {figures} | {seeds} |"


def _cells(row: dict) -> str:
    cells = [f"{row['expert']['iqm']:.1f}"]
    for mode in ("deterministic", "sampled"):
        (low, high), middle = row[mode]["ci95"], row[mode]["iqm"]
        cells.append(f"{middle:.1f} [{low:.1f}, {high:.1f}]")
    cells.insert(2, f"{row['deterministic']['mean']:.1f}")
    return " | ".join(cells)


def _recording_line(name: str, row: dict) -> str:
    right, wrong = row["right"], row["wrong"]
    low, high = min(r["policy"] for r in right), max(r["policy"] for r in right)
    cost = np.median([run["cpu_seconds"] for run in right])
    other = f"{mean(wrong, 'policy'):.3f}" if wrong else "refused"
    return (
        f"| {name} ({right[0]['measure']}) | {mean(right, 'policy'):.3f} ({low:.3f} to {high:.3f}) "
        f"| {mean(right, 'commonest'):.3f} | {mean(right, 'previous'):.3f} "
        f"| {other} | {cost:.1f} |"
    )


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--row", choices=[*ROWS, "all"], help="what to run")
    p.add_argument("--table", action="store_true", help="write the README's tables anew")
    a = p.parse_args()
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    for name in ROWS if a.row == "all" else [a.row] if a.row else []:
        print(name, flush=True)
        found = ROWS[name]()
        if found is not None:
            found["versions"] = {"python": platform.python_version(), "numpy": np.__version__}
            text = json.dumps(found, indent=1)
            (results / f"{name}.json").write_text(compact(text) + "\n")
    if a.table:
        readme = HERE / "README.md"
        before, mark, _ = readme.read_text().partition("<!-- tables -->\n")
        readme.write_text(before + mark + "\n" + tables())


def compact(text: str) -> str:
    """JSON with lists of plain numbers on one line."""
    return re.sub(r"\[\s+([\d\s.,eE+-]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)


if __name__ == "__main__":
    main()
