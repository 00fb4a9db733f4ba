"""Makes the pictures of the documentation, and prints the figures that stand beside them.

Usage: `make pictures`, about five minutes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from understudy import BC, evaluate, record
from understudy.cli import main as understudy
from understudy.inverse import MaxEntConfig, MaxEntIRL, Recovered, ambiguity
from understudy.ops.soft_values import soft_values, visitation
from understudy.report.reward_maps import RewardMaps, draw_reward_maps
from understudy.run.held_out import likeness
from understudy.run.watch import HeldOutConfig
from understudy.worlds.grid_world import GridWorld, expert

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
ENV = "LunarLander-v3"
COUNTS = (1, 2, 5, 10, 20)
RUNS = 5


def from_the_tour() -> None:
    """The film and the returns of the README."""
    results = ROOT / "build" / "pictures"
    code = understudy(["tour", "--results", str(results), "--run-id", "tour"])
    if code:
        raise SystemExit(code)
    for name, kept in (("film.webp", "lander.webp"), ("returns.png", "returns.png")):
        shutil.copy(results / "tour" / "report" / name, PICTURES / kept)
    shutil.rmtree(results)


def compounding() -> tuple[list[list[float]], list[list[float]]]:
    """The tutorial's experiment: likeness and return by number of demonstrations and run."""
    others = record(ENV, episodes=10, seed=1000).rows()
    alike: list[list[float]] = []
    returns: list[list[float]] = []
    for count in COUNTS:
        alike.append([])
        returns.append([])
        for seed in range(RUNS):
            shown = record(ENV, episodes=count, seed=seed)
            clone = BC(ENV, shown, seed=seed, held_out=HeldOutConfig(fraction=0)).learn()
            alike[-1].append(likeness(clone.policy.model, others).all_right)
            returns[-1].append(evaluate(clone, ENV, episodes=100).iqm)
        low, high = min(returns[-1]), max(returns[-1])
        print(
            f"| {count} | {np.mean(alike[-1]):.0%} | {np.mean(returns[-1]):.0f} "
            f"| {low:.0f} to {high:.0f} |",
            flush=True,
        )
    return alike, returns


def draw(alike: list[list[float]], returns: list[list[float]], expert: float) -> None:
    """Both against the number of demonstrations, a point for every run."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    likenesses = [[100 * share for share in some] for some in alike]
    titles = ("Steps with the shown action, %", "Return")
    for axis, values, title in zip(axes, (likenesses, returns), titles, strict=True):
        axis.plot(COUNTS, np.mean(values, 1), color="#2f6fab", linewidth=2)
        for count, some in zip(COUNTS, values, strict=True):
            axis.plot([count] * len(some), some, "o", color="#2f6fab", alpha=0.45, markersize=5)
        axis.set_xscale("log")
        axis.set_xticks(COUNTS, [str(count) for count in COUNTS])
        axis.minorticks_off()
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xlabel("demonstrations")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.25)
    axes[1].axhline(expert, color="#3f9b80", linestyle="--", linewidth=1.2)
    axes[1].annotate("the expert", (1, expert), (0, 4), textcoords="offset points", fontsize=9)
    figure.savefig(PICTURES / "compounding.png", dpi=110)


def recovered_reward() -> None:
    """The maps and the table of the page on inverse reinforcement learning."""
    world = GridWorld()
    arriving = world.mdp.transition  # a feature for every cell: to arrive there
    visits = visitation(world.mdp, soft_values(world.mdp, world.reward).policy)
    expected = np.tensordot(visits, arriving, 2)
    exact = MaxEntIRL(world.mdp, expected, arriving, MaxEntConfig(tolerance=1e-6)).learn()
    _draw_recovered(world, exact, "inverse.png", "A reward for every cell, from expected steps")
    walks = record(lambda: GridWorld(), expert(world), episodes=1000, slots=10)
    guessed = MaxEntIRL(world.mdp, walks, arriving, MaxEntConfig(weight_decay=0.001)).learn()
    _draw_recovered(
        world, guessed, "inverse_walks.png", "A reward for every cell, from 1,000 walks"
    )
    for count in (10, 100, 1000):
        fits = []
        for seed in range(RUNS):
            walks = record(lambda: GridWorld(), expert(world, seed=seed), episodes=count, seed=seed)
            settings = MaxEntConfig(weight_decay=0.001)
            fits.append(MaxEntIRL(world.mdp, walks, world.features, settings).learn().weights)
        said = zip(np.mean(fits, 0), np.std(fits, 0), strict=True)
        print(f"| {count:,} | {' | '.join(f'{mean:.2f} ± {std:.2f}' for mean, std in said)} |")


def _draw_recovered(world: GridWorld, found: Recovered, name: str, title: str) -> None:
    truth = world.is_kind @ world.weights
    four = (truth, found.weights, found.shown, found.matched)
    true, recovered, shown, matched = map(world.as_map, four)
    maps = RewardMaps(true=true, recovered=recovered, expert=shown, learner=matched)
    draw_reward_maps(maps, PICTURES / name, title, ambiguity(world.mdp))
    off = np.abs(found.weights - truth)
    often = found.shown > 0.1
    print(f"{name}: {found.describe()}; off by at most {off.max():.4f},")
    print(f"by {off[often].max():.2f} where an episode comes more than once in ten")


def main() -> None:
    """Makes all of them."""
    PICTURES.mkdir(exist_ok=True)
    recovered_reward()
    from_the_tour()
    alike, returns = compounding()
    draw(alike, returns, evaluate("scripted", ENV, episodes=100).iqm)


if __name__ == "__main__":
    main()
