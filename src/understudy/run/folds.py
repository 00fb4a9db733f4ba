"""Cross-validation: every episode judged once by a policy that has not learned from it.

One split of ten recordings says more about which two were held out than about the policy. So the
run is repeated with each part of the episodes held out in turn, and all held-out steps are judged
together (Stone, 1974).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from understudy.data.demos import Demos
from understudy.data.spec import Spec
from understudy.run.cloning import BCConfig, Cloning, Split
from understudy.run.held_out import HeldOutReport, judged, pooled


def cross_validate(
    spec: Spec,
    demos: Demos,
    config: BCConfig,
    tell: Callable[[int, int], None] = lambda fold, folds: None,
) -> HeldOutReport | None:
    """Judge learning from these demonstrations with these settings.

    Every fold keeps the weights that the settings say; those of `best` are chosen by the fold's
    own held-out episodes, which flatters them a little.

    Args:
        spec: What is seen and done.
        demos: What was shown.
        config: The settings; `held_out.folds` says how often.
        tell: Called before every fold with its number, from 1, and how many there are.

    Returns:
        The report over all episodes; None with fewer than two folds or episodes. A fold that has
        no step on one side on which anybody said what to do is left out.
    """
    chosen = demos if config.best == 1 else demos.best(config.best)
    chosen = chosen.pick(np.flatnonzero(chosen.lengths > 0))
    folds = min(config.held_out.folds, len(chosen))
    if folds < 2:
        return None
    order = np.random.default_rng(config.seed).permutation(len(chosen))
    found = []
    for fold in range(folds):
        tell(fold + 1, folds)
        learned, held = np.delete(order, np.s_[fold::folds]), order[fold::folds]
        ours, theirs = (chosen.pick(part).rows().labeled for part in (learned, held))
        if not (ours.acted.any() and theirs.acted.any()):
            continue
        divided = Split(ours, theirs, None)
        cloning = Cloning(spec, chosen, config, _ignore, divided)
        cloning.learn()
        cloning.use(cloning.kept)
        found.append(judged(cloning.model, ours, theirs))
    return pooled(found) if found else None


def _ignore(line: Mapping[str, Any]) -> None:
    """Nobody reads the log of a fold."""
