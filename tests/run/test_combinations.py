"""Every kind of observation, action and memory, alone and together, can be cloned.

`UNDERSTUDY_WRITE_TABLES=1 pytest tests/run/test_combinations.py` (in one process) writes what was
found to `docs/combinations.md`; otherwise that page must say what is found.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.learners.supervised import SupervisedConfig
from understudy.nets.model import NetConfig
from understudy.run.cloning import BCConfig, Cloning
from understudy.run.held_out import HeldOutReport
from understudy.run.policy import Policy
from understudy.run.source import OfflineConfig
from understudy.run.watch import HeldOutConfig
from worlds import ACTION_KINDS, OBS_KINDS, toy_demos

PAGE = Path(__file__).parents[2] / "docs" / "combinations.md"
WRITE = "UNDERSTUDY_WRITE_TABLES"

MEMORY = (0, 16)
STEPS = 120
ACTION_NAMES = {"masked": "multi-discrete, masked"}
OBS_NAMES = {"all": "vector, image and entities"}

FOUND: dict[tuple[str, str, int], str] = {}
"""What each test found, for the page."""


@dataclass
class Found:
    """A run, and its mean loss at the beginning and at the end."""

    run: Cloning
    first: float
    last: float
    finite: bool


def clone(obs: str, action: str, memory: int) -> Found:
    # A memory task says one thing per episode, so it takes many.
    episodes, steps = (160, 4) if memory else (24, 12)
    rng = np.random.default_rng(0)
    demos = toy_demos(obs, action, episodes, steps, rng, memory_task=memory > 0)
    losses: list[float] = []
    config = BCConfig(
        steps=STEPS,
        net=NetConfig(hidden=(32,), memory=memory, entity_width=16),
        learner=SupervisedConfig(learning_rate=1e-2, schedule="constant", average=0.8),
        source=OfflineConfig(batch_size=64, length=4, turn=STEPS),
        held_out=HeldOutConfig(every=STEPS, fraction=0.2),
    )
    run = Cloning(demos.spec, demos, config, lambda line: None)
    update = run.learner.update

    def noting(batch: Any, progress: float) -> Any:
        metrics = update(batch, progress)
        losses.append(float(metrics["loss"]))
        return metrics

    run.learner.update = noting
    run.learn()
    return Found(run, _mean(losses[:8]), _mean(losses[-8:]), all(map(math.isfinite, losses)))


def _mean(x: list[float]) -> float:
    return float(np.mean(x))


@pytest.mark.parametrize("memory", MEMORY, ids=["no memory", "LSTM"])
@pytest.mark.parametrize("action", ACTION_KINDS)
@pytest.mark.parametrize("obs", OBS_KINDS)
def test_it_is_cloned_reported_saved_and_loaded(obs, action, memory, tmp_path):
    FOUND[obs, action, memory] = "fails"
    found = clone(obs, action, memory)
    assert found.finite
    assert found.last < found.first - 0.25, (found.first, found.last)
    run = found.run
    run.use("best")
    report = run.report()
    assert report is not None
    assert math.isfinite(report.policy.log_prob)
    assert beats_the_commonest(report), report.to_json()
    saved = run.policy({}).save(tmp_path / "policy")
    predicts_identically(run.policy({}), Policy.load(saved), run)
    FOUND[obs, action, memory] = "yes"
    assert os.environ.get(WRITE) or committed(obs, action, memory) == "yes"


def beats_the_commonest(report: HeldOutReport) -> bool:
    """Clearly, on episodes that were held out, in everything that is done."""
    policy, commonest = report.policy, report.commonest
    choices = policy.accuracy > commonest.accuracy + 0.05
    numbers = policy.explained > commonest.explained + 0.05
    return bool(choices.all() and numbers.all())


def predicts_identically(one: Policy, other: Policy, run: Cloning) -> None:
    """Over two rows, so that what is remembered counts."""
    rows = run.split.learned
    starts = np.flatnonzero(rows.fresh)[:3]
    states: list[Any] = [None, None]
    for t in (0, 1):
        obs = {name: x[starts + t] for name, x in rows.obs.items()}
        answers = []
        for i, policy in enumerate((one, other)):
            action, states[i] = policy.predict(obs, states[i], deterministic=True)
            answers.append(action)
        a, b = answers
        assert a.continuous.tobytes() == b.continuous.tobytes()
        assert a.discrete.tobytes() == b.discrete.tobytes()
        for name, memory in states[0].items():
            assert memory.tobytes() == states[1][name].tobytes()


@pytest.mark.parametrize("action", ["masked"])
def test_what_is_forbidden_is_never_done(action):
    run = clone("vector", action, 0).run
    rows = run.split.learned
    policy = run.policy({})
    for deterministic in (True, False):
        done, _ = policy.predict(rows.obs, deterministic=deterministic)
        allowed = rows.obs["mask"]
        assert allowed[np.arange(len(rows)), done.discrete[:, 0]].all()


def test_the_page_names_every_combination():
    if os.environ.get(WRITE):
        PAGE.write_text(page())
    text = PAGE.read_text()
    assert text.startswith(ABOUT), f"write it anew: {WRITE}=1 pytest {Path(__file__).name}"
    listed = [line.split("|")[1:3] for line in text.removeprefix(ABOUT).splitlines()]
    assert listed == [[f" {x} " for x in names(o, a)] for o in OBS_KINDS for a in ACTION_KINDS]


def names(obs: str, action: str) -> tuple[str, str]:
    """As the page has them."""
    return OBS_NAMES.get(obs, obs), ACTION_NAMES.get(action, action)


def committed(obs: str, action: str, memory: int) -> str:
    """What the page says of a combination."""
    row = f"| {' | '.join(names(obs, action))} | "
    (found,) = (line for line in PAGE.read_text().splitlines() if line.startswith(row))
    return found.removeprefix(row).split(" | ")[MEMORY.index(memory)].removesuffix(" |")


ABOUT = """\
# What goes with what

Every kind of observation, with every kind of action, with and without memory. A test makes this
table: *yes* means that small demonstrations were cloned, that the loss fell, that the policy beat
the commonest action on episodes that were held out, and that it was saved, loaded and answered the
same. With memory the task shows what to do in the first row alone.

| sees | does | without memory | with an LSTM |
|---|---|---|---|
"""


def page() -> str:
    rows = []
    for obs in OBS_KINDS:
        for action in ACTION_KINDS:
            cells = [*names(obs, action), *(FOUND[obs, action, memory] for memory in MEMORY)]
            rows.append(f"| {' | '.join(cells)} |\n")
    return ABOUT + "".join(rows)
