"""Diagnoses of episodes as wholes: repeated ones, odd ones, how they ended."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from understudy.data.diagnoses.evidence import Evidence, Life, leaving_out, listed
from understudy.data.diagnoses.finding import Finding, Severity
from understudy.data.episode import End

FEWEST_EPISODES = 8
FAR = 6.0
"""Robust standard deviations below the median from which on a return is far from the others."""
FAR_SHARE = 0.75
"""Of the median's size, that they must be below it as well."""
MOST_FAR = 0.15
"""Share of the episodes that may be far below; more of them are no exception."""
EFFECTIVE = 0.3
"""Share of the episodes that lengths must leave effective (Kish, 1965)."""


def few_episodes(e: Evidence) -> Finding | None:
    """No episode, one only, or episodes without any step."""
    if not e.lives and not e.unread:
        says = "there is no episode"
        means = "there is nothing to learn from"
        advice = "record some (understudy record ENV --append)"
    elif len(e.lives) == 1 and not e.unread:
        says = "there is a single episode"
        means = (
            "it cannot be told whether anything carries over to another one: nothing is held out"
        )
        advice = "record more episodes (understudy record ENV --append), from other beginnings"
    elif empty := [life.number for life in e.lives if not life.length]:
        says = f"{len(empty):,} of {len(e.lives):,} episodes have no step: {listed(empty)}"
        means = "the recorder began episodes and nothing was done in them"
        advice = "look how it is started; demos filter FILE --min-length 1 -o OUT leaves them out"
    else:
        return None
    return Finding(
        name="few_episodes",
        severity=Severity.DOUBTFUL if e.lengths.any() else Severity.WRONG,
        says=says,
        means=means,
        advice=advice,
    )


def duplicates(e: Evidence) -> Finding | None:
    """The same episode more than once."""
    first: dict[bytes, Life] = {}
    again: list[tuple[Life, Life]] = []
    for life in e.lives:
        if life.length:
            known = first.setdefault(life.print, life)
            if known is not life:
                again.append((life, known))
    # A small task is lived through again in the same way, from other seeds: no mistake is in that.
    natural = [p for p in again if None not in (p[0].seed, p[1].seed) and p[0].seed != p[1].seed]
    copied = [p for p in again if p not in natural]
    pairs = copied or (natural if len(natural) > len(e.lives) / 2 else [])
    if not pairs:
        return None
    alike = len({life.begins for life in e.lives}) == 1
    by_nature = alike or not copied
    which = listed([f"{life.number} as {known.number}" for life, known in pairs])
    return Finding(
        name="duplicates",
        severity=Severity.DOUBTFUL if by_nature else Severity.WRONG,
        says=f"{len(pairs):,} of {len(e.lives):,} episodes repeat an earlier one: {which}"
        + ("" if copied else ", though their seeds differ")
        + ("; all begin with the same observation" if alike else ""),
        means="what is held out has been learned, so held-out figures are too good; and what is "
        "repeated counts double",
        advice=(
            "if the task goes like this by itself, more episodes tell nothing new; else "
            * by_nature
        )
        + leaving_out(e, [life.number for life, _ in pairs]),
    )


def uneven_lengths(e: Evidence) -> Finding | None:
    """A few long episodes that hold most of the steps."""
    lengths = e.lengths.astype(np.float64)
    if len(lengths) < FEWEST_EPISODES or not lengths.sum():
        return None
    # Kish (1965): as many equal weights would leave a mean as certain.
    effective = lengths.sum() ** 2 / (lengths**2).sum()
    if effective >= EFFECTIVE * len(lengths):
        return None
    top = np.sort(lengths)[::-1]
    count = max(1, round(0.1 * len(lengths)))
    return Finding(
        name="uneven_lengths",
        severity=Severity.DOUBTFUL,
        says=f"the longest {count:,} of {len(lengths):,} episodes hold "
        f"{top[:count].sum() / top.sum():.0%} of the steps: lengths reach from {int(top[-1]):,} to "
        f"{int(top[0]):,}, the median is {np.median(lengths):,.0f}",
        means="every step counts the same, so what is learned is what was done in the long ones",
        advice=f"demos cut FILE --rows :{int(np.quantile(lengths, 0.75))} -o OUT shortens them, or "
        "demos filter --max-length leaves them out",
    )


def worse_than_rest(e: Evidence) -> Finding | None:
    """A few episodes whose return is far below that of the others."""
    returns = e.returns
    # What stopped in the middle would have gone on.
    known = np.isfinite(returns) & np.array([life.end is not End.OPEN for life in e.lives], bool)
    if known.sum() < FEWEST_EPISODES:
        return None
    middle = float(np.median(returns[known]))
    # 1.4826: of a normal distribution, that makes the median deviation a standard deviation.
    spread = 1.4826 * float(np.median(np.abs(returns[known] - middle)))
    far = max(FAR * spread, FAR_SHARE * abs(middle), 1e-9)
    below = [n for n, x in enumerate(returns) if known[n] and x < middle - far]
    if not below or len(below) > MOST_FAR * known.sum():
        return None
    rest, kept = max(returns[n] for n in below), returns[known & (returns >= middle - far)]
    # Tasks have easy and hard beginnings: only a gap as wide as all the others are apart counts.
    if kept.min() - rest < np.ptp(kept):
        return None
    return Finding(
        name="worse_than_rest",
        severity=Severity.DOUBTFUL,
        says=f"{len(below):,} of {known.sum():,} episodes brought {rest:.4g} or less, the median "
        f"is {middle:.4g}: {listed([e.lives[n].number for n in below])}",
        means="failures are learned from as if they were examples",
        advice=f"watch them (demos play FILE --max-return {rest:.4g}); leave them out with "
        f"demos filter FILE --min-return {math.floor(rest) + 1} -o OUT, or learn with --best 90%",
    )


def ends_unknown(e: Evidence) -> Finding | None:
    """Episodes of which nobody knows why they ended, or that were left in the middle."""
    counts = Counter(life.end for life in e.lives)
    unknown, left = counts[End.UNKNOWN], counts[End.OPEN]
    if unknown:
        says = f"{unknown:,} of {len(e.lives):,} episodes do not say why they ended"
        advice = "from_arrays(..., ends=...) says it in Python; recordings of understudy know it"
    elif left > max(1, 0.2 * len(e.lives)):
        says = f"{left:,} of {len(e.lives):,} episodes stop in the middle"
        advice = "let the recorder finish episodes; demos filter FILE --end terminated --end "
        advice += "truncated -o OUT keeps those that did"
    else:
        return None
    return Finding(
        name="ends_unknown",
        severity=Severity.DOUBTFUL,
        says=says,
        means="cloning does not mind; methods that learn values (sac, dac, sqil) cannot know "
        "whether more would have been received after the last step",
        advice=advice,
    )


def limit_as_end(e: Evidence) -> Finding | None:
    """Time limits that are recorded as if the task had been over."""
    over = np.array([life.length for life in e.lives if life.end is End.TERMINATED])
    longest = int(e.lengths.max(initial=0))
    limit = None if e.task is None else e.task.time_limit
    at = int((over == (limit or longest)).sum())
    # Without the environment's word, ends that agree so well that no task explains it.
    certain = limit is not None and at >= 2 and any(life.end is End.TERMINATED for life in e.lives)
    likely = limit is None and at >= 5 and at >= 0.8 * len(over) and longest >= 10
    if not certain and not likely:
        return None
    steps = limit or longest
    whose = f", which is the time limit of {e.task.env_id}" if e.task and limit else ""
    return Finding(
        name="limit_as_end",
        severity=Severity.WRONG if certain else Severity.DOUBTFUL,
        says=f"{at:,} of {len(over):,} episodes that terminated did so after exactly {steps:,} "
        f"steps{whose or ', which looks like a time limit'}",
        means="terminated says that nothing more was to be had: values that are learned from it "
        "are too low, and the policy is taught that standing there ends the world",
        advice="record truncated=True at a time limit (ends='truncated' in from_arrays)",
    )


def last_unseen(e: Evidence) -> Finding | None:
    """Episodes without their last observation."""
    without = [life.number for life in e.lives if life.length and not life.final_obs_known]
    if not without:
        return None
    return Finding(
        name="last_unseen",
        severity=Severity.DOUBTFUL,
        says=f"{len(without):,} of {len(e.lives):,} episodes lack what was seen after their last "
        "action",
        means="cloning does not mind; methods that look at transitions (gail, dac, sac) lose the "
        "last one, which often matters most",
        advice="record T + 1 observations for T actions; understudy record does",
    )
