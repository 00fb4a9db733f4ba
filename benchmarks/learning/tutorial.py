"""The experiments of the tutorial: what few and thinned demonstrations are worth to whom.

    python benchmarks/learning/tutorial.py --row cartpole   one row, into results/tutorial.json
    python benchmarks/learning/tutorial.py --row all        every row
    python benchmarks/learning/tutorial.py --draw           the tutorial's pictures and its table

Every seed records its own demonstrations of the scripted expert and keeps one step in `every`, as
Ho and Ermon (2016, appendix B, arXiv:1606.03476) do. A clone learns from these pairs; GAIL learns
from them too, and acts for 100,000 steps; DAgger has as many labels of the expert as there are
pairs, a fifth of them in every round: those of the first are shown, and later it is answered as
seldom as was shown, at one step in `every`, by chance.
Last weights play 100 episodes by their likeliest actions, and everybody sees the same starts.
Intervals are at 95 % and draw seeds, then episodes.

The row `walks` recovers the reward of a grid world from ever more walks: of every kind of ground,
and of every cell. `drift` and `watched` are single runs that the tutorial shows from inside.
Demonstrators that are to be copied though they are bad, and MountainCar, are rows of `imitate.py`
and `dagger.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from clone import compact, spread
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.demos import Demos
from understudy.data.episode import Tree
from understudy.data.subsample import subsample
from understudy.imitators import GAIL
from understudy.interactive import DAgger
from understudy.inverse import MaxEntConfig, MaxEntIRL
from understudy.ops.soft_values import soft_values, visitation
from understudy.presets import BC, evaluate, record
from understudy.report.canvas import (
    BLUE,
    FAINT,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    SOFT,
    canvas,
    percents,
)
from understudy.run.watch import HeldOutConfig
from understudy.worlds.experts import scripted
from understudy.worlds.grid_world import GridWorld, expert

FILE = Path(__file__).parent / "results" / "tutorial.json"
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SEEDS, EPISODES, STEPS, ROUNDS = 5, 100, 100_000, 5
COUNTS = (1, 4, 7, 10)
WALKS = (10, 30, 100, 300, 1000)
SMOOTH = 10
FEATURES = {"kinds": "three kinds of ground", "cells": "every cell for itself"}
COLORS = {"BC": GRAY, "GAIL": BLUE, "DAgger": ORANGE}
ACCURACIES = {"lived": BLUE, "shown": ORANGE, "held_out": SKY}


@dataclass(frozen=True)
class Row:
    """One task.

    Attributes:
        env: What.
        every: One step in so many is kept.
    """

    env: str
    every: int


ROWS = {
    "cartpole": Row("CartPole-v1", 20),
    "acrobot": Row("Acrobot-v1", 5),
}


class Seldom:
    """An expert that answers one question in `every`, by chance. See `run.taught.Sparing`."""

    proposed = None

    def __init__(self, known: Actor, every: int, seed: int) -> None:
        self.known, self.every, self.acted_by = known, every, known.acted_by
        self.rng, self.spoke = np.random.default_rng(seed), np.zeros(0, bool)

    def start(self, slots: int) -> Tree:
        return self.known.start(slots)

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        self.spoke = self.rng.random(len(fresh)) < 1 / self.every
        return self.known.act(obs, state, fresh)


def cloned(row: Row, demos: Demos, seed: int) -> Any:
    """Learns from all pairs and holds none out: they are few."""
    return BC(row.env, demos, seed=seed, held_out=HeldOutConfig(fraction=0)).learn()


def imitated(row: Row, demos: Demos, seed: int) -> Any:
    return GAIL(row.env, demos, seed=seed, steps=STEPS).learn()


def asked(row: Row, demos: Demos, seed: int) -> Any:
    """Is shown a fifth of the pairs, and has as many answers as there are others."""
    first = Demos(demos.spec, demos.episodes[::ROUNDS])
    labels = -(-(demos.num_steps - first.num_steps) // (ROUNDS - 1))
    return DAgger(
        row.env,
        Seldom(scripted(row.env, demos.spec), row.every, seed),
        demos=first,
        seed=seed,
        rounds=ROUNDS,
        labels=labels,
        slots=1,
        trials=0,
    ).learn()


METHODS: dict[str, Callable[[Row, Demos, int], Any]] = {
    "BC": cloned,
    "GAIL": imitated,
    "DAgger": asked,
}


def measured(row: Row, method: str, count: int, seed: int) -> dict:
    """One policy: what it learned from, what that cost, and what it brings."""
    whole = record(row.env, "scripted", episodes=count, seed=1000 * seed, slots=1)
    demos = subsample(whole, row.every, np.random.default_rng(seed))
    start = time.process_time()
    agent = METHODS[method](row, demos, seed)
    cost = time.process_time() - start
    found = {
        "method": method,
        "demonstrations": count,
        "seed": seed,
        "pairs": demos.num_steps,
        "shown": round(float(whole.returns.mean()), 2),
        "cpu_seconds": round(cost, 2),
    }
    if isinstance(agent, DAgger) and agent.run is not None:
        found["labels"] = agent.run.labels.total
        found["steps"] = agent.labels().num_steps
    played = evaluate(agent, row.env, episodes=EPISODES)
    return {**found, "returns": np.round(played.returns, 2).tolist()}


def measure(name: str, methods: list[str], known: dict) -> None:
    """A row; what was measured of other methods before stays."""
    row = ROWS[name]
    kept = known.get(name, {}).get("runs", [])
    runs = {(x["method"], x["demonstrations"], x["seed"]): x for x in kept}
    beside = {
        who: spread([np.round(evaluate(actor, row.env, episodes=EPISODES).returns, 2)])
        for who, actor in (("expert", "scripted"), ("random", "random"))
    }
    for seed in range(SEEDS):
        for count in COUNTS:
            for method in methods:
                runs[method, count, seed] = one = measured(row, method, count, seed)
                said = f"{name} {method} {count} seed {seed}: {spread([one['returns']])['iqm']}"
                print(f"  {said}, {one['cpu_seconds']} CPU-s", flush=True)
                every = [runs[key] for key in sorted(runs)]
                known[name] = {
                    "env": row.env,
                    "every": row.every,
                    **beside,
                    "points": points(every),
                    "runs": every,
                }
                write(known)


def points(runs: list[dict]) -> list[dict]:
    """What all seeds of a method bring from so many demonstrations."""
    found = []
    for method, count in sorted({(x["method"], x["demonstrations"]) for x in runs}):
        same = [x for x in runs if (x["method"], x["demonstrations"]) == (method, count)]
        found.append(
            {
                "method": method,
                "demonstrations": count,
                "pairs": [x["pairs"] for x in same],
                "cpu_seconds": float(np.median([x["cpu_seconds"] for x in same])),
                **spread([x["returns"] for x in same]),
            }
        )
    return found


def walks() -> dict:
    """What a reward that was recovered from so many walks is off by."""
    world = GridWorld()
    visits = visitation(world.mdp, soft_values(world.mdp, world.reward).policy)
    best = float((visits * world.reward).sum())
    arrivals = np.tensordot(visits, world.mdp.transition, 2)
    known = {
        "kinds": (world.features, world.weights, arrivals @ world.is_kind),
        "cells": (world.mdp.transition, world.is_kind @ world.weights, arrivals),
    }
    found = []
    for count in WALKS:
        for seed in range(SEEDS):
            demos = record(lambda: GridWorld(), expert(world, seed=seed), episodes=count, seed=seed)
            for name, (features, truth, often) in known.items():
                config = MaxEntConfig(weight_decay=0.001)
                fit = MaxEntIRL(world.mdp, demos, features, config).learn()
                did = visitation(world.mdp, fit.policy)
                wrong = np.abs(fit.weights - truth)
                found.append(
                    {
                        "features": name,
                        "walks": count,
                        "seed": seed,
                        "gap_shown": float(fit.gap),
                        "gap": float(np.abs(np.tensordot(did, features, 2) - often).max()),
                        "error": float(wrong @ often / often.sum()),
                        "worst_error": float(wrong.max()),
                        "return": float((did * world.reward).sum()),
                    }
                )
        print(f"  {count} walks", flush=True)
    return {"expert": best, "runs": [{k: rounded(x) for k, x in run.items()} for run in found]}


def rounded(x: Any) -> Any:
    """Five digits of a number."""
    return float(f"{x:.5g}") if isinstance(x, float) else x


def drift() -> dict:
    """How clones of 25 pairs leave what was shown: pole and cart, step by step."""
    row, found = ROWS["cartpole"], []
    for seed in range(SEEDS):
        whole = record(row.env, "scripted", episodes=1, seed=1000 * seed, slots=1)
        clone = cloned(row, subsample(whole, row.every, np.random.default_rng(seed)), seed)
        played = record(row.env, clone.policy.actor(), episodes=1, seed=7, slots=1)
        shown = {name: [min(x), max(x)] for name, x in seen(whole).items()}
        found.append({"seed": seed, "shown": shown, "clone": seen(played)})
    same = record(row.env, "scripted", episodes=1, seed=7, slots=1)
    return {"expert": seen(same), "runs": found}


def seen(demos: Demos) -> dict[str, list[float]]:
    """Where the cart was and how the pole leaned, in the first episode of CartPole."""
    obs = demos.episodes[0].obs["obs"].astype(np.float64)
    told = {"cart": obs[:, 0], "pole": np.rad2deg(obs[:, 2])}
    return {name: np.round(x, 3).tolist() for name, x in told.items()}


def watched() -> dict:
    """A run of GAIL from inside."""
    row = ROWS["acrobot"]
    whole = record(row.env, "scripted", episodes=10, seed=0, slots=1)
    demos = subsample(whole, row.every, np.random.default_rng(0))
    agent = imitated(row, demos, 0)
    names = ("return", *(f"gail/accuracy/{who}" for who in ACCURACIES), "gail/offset")
    curves = {
        name: [[x["step"], rounded(float(x[name]))] for x in agent.log if name in x]
        for name in names
    }
    return {"env": row.env, "demonstrations": 10, "seed": 0, "curves": curves}


INSIDE: dict[str, Callable[[], dict]] = {"walks": walks, "drift": drift, "watched": watched}


def draw_returns(known: dict) -> None:
    """Return against the number of demonstrations, all methods side by side."""
    title = "Three ways to use the same pairs: interquartile mean of five runs, 95% interval"
    with canvas(PICTURES / "experiments.png", 10, 4, title) as figure:
        axes = figure.subplots(1, 2)
        for axis, name in zip(axes, ("cartpole", "acrobot"), strict=True):
            row, data = ROWS[name], known[name]
            axis.set_title(f"{row.env}, one step in {row.every}")
            axis.axhline(data["expert"]["iqm"], color=GREEN, linewidth=1.2, linestyle=(0, (5, 2)))
            axis.axhline(data["random"]["iqm"], color=GRAY, linewidth=1.2, linestyle=(0, (1, 2)))
            for shift, (method, color) in zip((-0.18, 0, 0.18), COLORS.items(), strict=True):
                same = [x for x in data["points"] if x["method"] == method]
                if not same:
                    continue
                at = np.array([x["demonstrations"] for x in same]) + shift
                middle = [x["iqm"] for x in same]
                low, high = np.transpose([x["ci95"] for x in same])
                axis.plot(at, middle, color=color, marker="o", markersize=5, label=method)
                axis.vlines(at, low, high, color=color, linewidth=2, alpha=0.6)
                for x, point in zip(at, same, strict=True):
                    seeds = point["iqm_by_seed"]
                    axis.plot([x] * len(seeds), seeds, "_", color=color, markersize=7, alpha=0.7)
            axis.set_xticks(COUNTS)
            axis.margins(x=0.06, y=0.1)
            axis.set_xlabel("demonstrations")
        axes[0].set_ylabel("return")
        axes[1].legend(loc="center right")
        for axis, name in zip(axes, ("cartpole", "acrobot"), strict=True):
            for who in ("expert", "random"):
                value = known[name][who]["iqm"]
                place = {"xy": (0.42, value), "xycoords": ("axes fraction", "data")}
                axis.annotate(who, **place, xytext=(0, 4), textcoords="offset points", color=SOFT)


def draw_walks(known: dict) -> None:
    """Gap and error against the number of walks."""
    title = "The more walks, the nearer: behavior, and the reward behind it"
    panels = {
        "gap": "Visits of an episode, largest difference to the expert",
        "error": "Reward of a step, mean error in nats",
    }
    with canvas(PICTURES / "walks.png", 10, 3.6, title) as figure:
        for axis, (measure, said) in zip(figure.subplots(1, 2), panels.items(), strict=True):
            axis.set_title(said)
            for name, color in (("cells", BLUE), ("kinds", ORANGE)):
                table = by_walks(known["walks"]["runs"], name, measure)
                axis.plot(WALKS, table.mean(1), color=color, marker="o", label=FEATURES[name])
                for count, some in zip(WALKS, table, strict=True):
                    axis.plot([count] * len(some), some, "o", color=color, alpha=0.35, markersize=4)
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.set_xticks(WALKS, [f"{count:,}" for count in WALKS])
            axis.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
            axis.set_ylim(0.008, 12)
            axis.minorticks_off()
            axis.set_xlabel("walks")
            axis.legend(loc="lower left")


def by_walks(runs: list[dict], features: str, measure: str) -> NDArray[np.float64]:
    """`[counts, seeds]`."""
    return np.array(
        [
            [x[measure] for x in runs if (x["features"], x["walks"]) == (features, count)]
            for count in WALKS
        ]
    )


def draw_drift(known: dict) -> None:
    """How clones leave the road."""
    runs, same = known["drift"]["runs"], known["drift"]["expert"]
    panels = {
        "pole": ("The pole leans, degrees (four fall)", 60),
        "cart": ("The cart's place, meters (the fifth leaves the track)", 260),
    }
    title = "Five clones of 25 pairs leave what was shown, and do not come back"
    with canvas(PICTURES / "drift.png", 10, 3.4, title) as figure:
        for axis, (name, (said, steps)) in zip(figure.subplots(1, 2), panels.items(), strict=True):
            low = min(run["shown"][name][0] for run in runs)
            high = max(run["shown"][name][1] for run in runs)
            axis.set_title(said)
            axis.axhspan(low, high, color=GREEN, alpha=0.18, linewidth=0)
            axis.plot(same[name], color=GREEN, linewidth=1.2)
            for run in runs:
                path = run["clone"][name]
                axis.plot(path, color=BLUE, linewidth=1.3)
                axis.plot(len(path) - 1, path[-1], "x", color=BLUE, markersize=7)
            axis.set_xlim(0, steps)
            axis.set_xlabel("step")
            place = {"textcoords": "offset points", "ha": "right", "color": GREEN}
            axis.annotate("what was shown", (steps, high), (-4, 4), **place)


def draw_watched(known: dict) -> None:
    """A run of GAIL: the return that it never sees, the game, and what being alive is worth."""
    curves = known["watched"]["curves"]
    title = "Acrobot, ten demonstrations: what a run of GAIL logs"
    with canvas(PICTURES / "watched.png", 10, 3.4, title) as figure:
        left, middle, right = figure.subplots(1, 3)
        left.set_title("Return (not learned from)")
        left.plot(*np.transpose(curves["return"]), color=BLUE)
        middle.set_title(f"Discriminator right, last {SMOOTH} rollouts")
        for who, color in ACCURACIES.items():
            steps, right_share = np.transpose(curves[f"gail/accuracy/{who}"])
            smooth = np.convolve(right_share, np.ones(SMOOTH) / SMOOTH, "valid")
            middle.plot(steps[SMOOTH - 1 :], smooth, color=color, label=who)
        middle.set_ylim(0, 1)
        percents(middle.yaxis)
        middle.legend(loc="lower right")
        right.set_title("Offset for being alive")
        right.plot(*np.transpose(curves["gail/offset"]), color=PURPLE)
        right.axhline(0, color=FAINT, linewidth=1)
        for axis in (left, middle, right):
            axis.set_xlabel("steps")
            axis.set_xticks([0, 50_000, 100_000], ["0", "50,000", "100,000"])


def table(known: dict) -> str:
    """The tutorial's, in Markdown."""
    lines = [
        "| | demonstrations | pairs | BC | GAIL | DAgger |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, row in ROWS.items():
        if name not in known:
            continue
        for count in COUNTS:
            same = {x["method"]: x for x in known[name]["points"] if x["demonstrations"] == count}
            pairs = next(iter(same.values()))["pairs"]
            told = f"{min(pairs)}" if min(pairs) == max(pairs) else f"{min(pairs)}–{max(pairs)}"
            cells = [interval(same[method]) if method in same else "" for method in METHODS]
            lines.append(
                f"| {row.env} | {count} | {told} | {' | '.join(cells)} |".replace("-", "−").replace(
                    "−v", "-v"
                )
            )
    return "\n".join(lines)


def interval(point: dict) -> str:
    """An interquartile mean and its interval."""
    low, high = point["ci95"]
    return f"{point['iqm']:.4g} [{low:.4g}, {high:.4g}]"


def write(known: dict) -> None:
    """All rows, whole or not at all."""
    part = FILE.with_suffix(".part")
    part.write_text(compact(json.dumps(known, indent=1)) + "\n")
    part.replace(FILE)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--row", choices=[*ROWS, *INSIDE, "all"])
    parser.add_argument("--method", choices=[*METHODS], nargs="+", default=[*METHODS])
    parser.add_argument("--draw", action="store_true", help="pictures and table, from the data")
    a = parser.parse_args()
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in [*ROWS, *INSIDE] if a.row == "all" else [a.row] if a.row else []:
        print(name, flush=True)
        if name in ROWS:
            measure(name, a.method, known)
        else:
            known[name] = INSIDE[name]()
            write(known)
    if a.draw:
        for draw in (draw_returns, draw_walks, draw_drift, draw_watched):
            draw(known)
        print(table(known))


if __name__ == "__main__":
    main()
