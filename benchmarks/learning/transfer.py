"""Whether what was learned from demonstrations is of use once the world has changed.

    python benchmarks/learning/transfer.py           measure, into results/transfer.json
    python benchmarks/learning/transfer.py --table   that file's table, into README.md

A wall with a gap at its right end stands before the goal, and somebody shows from everywhere how
to get there and to stay. Then the gap is at the left end (the shifting maze of Fu et al., 2018,
section 7.2, with cells). A copy of who showed walks into the wall. Fresh agents learn again there,
by what each method has learned to reward; all are judged by the true reward from starts behind the
wall.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from results_page import put_table

from understudy.data.demos import Demos
from understudy.data.tabular import TabularActor
from understudy.nets.discriminator import DiscriminatorConfig, Teller
from understudy.ops.soft_values import soft_values
from understudy.presets import BC, ActingAgent, acting_env, evaluate, record, settings_for
from understudy.rewards.airl import AIRL, AIRLConfig
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.rewards.gail import GAIL, GAILConfig
from understudy.rewards.recovered import Recovered, RecoveredConfig
from understudy.rewards.signal import RewardSignal
from understudy.run.on_policy import on_policy
from understudy.worlds.grid_world import GridWorld

HERE = Path(__file__).parent
FILE = HERE / "results" / "transfer.json"
LEARNED = "SSGSS", "SSSSS", "####S", "SSSSS", "SSSSS"
CHANGED = "SSGSS", "SSSSS", "S####", "SSSSS", "SSSSS"
BEHIND = "..G..", ".....", ".####", "SSSSS", "SSSSS"
DISCOUNT, HORIZON_STEPS = 0.95, 30
TAUGHT_STEPS, AGAIN_STEPS, EPISODES = 100_000, 60_000, 100
LEARNERS = {
    "airl": AIRLConfig(discount=DISCOUNT, updates=8, penalty=0, mixed=0),
    "airl, of states and actions": AIRLConfig(
        discount=DISCOUNT,
        updates=8,
        penalty=0,
        mixed=0,
        net=DiscriminatorConfig(sees="actions"),
    ),
    "gail": GAILConfig(discount=DISCOUNT, updates=8, learning_rate=1e-3, penalty=0.05, mixed=0),
    "gail, of states": GAILConfig(
        discount=DISCOUNT,
        updates=8,
        learning_rate=1e-3,
        penalty=0.05,
        mixed=0,
        net=DiscriminatorConfig(sees="states"),
    ),
}
"""One-hots of cells lie far apart, and nothing lies between them: a penalty on the gradient between
them would only keep the discriminators from saying how sure they are."""


def world(rows: tuple[str, ...]) -> GridWorld:
    """A map on which nothing is left to chance and nothing ends but by its time."""
    rewards = {".": -1.0, "G": 1.0}
    return GridWorld(rows, rewards, ends="", slip=0, discount=DISCOUNT, horizon_steps=HORIZON_STEPS)


def knowing(rows: tuple[str, ...]) -> TabularActor:
    """Who knows the map and its rewards; soft-optimal for twice of these, in nats."""
    known = world(rows)
    mdp = replace(known.mdp, horizon_steps=None)
    return TabularActor(soft_values(mdp, 2 * known.reward).policy)


class Taught(ActingAgent):
    """Learns from demonstrations, by the method's own recipe."""

    method = "airl"


def taught(demos: Demos, config: AIRLConfig | GAILConfig, seed: int) -> Taught:
    """An agent that has learned in the world that was shown."""
    settings = settings_for("airl", None)
    return Taught(
        partial(world, LEARNED),
        demos,
        config=settings,
        seed=seed,
        steps=TAUGHT_STEPS,
        signals={"like": config},
    ).learn()


def again(signal: RewardSignal, seed: int) -> float:
    """What a fresh agent that seeks this in the changed world truly gets there."""
    config = settings_for("airl", None)
    learner = replace(config.learner, entropy=0.02)
    config = replace(
        config, method="ppo", signals={}, seed=seed, steps=AGAIN_STEPS, learner=learner
    )
    env = acting_env(partial(world, CHANGED), config)
    run = on_policy(env, config, lambda line: None, signals={"sought": signal})
    run.learn()
    return judged(run.policy(), BEHIND)


def judged(actor: object, rows: tuple[str, ...]) -> float:
    """The true return of drawn actions."""
    found = evaluate(actor, partial(world, rows), episodes=EPISODES, deterministic=False)
    return round(float(found.returns.mean()), 2)


def kept(net: Teller) -> Recovered:
    """What a network has come to reward."""
    return Recovered(net, RecoveredConfig(folder="", discount=DISCOUNT, scale=1))


def measured(seed: int) -> dict[str, list[float]]:
    """Where it was shown, moved as it is, and taught again by what was learned, by method."""
    demos = record(partial(world, LEARNED), knowing(LEARNED), episodes=50, seed=seed)
    found: dict[str, list[float]] = {}
    clone = BC(partial(world, LEARNED), demos, seed=seed).learn()
    found["bc"] = [judged(clone, LEARNED), judged(clone, BEHIND)]
    for name, config in LEARNERS.items():
        agent = taught(demos, config, seed)
        assert agent.run is not None
        signal = agent.run.learner.signals["like"]
        assert isinstance(signal, AIRL | GAIL)
        net = signal.reward_net if isinstance(signal, AIRL) else signal.net
        found[name] = [judged(agent, LEARNED), judged(agent, BEHIND), again(kept(net), seed)]
    true = Extrinsic(ExtrinsicConfig(discount=DISCOUNT))
    found["the true reward"] = [again(true, seed)]
    return found


def table(found: dict) -> str:
    """Means over seeds, with the least and the most."""

    def cell(name: str, place: int) -> str:
        each = np.array([run[name][place] for run in found["runs"]])
        return f"{each.mean():.1f} ({each.min():.1f} to {each.max():.1f})"

    lines = ["| | where it was shown | moved as it is | taught again |", "|---|---|---|---|"]
    bounds = found["bounds"]
    shown, moved, knows = (bounds[k] for k in ("shown", "moved", "knows"))
    lines.append(f"| who showed; who knows the changed world | {shown} | {moved} | {knows} |")
    for name in ("bc", *LEARNERS):
        cells = [cell(name, k) for k in range(len(found["runs"][0][name]))]
        lines.append(f"| {' | '.join([name, *cells, *['–'] * (3 - len(cells))])} |")
    lines.append(f"| the true reward | – | – | {cell('the true reward', 0)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Transfer of what was learned.")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if not asked.table:
        bounds = {
            "shown": judged(knowing(LEARNED), LEARNED),
            "moved": judged(knowing(LEARNED), BEHIND),
            "knows": judged(knowing(CHANGED), BEHIND),
        }
        runs, start = [], time.process_time()
        for seed in asked.seeds:
            runs.append({"seed": seed, **measured(seed)})
            print(runs[-1], flush=True)
        cost = round(time.process_time() - start, 1)
        FILE.write_text(json.dumps({"bounds": bounds, "cpu_seconds": cost, "runs": runs}) + "\n")
    text = table(json.loads(FILE.read_text()))
    print(text)
    put_table("moved", text)


if __name__ == "__main__":
    main()
