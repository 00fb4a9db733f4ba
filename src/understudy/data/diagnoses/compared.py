"""Diagnoses of the recording beside its environment and what is installed here."""

from __future__ import annotations

import numpy as np

from understudy.data.diagnoses.evidence import Evidence, listed
from understudy.data.diagnoses.finding import Finding, Severity

FEWEST_MATCHED = 3
"""Steps that must come back before it is said how they were done."""
FEWEST_EPISODES = 5


def other_task(e: Evidence) -> Finding | None:
    """An environment in which other things are seen or done."""
    if e.task is None or (difference := e.spec.difference(e.task.spec)) is None:
        return None
    return Finding(
        name="other_task",
        severity=Severity.WRONG,
        says=f"this was not recorded in {e.task.env_id} as it is: {difference}",
        means="a policy that is learned from it cannot act there",
        advice="name the environment that was recorded, with the same wrappers and settings",
    )


def other_bounds(e: Evidence) -> Finding | None:
    """Bounds of actions that the recording and the environment do not agree on."""
    if e.task is None or e.spec.difference(e.task.spec) is not None:
        return None
    mine, theirs = e.spec.action, e.task.spec.action
    if not mine.bounded or not theirs.bounded:
        return None
    ours, there = np.array([mine.low, mine.high]), np.array([theirs.low, theirs.high])
    width = np.maximum(there[1] - there[0], 1e-12)
    other = np.flatnonzero((np.abs(ours - there) > 0.01 * width).any(0))
    if not len(other):
        return None
    c = int(other[0])
    return Finding(
        name="other_bounds",
        severity=Severity.WRONG,
        says=f"action{'s' * (len(other) > 1)} {listed(other.tolist())} may be from "
        f"{ours[0, c]:.4g} to {ours[1, c]:.4g} in the recording, and from {there[0, c]:.4g} to "
        f"{there[1, c]:.4g} in {e.task.env_id}",
        means="the same number means another strength of action there",
        advice="wrap the environment as it was wrapped (gymnasium.wrappers.RescaleAction), or "
        "scale the actions",
    )


def frame_skip(e: Evidence) -> Finding | None:
    """Every recorded step is several of the environment's."""
    if e.task is None:
        return None
    for times in sorted({k for a in e.task.again for k in a.matched if k > 1}):
        came = [a for a in e.task.again if _matches(a.matched.get(times, 0), a.steps)]
        if came and all(a.matched[1] < a.matched[times] for a in came):
            steps = sum(a.matched[times] for a in came)
            return Finding(
                name="frame_skip",
                severity=Severity.WRONG,
                says=f"every recorded step is {times} steps of {e.task.env_id}: with each action "
                f"done {times} times, {steps:,} of {sum(a.steps for a in came):,} observations "
                f"come back; done once, {sum(a.matched[1] for a in came):,}",
                means=f"a policy that is cloned from it decides {times} times as often as the "
                "demonstrator did, and sees changes that are too small",
                advice=f"use the environment with each action repeated {times} times, as it was "
                "recorded",
            )
    return None


def late_actions(e: Evidence) -> Finding | None:
    """Done again, the observations come back only with every action one step earlier."""
    if e.task is None:
        return None
    came = [a for a in e.task.again if _matches(a.next_matched, a.steps)]
    if not came or any(a.matched[1] >= a.next_matched for a in came):
        return None
    return Finding(
        name="late_actions",
        severity=Severity.WRONG,
        says=f"done again in {e.task.env_id}, {sum(a.next_matched for a in came):,} of "
        f"{sum(a.steps for a in came):,} observations come back with the action of the next step, "
        f"and {sum(a.matched[1] for a in came):,} with the step's own",
        means="observations and actions are paired one step off",
        advice="pair obs[t] with actions[t+1]; ML-Agents files: --alignment next_record",
    )


def not_reproduced(e: Evidence) -> Finding | None:
    """The environment brings something else back, however the actions are done."""
    if e.task is None or not e.task.again or frame_skip(e) or late_actions(e):
        return None
    tried = [a for a in e.task.again if a.steps]
    odd = [a for a in tried if not a.begins or a.matched[1] < min(FEWEST_MATCHED, a.steps)]
    if not tried or len(odd) < len(tried):
        return None
    begins = sum(a.begins for a in odd)
    where = "begin as recorded and differ at once" if begins else "begin elsewhere"
    return Finding(
        name="not_reproduced",
        severity=Severity.DOUBTFUL,
        says=f"reset to their seeds, {len(odd):,} of {len(tried):,} episodes {where} in "
        f"{e.task.env_id}",
        means="the environment has other settings or another version than the recorded one, or "
        "chance that no seed determines: what is learned may not fit it",
        advice="compare wrappers, settings and versions; demos play FILE --replay says where it "
        "differs, and by how much; understudy doctor ENV says whether the seed determines it",
    )


def other_versions(e: Evidence) -> Finding | None:
    """Software that differs in its first two numbers from what was recorded with."""
    recorded = e.demos.provenance.versions
    here = e.installed if e.task is None else {**e.installed, **e.task.versions}
    other = [
        f"{name} {version} (here {here[name]})"
        for name, version in sorted(recorded.items())
        # Its files keep their meaning from version to version.
        if name != "understudy" and name in here and _release(version) != _release(here[name])
    ]
    if not other:
        return None
    tried = [a for a in (e.task.again if e.task else ()) if a.steps]
    if tried and all(a.matched[1] == a.steps for a in tried):
        return None
    return Finding(
        name="other_versions",
        severity=Severity.DOUBTFUL,
        says=f"recorded with {', '.join(other)}",
        means="simulators change their physics and their observations from version to version",
        advice="demos play FILE --replay says whether it matters; else install what was recorded "
        "with, or record again",
    )


def below_threshold(e: Evidence) -> Finding | None:
    """Demonstrations that are not as good as the environment calls solved."""
    threshold = None if e.task is None else e.task.reward_threshold
    returns = e.returns[np.isfinite(e.returns)]
    if threshold is None or e.task is None or len(returns) < FEWEST_EPISODES:
        return None
    error = float(returns.std(ddof=1)) / np.sqrt(len(returns))
    if returns.mean() + 3 * error >= threshold:
        return None
    return Finding(
        name="below_threshold",
        severity=Severity.DOUBTFUL,
        says=f"the demonstrations bring {returns.mean():.4g} ± {error:.2g} on average, "
        f"{e.task.env_id} counts as solved at {threshold:.4g}",
        means="a clone is hardly ever better than who it was shown by",
        advice="learn from the best of them (--best 20%), show it again with a better "
        "demonstrator, or let reward help (--with guided)",
    )


def _matches(came: int, steps: int) -> bool:
    return came >= min(FEWEST_MATCHED, steps) and came >= 0.5 * steps and steps > 0


def _release(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])
