"""Every kind of observation, action and memory, with one signal and two, with and without a term.

`UNDERSTUDY_WRITE_TABLES=1 pytest tests/run/test_acting_combinations.py` (in one process) writes
what was found to `docs/acting-combinations.md`; otherwise that page must say what is found.
"""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from understudy.learners.ppo import PPO, PPOConfig
from understudy.learners.sac import SAC, SACConfig
from understudy.nets.critic import CriticConfig, make_critics
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.run.fresh import Fresh
from understudy.run.practice import Practice, PracticeConfig
from understudy.run.shown import ShownConfig, lean_on
from understudy.run.source import OfflineConfig
from understudy.terms.clone import CloneConfig
from worlds import ACTION_KINDS, CueEnv, toy_demos

PAGE = Path(__file__).parents[2] / "docs" / "acting-combinations.md"
WRITE = "UNDERSTUDY_WRITE_TABLES"

OBS = ("vector", "image", "entities")
MEMORY = (0, 8)
SIGNALS = (1, 2)
TERM = (False, True)
LEARNERS = ("ppo", "sac")
ROWS = [(obs, action, memory) for obs in OBS for action in ACTION_KINDS for memory in MEMORY]
COLUMNS = [(who, signals, term) for who in LEARNERS for signals in SIGNALS for term in TERM]
UPDATES = 3

FOUND: dict[tuple, str] = {}
"""What each test found, for the page."""


class Effort(Extrinsic):
    """What an action costs, with a discount of its own."""

    def reward(self, batch):
        return -(batch.code**2).mean(-1)


def learned(who, obs, action, memory, signals, term):
    """Metrics of a few updates, and how far they moved the weights."""
    env, rng = CueEnv(obs, action), np.random.default_rng(0)
    spec = env.behaviors["agent"]
    rewards = {
        "extrinsic": Extrinsic(ExtrinsicConfig()),
        "effort": Effort(ExtrinsicConfig(discount=0.5, strength=0.1)),
    }
    rewards = dict(list(rewards.items())[:signals])
    net = NetConfig(hidden=(16,), memory=memory, entity_width=8, normalize=False)
    dist = Product(spec.action) if who == "ppo" else SoftProduct(spec.action)
    model = make_model(spec, dist, net, rng, num_signals=signals if who == "ppo" else 0)
    terms = {}
    if term:
        demos = toy_demos(obs, action, 4, 6, rng)
        shown = ShownConfig(
            clone=CloneConfig(weight=0.5), source=OfflineConfig(batch_size=8, length=4)
        )
        _, terms = lean_on(demos, model, shown, rng)
    if who == "ppo":
        learner = PPO(model, rewards, terms, PPOConfig(epochs=1, minibatch=16, length=4), rng)
        source = Fresh(env, model, 8, rng, seed=0)
    else:
        config = CriticConfig(hidden=(16,))
        critics = make_critics(model, config, rng, num_signals=signals)
        learner = SAC(model, critics, rewards, terms, SACConfig(), rng)
        length = 4 if memory else 1
        practice = PracticeConfig(capacity=200, batch_size=8, warmup_steps=30, length=length)
        source = Practice(env, model, practice, rng, seed=0)
    before, metrics = model.flat.value.copy(), []
    while len(metrics) < UPDATES:
        source.collect()
        metrics += [learner.update(batch, 0.5) for batch in source.batches()]
    figures = [float(x) for found in metrics for x in found.values()]
    return figures, float(np.abs(model.flat.value - before).max())


@pytest.mark.parametrize("term", TERM, ids=["no term", "term"])
@pytest.mark.parametrize("signals", SIGNALS, ids=["one signal", "two signals"])
@pytest.mark.parametrize("memory", MEMORY, ids=["no memory", "memory"])
@pytest.mark.parametrize("action", ACTION_KINDS)
@pytest.mark.parametrize("obs", OBS)
@pytest.mark.parametrize("who", LEARNERS)
def test_it_learns_with_finite_losses(who, obs, action, memory, signals, term):
    key = (obs, action, memory), (who, signals, term)
    FOUND[key] = "fails"
    figures, moved = learned(who, obs, action, memory, signals, term)
    assert all(map(math.isfinite, figures))
    assert 0 < moved < 1
    FOUND[key] = "yes"
    assert os.environ.get(WRITE) or committed(*key) == "yes"


def test_the_page_names_every_combination():
    if os.environ.get(WRITE):
        PAGE.write_text(page())
    text = PAGE.read_text()
    assert text.startswith(ABOUT), f"write it anew: {WRITE}=1 pytest {Path(__file__).name}"
    assert [line.split(" | ")[:3] for line in text.removeprefix(ABOUT).splitlines()] == [
        cells(*row) for row in ROWS
    ]


def cells(obs, action, memory):
    """How a row of the page begins."""
    return [f"| {obs}", action, "LSTM" if memory else "none"]


def committed(row, column):
    """What the page says of a combination."""
    start = " | ".join(cells(*row)) + " | "
    (found,) = (line for line in PAGE.read_text().splitlines() if line.startswith(start))
    return found.removeprefix(start).removesuffix(" |").split(" | ")[COLUMNS.index(column)]


ABOUT = """\
# What goes with what when it acts

Every kind of observation, with every kind of action, with and without memory, for both learners:
with the environment's reward alone or with a second signal that has a discount of its own (`2`),
without or with cloning beside it (`+ clone`). A test makes this table: *yes* means that it acted,
that a few updates had finite losses, and that they moved the weights.

| sees | does | remembers | PPO | + clone | 2 | 2 + clone | SAC | + clone | 2 | 2 + clone |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def page():
    """The page's text."""
    lines = [" | ".join([*cells(*row), *(FOUND[row, c] for c in COLUMNS)]) for row in ROWS]
    return ABOUT + "".join(f"{line} |\n" for line in lines)
