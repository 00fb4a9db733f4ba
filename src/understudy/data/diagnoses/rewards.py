"""Diagnoses of what was received: missing rewards, rewards that say nothing or the opposite."""

from __future__ import annotations

import numpy as np

from understudy.data.diagnoses.evidence import Evidence
from understudy.data.diagnoses.finding import Finding, Severity
from understudy.data.episode import End

FEWEST_EPISODES = 8
CHANCE = 0.005
"""Probability of chance below which it is not chance."""
SHUFFLES = 2_000


def no_rewards(e: Evidence) -> Finding | None:
    """Episodes without rewards."""
    lives = [life for life in e.lives if life.length]
    without = sum(life.rewards is None for life in lives)
    if not without:
        return None
    return Finding(
        name="no_rewards",
        severity=Severity.DOUBTFUL,
        says=f"{without:,} of {len(lives):,} episodes have no rewards",
        means="bc, gail and dac need none; but nobody can say how good the demonstrations are, "
        "and --best and --min-return have nothing to choose by",
        advice="record the environment's reward beside the actions; demos play FILE --replay "
        "says what they earn where seeds were recorded",
    )


def constant_rewards(e: Evidence) -> Finding | None:
    """Rewards that are all the same and say nothing of whether the task was done."""
    known = [life for life in e.lives if life.rewards is not None and not life.bad_rewards]
    if not known:
        return None
    least = min(life.rewards[0] for life in known if life.rewards)
    most = max(life.rewards[1] for life in known if life.rewards)
    ended = sum(life.end is End.TERMINATED for life in known)
    # A constant price that a task's end stops, or a constant wage that lasts, says enough.
    if least != most or most > 0 or (most < 0 and ended):
        return None
    steps = sum(life.length for life in known)
    says = f"all {steps:,} rewards are {most:g}"
    return Finding(
        name="constant_rewards",
        severity=Severity.DOUBTFUL,
        says=says if most == 0 else f"{says}, and no episode terminated",
        means="either what is rewarded was never reached, or rewards were not recorded: a return "
        "cannot tell a good demonstration from a bad one",
        advice="watch some of them (demos play FILE); record the environment's own reward, or "
        "mark what succeeded with demos tag FILE --add success",
    )


def reward_sign(e: Evidence) -> Finding | None:
    """Rewards that pay for failing: the wrong sign, or a price that an early end saves."""
    says = _negated(e) or _failure_pays(e) or _early_end_pays(e)
    if says is None:
        return None
    return Finding(
        name="reward_sign",
        severity=Severity.WRONG if _negated(e) else Severity.DOUBTFUL,
        says=says,
        means="whatever learns from this reward (ppo, sac, guided, --best) is taught to fail",
        advice="turn costs into rewards (minus), pay for what is wanted rather than charge for "
        "every step, or learn from the demonstrations alone (bc, gail)",
    )


def _negated(e: Evidence) -> str | None:
    """The environment pays the opposite."""
    if e.task is None or not e.task.again:
        return None
    recorded = np.concatenate([a.recorded for a in e.task.again])
    received = np.concatenate([a.received for a in e.task.again])
    if len(recorded) < 10 or not np.abs(received).max():
        return None
    near = 1e-3 * np.maximum(1.0, np.abs(received))
    opposite = (np.abs(recorded + received) <= near).mean()
    alike = (np.abs(recorded - received) <= near).mean()
    if opposite < 0.95 or alike > 0.5:
        return None
    return (
        f"done again in {e.task.env_id}, {opposite:.0%} of {len(recorded):,} steps earn the "
        f"opposite of what was recorded: {received.sum():.4g} in all instead of "
        f"{recorded.sum():.4g}"
    )


def _failure_pays(e: Evidence) -> str | None:
    """Episodes that failed, as somebody said, brought more than those that succeeded."""
    told = [life for life in e.lives if life.success is not None and np.isfinite(life.return_)]
    good = np.array([bool(life.success) for life in told])
    if len(told) < FEWEST_EPISODES or not 2 <= good.sum() <= len(told) - 2:
        return None
    returns = np.array([life.return_ for life in told])
    ranks = np.argsort(np.argsort(returns, kind="stable"), kind="stable").astype(np.float64)
    gap = ranks[good].mean() - ranks[~good].mean()
    if gap >= 0 or _chance(ranks, good.astype(np.float64)) > CHANCE:
        return None
    return (
        f"{good.sum():,} episodes that succeeded brought {np.median(returns[good]):.4g} (median), "
        f"{(~good).sum():,} that failed {np.median(returns[~good]):.4g}"
    )


def _early_end_pays(e: Evidence) -> str | None:
    """All steps cost, ends are punished, and yet the sooner they come the more is left."""
    ended = [life for life in e.lives if life.end is End.TERMINATED and life.rewards is not None]
    if len(ended) < FEWEST_EPISODES:
        return None
    most = max(life.rewards[1] for life in ended if life.rewards)
    last = np.array([life.rewards[2] for life in ended if life.rewards])
    lengths = np.array([life.length for life in ended], np.float64)
    returns = np.array([life.return_ for life in ended])
    before = (returns - last) / np.maximum(1, lengths - 1)
    # The last reward of a task that was done is no worse than those before it.
    if most > 0 or np.median(last) >= 2 * np.median(before) or not np.ptp(lengths):
        return None
    slope = np.corrcoef(lengths, returns)[0, 1]
    if not slope < 0 or _chance(lengths, returns) > CHANCE:
        return None
    short = returns[lengths <= np.median(lengths)].mean()
    long = returns[lengths > np.median(lengths)].mean()
    return (
        f"no reward is above 0, the last one is a punishment ({np.median(last):.4g} after "
        f"{np.median(before):.4g} a step), and yet short episodes bring {short:.4g} and long ones "
        f"{long:.4g} on average: failing early pays"
    )


def _chance(x: np.ndarray, y: np.ndarray) -> float:
    """How often shuffled pairs are related as clearly as these are (a permutation test)."""
    rng = np.random.default_rng(0)
    x, y = x - x.mean(), y - y.mean()
    found = abs(float(x @ y))
    shuffled = np.array([abs(float(x @ rng.permutation(y))) for _ in range(SHUFFLES)])
    return float((1 + (shuffled >= found * (1 - 1e-9)).sum()) / (1 + SHUFFLES))
