"""Imitates with a discriminator, and writes what came out as data beside this file.

    python benchmarks/learning/adversarial.py --row cartpole    one row, into its file in results
    python benchmarks/learning/adversarial.py --row all         every row
    python benchmarks/learning/adversarial.py --table           the table of README.md from the data

Every seed records its own demonstrations, keeps one step in `every`, learns with the settings that
are there where nothing is said, and plays 100 episodes with its last weights, by its likeliest
actions and by drawn ones; all see the same starts, which nobody trained on. The environment's
reward is never learned from.

Controls: a clone of the same steps; policies that learn with the same settings from a reward of +1,
or of -1, for every step, which is what a discriminator that sees nothing would give; and a row in
which the demonstrator always does the same, which must be copied, however bad. Intervals are at
95 % and draw seeds, then episodes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from clone import spread

from understudy import settings
from understudy.adversarial import GAIL
from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.subsample import subsample
from understudy.presets import BC, acting_env, evaluate, record
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.rewards.gail import GAILConfig
from understudy.run.adversarial import OnPolicyImitationConfig
from understudy.run.on_policy import on_policy
from understudy.run.policy import Policy

HERE = Path(__file__).parent
EPISODES = 100
CONSTANTS = {"plus_one": 1.0, "minus_one": -1.0}
MODES = "deterministic", "sampled", "clone", *CONSTANTS


@dataclass(frozen=True)
class Row:
    """One task.

    Attributes:
        env: What.
        episodes, every: How many are shown, and one step in how many of them.
        must: What it must bring, in words.
        steps: Of the environment.
        constant: Whether the demonstrator always takes the first choice.
    """

    env: str
    episodes: int
    every: int
    must: str
    steps: int = 100_000
    constant: bool = False


ROWS = {
    "cartpole": Row("CartPole-v1", 1, 20, ">= 475"),
    "constant": Row("CartPole-v1", 50, 1, "<= 15", constant=True),
    "acrobot": Row("Acrobot-v1", 1, 5, "expert - 5 %"),
    "mountain-car": Row("MountainCar-v0", 1, 5, "expert - 5 %"),
}


def first_choice(obs: dict[str, np.ndarray]) -> Action:
    """Always the same."""
    count = len(next(iter(obs.values())))
    return Action(np.zeros((count, 0), np.float32), np.zeros((count, 1), np.int64))


def shown(row: Row, seed: int) -> tuple[Demos, float]:
    """What is learned from, and what it brought to whoever showed it."""
    actor = Fixed(first_choice) if row.constant else "scripted"
    whole = record(row.env, actor, episodes=row.episodes, seed=seed)
    part = subsample(whole, row.every, np.random.default_rng(seed))
    return part, float(whole.returns.mean())


class Constant(Extrinsic):
    """The same for every step."""

    def __init__(self, reward: float) -> None:
        super().__init__(ExtrinsicConfig(discount=GAILConfig().discount))
        self.each = np.float32(reward)

    def reward(self, batch: Batch) -> np.ndarray:
        return np.full_like(batch.reward, self.each)


def without_telling(row: Row, seed: int, reward: float) -> Policy:
    """A policy that learned with the same settings from a reward that tells nothing."""
    config = replace(OnPolicyImitationConfig().acting, seed=seed, steps=row.steps, env=row.env)
    world = acting_env(row.env, config)
    made = on_policy(world, config, lambda line: None, signals={"constant": Constant(reward)})
    made.learn()
    return made.policy()


def run(row: Row, seed: int) -> dict:
    """One policy: what it cost and what it brings."""
    demos, expert = shown(row, seed)
    begun, start = time.perf_counter(), time.process_time()
    agent = GAIL(row.env, demos, seed=seed, steps=row.steps).learn()
    cost, wall = time.process_time() - start, time.perf_counter() - begun
    clone = BC(row.env, demos, seed=seed).learn()
    assert agent.run is not None
    played = {
        "deterministic": evaluate(agent, row.env, episodes=EPISODES),
        "sampled": evaluate(agent, row.env, episodes=EPISODES, deterministic=False),
        "clone": evaluate(clone, row.env, episodes=EPISODES),
        **{
            name: evaluate(without_telling(row, seed, each), row.env, episodes=EPISODES)
            for name, each in CONSTANTS.items()
        },
    }
    return {
        "seed": seed,
        "pairs": demos.num_steps,
        "expert": expert,
        "steps": agent.run.progress.steps,
        "cpu_seconds": round(cost, 2),
        "seconds": round(wall, 2),
        "curve": [[x["step"], round(float(x["return"]), 1)] for x in agent.log if "return" in x],
        **{mode: np.round(e.returns, 3).tolist() for mode, e in played.items()},
    }


def measure(name: str, seeds: list[int]) -> None:
    """One row, into its file; runs of other seeds with the same settings stay there."""
    row, config = ROWS[name], settings.as_tree(OnPolicyImitationConfig())
    file = HERE / "results" / f"gail-{name}.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    kept = known.get("runs", []) if known.get("settings") == json.loads(json.dumps(config)) else []
    runs = {x["seed"]: x for x in kept if x["seed"] not in seeds}
    for seed in seeds:
        runs[seed] = run(row, seed)
        said = {mode: spread([runs[seed][mode]])["iqm"] for mode in ("deterministic", "sampled")}
        print(f"  {name} seed {seed}: {said}, {runs[seed]['cpu_seconds']} CPU-s", flush=True)
        every = [runs[seed] for seed in sorted(runs)]
        found = {
            "env": row.env,
            "method": "gail",
            "must": row.must,
            "settings": config,
            "machine": {"python": platform.python_version(), "load_average": os.getloadavg()[0]},
            **{mode: spread([x[mode] for x in every]) for mode in MODES},
            "runs": every,
        }
        file.write_text(json.dumps(found) + "\n")


def table() -> str:
    """The rows that were measured."""
    lines = [
        "| | pairs | steps | must reach | shown | deterministic | sampled | seeds, deterministic "
        "| seeds, sampled | clone of the same | always +1 | always -1 | CPU-s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in ROWS.items():
        file = HERE / "results" / f"gail-{name}.json"
        if not file.exists():
            continue
        found = json.loads(file.read_text())
        runs = found["runs"]
        pairs = sorted({x["pairs"] for x in runs})
        cells = [
            row.env + (", always one action" if row.constant else ""),
            f"{pairs[0]}" if len(pairs) == 1 else f"{pairs[0]}-{pairs[-1]}",
            f"{runs[0]['steps']:,}",
            found["must"].replace("<", "\\<").replace(">", "\\>"),
            f"{np.mean([x['expert'] for x in runs]):.4g}",
            _interval(found["deterministic"]),
            _interval(found["sampled"]),
            *(
                ", ".join(f"{x:.4g}" for x in found[mode]["iqm_by_seed"])
                for mode in ("deterministic", "sampled")
            ),
            *(_interval(found[mode]) for mode in ("clone", *CONSTANTS)),
            f"{np.median([x['cpu_seconds'] for x in runs]):.3g}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(found: dict) -> str:
    low, high = found["ci95"]
    return f"{found['iqm']:.4g} [{low:.4g}, {high:.4g}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", choices=[*ROWS, "all"])
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    for name in ROWS if asked.row == "all" else [asked.row] if asked.row else []:
        print(name, flush=True)
        measure(name, list(asked.seeds))
    if asked.table:
        page = HERE / "README.md"
        start, stop = "<!-- adversarial -->", "<!-- end of adversarial -->"
        text = re.sub(
            f"{start}.*{stop}",
            lambda _: f"{start}\n\n{table()}\n\n{stop}",
            page.read_text(),
            flags=re.S,
        )
        page.write_text(text)


if __name__ == "__main__":
    main()
