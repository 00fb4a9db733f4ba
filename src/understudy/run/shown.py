"""How demonstrations help a policy that learns by acting: cloned first, or cloned beside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from annotated_types import Ge

from understudy.data.demos import Demos
from understudy.errors import DemoError
from understudy.learners.supervised import Supervised, SupervisedConfig
from understudy.nets.model import Model
from understudy.nets.threads import fitting_threads
from understudy.run.cloning import labeled_rows
from understudy.run.loop import Behavior, Progress, Run, learn
from understudy.run.source import Offline, OfflineConfig
from understudy.terms.beside import Beside
from understudy.terms.clone import Clone, CloneConfig
from understudy.terms.term import LossTerm


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownConfig:
    """How demonstrations help, where there are any."""

    pretrain: Annotated[int, Ge(0)] = 0
    """Updates of cloning alone, before the policy acts for the first time."""
    learner: SupervisedConfig = field(default_factory=SupervisedConfig)
    """How weights move in these updates."""
    clone: CloneConfig = field(default_factory=lambda: CloneConfig(weight=0.1, schedule="linear"))
    """How much cloning counts beside the reward, and how that falls; weight 0 for not at all."""
    source: OfflineConfig = field(default_factory=OfflineConfig)
    """How demonstrations are served."""


def lean_on(
    demos: Demos, model: Model, config: ShownConfig, rng: np.random.Generator
) -> tuple[Offline, dict[str, LossTerm]]:
    """Clone what was shown first, as far as is asked; and how to go on cloning it.

    The model's normalizer, where there is one, takes in what was seen in the demonstrations.

    Args:
        demos: What was shown.
        model: Who learns; it leaves with the averaged weights of the cloning.
        config: How much.
        rng: Draws rows.

    Returns:
        Where shown rows are drawn from, which has memory; and the cloning term by its name, none at
        weight 0.

    Raises:
        DemoError: The demonstrations do not fit what the model sees and does, or nothing was done.
    """
    demos.check_fit(model.spec)
    if not demos.num_steps:
        raise DemoError("no step in any episode: there is nothing to learn from")
    rows = labeled_rows(demos)
    for seen in rows.seen():
        model.observe(seen)
    shown = Offline(rows, model, config.source, rng)
    if config.pretrain:
        learner = Supervised(model, {"clone": Clone(CloneConfig())}, config.learner)
        with fitting_threads(len(model.flat.value)):
            learn(Run({"agent": Behavior(shown, learner)}, Progress(config.pretrain)))
        model.flat.value[:] = learner.average
    term: dict[str, LossTerm] = {}
    if config.clone.weight:
        term["clone"] = Beside(Clone(config.clone), shown.draw)
    return shown, term
