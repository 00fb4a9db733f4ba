"""Diagnoses of whether actions follow from observations at all, and from which."""

from __future__ import annotations

import numpy as np

from understudy.data.diagnoses.evidence import Evidence
from understudy.data.diagnoses.finding import Finding, Severity
from understudy.data.diagnoses.nearness import APART

NEAR = 0.1
"""Of the distance of two situations drawn at random: nearer ones are nearly equal."""
FEWEST_NEAR = 40
CONFLICT, CHANCE = 0.45, 0.85
"""How far actions are from those of nearly equal situations: doubtful, and as if by chance."""


def memory_needed(e: Evidence) -> Finding | None:
    """Nearly equal observations, different actions, and the step before explains them."""
    conflict = _conflict(e)
    if conflict is None or e.near is None or not _history_helps(e):
        return None
    now, then = e.near.skill("now"), e.near.skill("history")
    return Finding(
        name="memory_needed",
        severity=Severity.DOUBTFUL,
        says=f"nearly equal observations, {conflict:.0%} as different actions as in situations "
        f"drawn at random; one observation explains {max(0.0, now):.0%} of the actions, with the "
        f"step before {then:.0%}",
        means="the demonstrator knew something that one observation does not show, such as speeds; "
        "a policy without memory cannot do it, however well it learns",
        advice="learn with a memory (net.memory=64), or show what is missing in the observation",
    )


def contradictory(e: Evidence) -> Finding | None:
    """Nearly equal observations, different actions, and the step before does not explain them."""
    conflict = _conflict(e)
    if conflict is None or e.near is None or _history_helps(e):
        return None
    close = int((e.near.distance < NEAR).sum())
    return Finding(
        name="contradictory",
        severity=Severity.WRONG if conflict > CHANCE else Severity.DOUBTFUL,
        says=f"in {close:,} pairs of nearly equal observations of different episodes, actions "
        f"differ {conflict:.0%} as much as in situations drawn at random",
        means="actions do not follow from what was seen: chance, several ways of doing it, or a "
        "demonstrator who saw more than was recorded",
        advice="record what the demonstrator looks at; keep one demonstrator and one way per file; "
        "leave out what was done by chance (demos filter --no-tag)",
    )


def held_actions(e: Evidence) -> Finding | None:
    """The previous action explains the action far better than the observation does."""
    near = e.near
    if near is None:
        return None
    now, held = near.skill("now"), near.skill("held")
    if held < 0.5 or held < max(0.0, now) + 0.3 or not near.better("held", "now"):
        return None
    return Finding(
        name="held_actions",
        severity=Severity.DOUBTFUL,
        says=f"the previous action explains {held:.0%} of the actions, the observation "
        f"{max(0.0, now):.0%}",
        # de Haan, Jayaraman and Levine (2019), arXiv:1905.11979; Wen et al. (2020),
        # arXiv:2010.14876.
        means="a policy that remembers learns to repeat itself: it looks good on recordings and "
        "never starts or stops by itself",
        advice="decide less often (one recorded step for several of the environment's); learn "
        "without memory and without past actions in the observation; judge by understudy evaluate",
    )


def misaligned(e: Evidence) -> Finding | None:
    """Actions that belong to the step before or after."""
    if e.dynamics is None or e.dynamics.best not in (-1, 1):
        return None
    best, scores = e.dynamics.best, e.dynamics.scores
    margin = scores[best] - max(score for shift, score in scores.items() if shift != best)
    # Paired rightly, whatever the second observation says of the next action, the first one says of
    # this one; so the next one stands out only if the pairing is wrong, or if the demonstrator
    # remembers, and then it does not stand out alone. A lag of the physics looks like a pairing
    # that is one step early.
    if margin < max(0.05, 2 / np.sqrt(len(e.steps))):
        return None
    way = "next" if best > 0 else "last"
    agreed = e.near is not None and e.near.better(way, "now")
    sure = agreed or bool(e.demos.provenance.alignment) or (scores[best] > 0.95 and margin > 0.1)
    return Finding(
        name="misaligned",
        severity=Severity.WRONG if sure else Severity.DOUBTFUL,
        says=f"what happened between two observations is explained by the action of the step "
        f"{'after' if best > 0 else 'before'} ({scores[best]:.2f}) better than by the one recorded "
        f"beside them ({scores[0]:.2f}, {e.dynamics.measure} on held-out steps)",
        means="observations and actions are paired one step off: the policy learns to act late or "
        "early, which is the commonest reason why a perfect clone fails",
        advice=f"ML-Agents files: --alignment {_other(e.demos.provenance.alignment)}; own arrays: "
        f"pair obs[t] with actions[t{best:+d}]; --env ENV tries it where seeds were recorded",
    )


def uncovered(e: Evidence) -> Finding | None:
    """What is learned in some episodes does not carry over to the others."""
    near = e.near
    if near is None:
        return None
    now, within = near.skill("now"), near.skill("within")
    far = np.nanmedian(near.distance) > 2 * np.nanmedian(near.own_distance)
    if not (within > 0.3 and now < 0.5 * within and far and near.better("within", "now")):
        return None
    return Finding(
        name="uncovered",
        severity=Severity.WRONG if now < 0.1 * within else Severity.DOUBTFUL,
        says=f"the nearest situation in another episode is "
        f"{np.nanmedian(near.distance) / max(np.nanmedian(near.own_distance), 1e-3):.3g} times as "
        f"far as in the same one ({APART} steps away or more), and explains {max(0.0, now):.0%} of "
        f"the actions instead of {within:.0%}",
        means=f"each of {len(e.lives):,} episodes shows a part of the task of its own: a policy "
        "learns each by heart, and knows nothing of the next one",
        advice="record more episodes (understudy record ENV --append) from more beginnings; see "
        "whether held-out likelihood rises with their number",
    )


def _conflict(e: Evidence) -> float | None:
    """How far actions of nearly equal observations are apart, where it is far."""
    # Thumbnails and sums of entities may be alike where what was seen is not.
    if e.near is None or any(obs.kind in ("image", "entities") for obs in e.spec.obs.values()):
        return None
    close = e.near.distance < NEAR
    if close.sum() < FEWEST_NEAR:
        return None
    conflict = float(e.near.conflict[close].mean())
    return conflict if conflict > CONFLICT else None


def _history_helps(e: Evidence) -> bool:
    """Whether the step before explains half of what one observation leaves open."""
    assert e.near is not None, "asked only where situations were compared"
    now, then = e.near.skill("now"), e.near.skill("history")
    return 1 - then < 0.5 * (1 - now) and e.near.better("history", "now")


def _other(alignment: str | None) -> str:
    return "same_record" if alignment == "next_record" else "next_record"
