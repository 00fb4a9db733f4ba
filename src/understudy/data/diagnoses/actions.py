"""Diagnoses of what was done: bounds, scale, and how the actions are spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.data.diagnoses.evidence import ACTION, Evidence, listed
from understudy.data.diagnoses.finding import Finding, Severity

FEWEST_STEPS = 100
SATURATED = 0.8
ONE_CHOICE = 0.95
UNUSED = 0.05
"""Share of the bounds' range below which actions hardly use it."""


def outside_bounds(e: Evidence) -> Finding | None:
    """Actions beyond the bounds of the environment, or of the recording."""
    low, high = e.limits
    found = e.columns[ACTION]
    slack = 1e-5 * np.maximum(1.0, np.where(np.isfinite(high - low), high - low, 1.0))
    beyond = np.flatnonzero((found.least < low - slack) | (found.most > high + slack))
    if not len(beyond):
        return None
    x = e.steps.action.continuous[:, beyond].astype(np.float64)
    wrong = (x < low[beyond] - slack[beyond]) | (x > high[beyond] + slack[beyond])
    share = float(wrong.any(1).mean()) if len(x) else 0.0
    c = int(beyond[0])
    whose = "the recording's" if e.task is None else f"{e.task.env_id}'s"
    return Finding(
        name="outside_bounds",
        severity=Severity.WRONG if share > 0.01 else Severity.DOUBTFUL,
        says=f"continuous action{'s' * (len(beyond) > 1)} {listed(beyond.tolist())} leave "
        f"{whose} bounds in {share:.1%} of the steps; {c} reaches from {found.least[c]:.4g} to "
        f"{found.most[c]:.4g}, allowed is {low[c]:.4g} to {high[c]:.4g}",
        means="actions are cut at the bounds when they are done, so what is learned is not what "
        "happens",
        advice="bring them to the environment's units before loading (from_arrays takes arrays); "
        "or record what was executed",
    )


def scale(e: Evidence) -> Finding | None:
    """Actions between -1 and 1, or in a corner of the range, where the bounds are others."""
    low, high = e.limits
    found = e.columns[ACTION]
    if not len(low) or len(e.steps) < FEWEST_STEPS or not np.isfinite([low, high]).all():
        return None
    reach = np.maximum(np.abs(found.least), np.abs(found.most))
    theirs = np.maximum(np.abs(low), np.abs(high))
    if (reach <= 1 + 1e-6).all() and reach.max() > 0.95 and (theirs >= 1.5).all():
        x = np.abs(e.steps.action.continuous.astype(np.float64))
        cut = float((np.abs(x - 1) < 1e-6).any(1).mean())
        says = f"actions reach from {found.least.min():.3g} to {found.most.max():.3g}"
        also = f", and {cut:.0%} of the steps have one at exactly 1 or -1" if cut else ""
        severity = Severity.WRONG if cut > 0.01 else Severity.DOUBTFUL
        says, cause = f"{says}{also}", "they look normalized to [-1, 1]"
    elif (found.most - found.least <= UNUSED * (high - low)).all() and (
        found.most > found.least
    ).any():
        share = float(((found.most - found.least) / (high - low)).max())
        says = f"actions use at most {share:.1%} of the range of their bounds"
        cause, severity = "they may be in other units", Severity.DOUBTFUL
    else:
        return None
    return Finding(
        name="scale",
        severity=severity,
        says=f"{says}; the bounds are {_range(low, high)}: {cause}",
        means="done as they are, they would be too weak; a policy that clones them fails in ways "
        "that look like bad learning",
        advice="scale them to the environment's units (low + (a + 1) * (high - low) / 2), or "
        "use the environment with gymnasium.wrappers.RescaleAction(env, -1, 1)",
    )


def saturated(e: Evidence) -> Finding | None:
    """Continuous actions that are nearly always at their bounds."""
    low, high = e.limits
    x = e.steps.action.continuous.astype(np.float64)
    if not len(low) or len(x) < FEWEST_STEPS:
        return None
    # Against the data's own range too: actions that were cut elsewhere pile up at another place.
    at = _piled(x, low, high)
    own = _piled(x, x.min(0), x.max(0)) * (x.max(0) > x.min(0))
    share = np.maximum(at, own)
    many = np.flatnonzero(share > SATURATED)
    if not len(many):
        return None
    return Finding(
        name="saturated",
        severity=Severity.DOUBTFUL,
        says=f"continuous action{'s' * (len(many) > 1)} {listed(many.tolist())} are exactly at "
        f"a bound in {share[many].min():.0%} of the steps or more",
        means="either it is really done all or nothing, which a normal distribution fits badly; "
        "or the demonstrator wanted more than was recorded",
        advice="look whether the bounds are too narrow or a gain too large; where it is all or "
        "nothing, make it a choice (Discrete) instead",
    )


def one_action(e: Evidence) -> Finding | None:
    """Actions that never change, and choices that are nearly always the same."""
    if len(e.steps) < FEWEST_STEPS:
        return None
    still = e.columns[ACTION].constant.tolist()
    parts = [f"continuous action {c} is always {e.columns[ACTION].least[c]:.4g}" for c in still]
    for k, size in enumerate(e.spec.action.branches):
        share = np.bincount(e.steps.action.discrete[:, k], minlength=size) / len(e.steps)
        if size > 1 and share.max() >= ONE_CHOICE:
            rare = 1 - share.max()
            parts.append(
                f"choice {share.argmax()} of branch {k} has {share.max():.1%} of the steps"
            )
            if rare:
                parts[-1] += f", all others {rare:.1%}"
    if not parts:
        return None
    width = e.spec.action.continuous + len(e.spec.action.branches)
    same = len(still) + sum(len(np.unique(x)) == 1 for x in e.steps.action.discrete.T)
    return Finding(
        name="one_action",
        severity=Severity.WRONG if same == width else Severity.DOUBTFUL,
        says="; ".join(parts),
        means="a policy that always does this is right nearly always, and accuracy says nothing; "
        "the moments that matter are the rare ones",
        advice="show more of the moments in which something else is done; judge a policy by "
        "'understudy evaluate', not by accuracy",
    )


def _piled(
    x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`[C]` share of the steps that are at a bound, within what float32 rounds."""
    near = 1e-6 * np.maximum(1.0, np.where(np.isfinite(high - low), np.abs(high - low), 1.0))
    return ((np.abs(x - low) <= near) | (np.abs(x - high) <= near)).mean(0)


def _range(low: NDArray[np.float64], high: NDArray[np.float64]) -> str:
    if len(set(low.tolist())) == len(set(high.tolist())) == 1:
        return f"{low[0]:.4g} to {high[0]:.4g}"
    return f"{low.min():.4g} to {high.max():.4g} at the widest"
