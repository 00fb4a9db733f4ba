"""Imitates by acting, and writes what came out as data beside this file.

    python benchmarks/learning/imitate.py --row gail-cartpole  one row, into its file in results
    python benchmarks/learning/imitate.py --row all            every row
    python benchmarks/learning/imitate.py --table              the table of README.md from the data

Every seed records its own demonstrations (of the expert kept in benchmarks/experts where no script
plays the task), keeps one step in `every`, learns with the settings that the command has for the
method and the task, and plays 100 episodes with its last weights, by its likeliest actions and by
drawn ones, and with the weights that were best on the way; all see the same starts, which nobody
trained on. The environment's reward is never learned from.

Controls: a clone of the same steps; policies that learn with the same settings from a reward of +1,
or of -1, for every step, which is what a discriminator that sees nothing would give; and rows in
which the demonstrator always does the same, or does anything, which must be copied, however bad.
Intervals are at 95 % and draw seeds, then episodes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from clone import spread
from results_page import interval, put_table

from understudy import settings
from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.subsample import subsample
from understudy.imitators import DAC, GAIL, SQIL
from understudy.presets import BC, ActingAgent, acting_env, evaluate, record, settings_for
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.run.off_policy import OffPolicyConfig, off_policy
from understudy.run.on_policy import on_policy
from understudy.run.policy import Policy

HERE = Path(__file__).parent
EXPERTS = HERE.parent / "experts"
EPISODES = 100
CONSTANTS = {"plus_one": 1.0, "minus_one": -1.0}
LOOKS, LOOK_EPISODES = 20, 10
MODES = "deterministic", "sampled", "average", "best", "clone", *CONSTANTS
PRESETS: dict[str, type[ActingAgent]] = {"gail": GAIL, "dac": DAC, "sqil": SQIL}


@dataclass(frozen=True)
class Row:
    """One task.

    Attributes:
        method: How.
        env: What.
        episodes, every: How many are shown, and one step in how many of them.
        must: What it must bring, in words.
        steps: Of the environment.
        shown: Who demonstrates: `expert`, `constant` for always the first choice, or `random`.
        controls: Whether rewards that tell nothing are learned from, too.
    """

    method: str
    env: str
    episodes: int
    every: int
    must: str
    steps: int = 100_000
    shown: str = "expert"
    controls: bool = True


ROWS = {
    "gail-cartpole": Row("gail", "CartPole-v1", 1, 20, ">= 475"),
    "gail-constant": Row("gail", "CartPole-v1", 50, 1, "<= 15", shown="constant"),
    "gail-acrobot": Row("gail", "Acrobot-v1", 1, 5, "expert - 5 %"),
    "gail-mountain-car": Row("gail", "MountainCar-v0", 1, 5, "expert - 5 %"),
    "gail-memory": Row(
        "gail",
        "understudy.worlds.tasks:HiddenCartPole-v0",
        5,
        1,
        "solved, by memory",
        controls=False,
    ),
    "dac-cartpole": Row("dac", "CartPole-v1", 1, 20, ">= 475", 15_000),
    "dac-constant": Row("dac", "CartPole-v1", 50, 1, "<= 15", 5_000, shown="constant"),
    "dac-random": Row(
        "dac", "CartPole-v1", 50, 1, "as shown", 10_000, shown="random", controls=False
    ),
    "dac-acrobot": Row("dac", "Acrobot-v1", 10, 5, "expert - 5 %", 50_000, controls=False),
    "dac-mountain-car": Row("dac", "MountainCar-v0", 10, 5, "expert - 5 %", 50_000, controls=False),
    "dac-lander": Row("dac", "LunarLander-v3", 4, 1, ">= 230", 50_000, controls=False),
    "dac-hopper": Row("dac", "Hopper-v5", 4, 20, "95 % of the expert", controls=False),
    "dac-half-cheetah": Row(
        "dac", "HalfCheetah-v5", 4, 20, "95 % of the expert", 200_000, controls=False
    ),
    "sqil-cartpole": Row("sqil", "CartPole-v1", 1, 20, ">= 475", 15_000, controls=False),
    "sqil-constant": Row(
        "sqil", "CartPole-v1", 50, 1, "<= 15", 5_000, shown="constant", controls=False
    ),
}


def first_choice(obs: dict[str, np.ndarray]) -> Action:
    """Always the same."""
    count = len(next(iter(obs.values())))
    return Action(np.zeros((count, 0), np.float32), np.zeros((count, 1), np.int64))


def who(row: Row) -> Any:
    """Who demonstrates."""
    if row.shown == "constant":
        return Fixed(first_choice)
    kept = EXPERTS / row.env
    if row.shown == "expert" and kept.is_dir():
        return Policy.load(kept).actor()
    return "scripted" if row.shown == "expert" else row.shown


def shown(row: Row, seed: int) -> tuple[Demos, float]:
    """What is learned from, and what it brought to whoever showed it."""
    whole = record(row.env, who(row), episodes=row.episodes, seed=seed)
    part = subsample(whole, row.every, np.random.default_rng(seed))
    return part, float(whole.returns.mean())


class Constant(Extrinsic):
    """The same for every step."""

    def __init__(self, reward: float, discount: float) -> None:
        super().__init__(ExtrinsicConfig(discount=discount))
        self.each = np.float32(reward)

    def reward(self, batch: Batch) -> np.ndarray:
        return np.full_like(batch.reward[: len(batch.code)], self.each)


def without_telling(row: Row, demos: Demos, seed: int, reward: float) -> Policy:
    """A policy that learned with the same settings from a reward that tells nothing."""
    told = settings_for(row.method, row.env)
    discount = next(iter(told.signals.values())).discount
    config = replace(told, seed=seed, steps=row.steps, env=row.env, signals={})
    world = acting_env(row.env, config)
    make: Callable[..., Any] = off_policy if isinstance(config, OffPolicyConfig) else on_policy
    # At the size that a discriminator's rewards have.
    signals = {"constant": Constant(0.1 * reward, discount)}
    made = make(world, config, lambda line: None, demos=demos, signals=signals)
    made.learn()
    return made.policy()


class Looks:
    """Plays now and then while somebody learns, and keeps the best. See `Watcher`."""

    def __init__(self, row: Row, policy: Callable[[], Policy]) -> None:
        self.row, self.policy = row, policy
        self.best, self.weights = -np.inf, np.zeros(0, np.float32)
        self.curve: list[tuple[int, float]] = []
        self.cpu_seconds = 0.0

    def see(self, progress: Any, metrics: Any) -> None:
        if progress.steps < (len(self.curve) + 1) * self.row.steps / LOOKS:
            return
        start, policy = time.process_time(), self.policy()
        found = evaluate(policy, self.row.env, episodes=LOOK_EPISODES, seed=7).returns.mean()
        self.curve.append((progress.steps, round(float(found), 1)))
        if found >= self.best:
            self.best, self.weights = found, policy.model.flat.value.copy()
        self.cpu_seconds += time.process_time() - start


def run(row: Row, seed: int) -> dict:
    """One policy: what it cost and what it brings."""
    demos, expert = shown(row, seed)
    begun, start = time.perf_counter(), time.process_time()
    agent = PRESETS[row.method](row.env, demos, seed=seed, steps=row.steps)
    learning = agent.run
    assert learning is not None
    looks = Looks(row, learning.policy)
    learning.learn(watchers=[looks])
    cost = time.process_time() - start - looks.cpu_seconds
    wall = time.perf_counter() - begun
    last = learning.policy()
    clone = BC(row.env, demos, seed=seed).learn()
    played = {
        "deterministic": evaluate(last, row.env, episodes=EPISODES),
        "sampled": evaluate(last, row.env, episodes=EPISODES, deterministic=False),
        "clone": evaluate(clone, row.env, episodes=EPISODES),
    }
    if learning.average is not None:
        with learning.average.used():
            played["average"] = evaluate(last, row.env, episodes=EPISODES)
    for name, each in CONSTANTS.items():
        if row.controls:
            played[name] = evaluate(
                without_telling(row, demos, seed, each), row.env, episodes=EPISODES
            )
    last.model.flat.value[:] = looks.weights
    played["best"] = evaluate(last, row.env, episodes=EPISODES)
    return {
        "seed": seed,
        "pairs": demos.num_steps,
        "expert": expert,
        "steps": learning.progress.steps,
        "cpu_seconds": round(cost, 2),
        "seconds": round(wall, 2),
        "curve": looks.curve,
        **{mode: np.round(e.returns, 3).tolist() for mode, e in played.items()},
    }


def measure(name: str, seeds: list[int]) -> None:
    """One row, into its file; runs of other seeds with the same settings stay there."""
    row = ROWS[name]
    config = settings.as_tree(settings_for(row.method, row.env))
    file = HERE / "results" / f"{name}.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    kept = known.get("runs", []) if known.get("settings") == json.loads(json.dumps(config)) else []
    runs = {x["seed"]: x for x in kept if x["seed"] not in seeds}
    for seed in seeds:
        runs[seed] = run(row, seed)
        modes = [mode for mode in MODES if mode in runs[seed]]
        said = {mode: spread([runs[seed][mode]])["iqm"] for mode in modes}
        print(f"  {name} seed {seed}: {said}, {runs[seed]['cpu_seconds']} CPU-s", flush=True)
        every = [runs[seed] for seed in sorted(runs)]
        found = {
            "env": row.env,
            "method": row.method,
            "must": row.must,
            "settings": config,
            "machine": {"python": platform.python_version(), "load_average": os.getloadavg()[0]},
            **{mode: spread([x[mode] for x in every]) for mode in modes},
            "runs": every,
        }
        file.write_text(json.dumps(found) + "\n")


def table() -> str:
    """The rows that were measured."""
    lines = [
        "| | shown by | pairs | steps | must reach | shown | deterministic | sampled "
        "| best on the way | seeds, deterministic | clone of the same | always +1 | always -1 "
        "| CPU-s |",
        f"|{'---|' * 14}",
    ]
    for name, row in ROWS.items():
        file = HERE / "results" / f"{name}.json"
        if not file.exists():
            continue
        found = json.loads(file.read_text())
        runs = found["runs"]
        pairs = sorted({x["pairs"] for x in runs})
        cells = [
            f"{row.env}, {row.method.upper()}",
            row.shown,
            f"{pairs[0]}" if len(pairs) == 1 else f"{pairs[0]}-{pairs[-1]}",
            f"{runs[0]['steps']:,}",
            found["must"].replace("<", "\\<").replace(">", "\\>"),
            f"{np.mean([x['expert'] for x in runs]):.4g}",
            *(interval(found.get(mode)) for mode in ("deterministic", "sampled", "best")),
            ", ".join(f"{x:.4g}" for x in found["deterministic"]["iqm_by_seed"]),
            *(interval(found.get(mode)) for mode in ("clone", *CONSTANTS)),
            f"{np.median([x['cpu_seconds'] for x in runs]):.3g}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--row", choices=[*ROWS, "all"])
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    for name in ROWS if asked.row == "all" else [asked.row] if asked.row else []:
        print(name, flush=True)
        measure(name, list(asked.seeds))
    if asked.table:
        put_table("imitated", table())


if __name__ == "__main__":
    main()
