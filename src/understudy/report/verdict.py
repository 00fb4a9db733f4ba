"""What held-out figures say, in plain words, without making them look better than they are.

The level comes from the *skill* of every part of the action: which share of the commonest action's
mistakes the policy does not make. A part that is always the same in the held-out steps cannot be
judged and counts for nothing. With the mean skill over the other parts:

- `none`: at most `NO_SKILL`, and the policy's probabilities know no more than frequencies do.
- `partial`: more than that; or a policy that repeating the previous action would beat.
- `good`: at least `GOOD_SKILL`, no part below `PART_SKILL`, nothing beaten by a baseline.
- `unsure`: fewer than `FEW_STEPS` held-out steps whose rough interval reaches into another level;
  or all of them from one episode, whose steps resemble each other; or nothing that can be judged.

Likeness is not success: nothing here says whether the policy does the task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from understudy.report.parts import Part, interval, nats, parts, percent
from understudy.run.held_out import HeldOutReport

Level = Literal["good", "partial", "none", "unsure"]

NO_SKILL, PART_SKILL, GOOD_SKILL = 0.05, 0.25, 0.6
FEW_STEPS = 200
WEAK = 0.5
"""A policy that explains less of a number's variance is called weak."""
MARGIN = 0.005
"""Shares that differ by less are called equal."""
LEARNED_BY_HEART = 0.1
"""How much better the training figure may be before it is mentioned."""
NATS = 0.02
"""Log-likelihoods per step that differ by less are called equal."""
MOST_NAMED = 4

ONLY_AN_ENVIRONMENT = (
    "This says how like the demonstrator it acts. Only an environment can say whether it does the "
    "task."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to think of a policy.

    Attributes:
        level: See the module.
        sentences: The reasons, the most important first, each with its numbers.
    """

    level: Level
    sentences: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The level in words."""
        return {
            "good": "Acts much like the demonstrator",
            "partial": "Acts only partly like the demonstrator",
            "none": "Has learned nothing from what it sees",
            "unsure": "Too little was held out to tell",
        }[self.level]


def judge(report: HeldOutReport, *, evaluated: bool = False) -> Verdict:
    """The verdict.

    Args:
        report: The figures.
        evaluated: An environment has been asked as well, so nobody need be reminded of it.
    """
    judged = tuple(p for p in parts(report) if p.judged) if report.steps else ()
    reminder = () if evaluated else (ONLY_AN_ENVIRONMENT,)
    if not judged:
        return Verdict("unsure", (_nothing_to_judge(report), *reminder))
    rules: tuple[Callable[[HeldOutReport, tuple[Part, ...]], str], ...] = (
        _against_commonest,
        _against_previous,
        _how_much_explained,
        _weakest,
        _strays,
        _never_chosen,
        _overconfident,
        _by_heart,
        _few,
    )
    said = (rule(report, judged) for rule in rules)
    return Verdict(_level(report, judged), (*(s for s in said if s), *reminder))


def _level(report: HeldOutReport, judged: tuple[Part, ...]) -> Level:
    if report.episodes < 2:
        return "unsure"
    level = _level_at(report, judged, [p.policy for p in judged])
    if report.steps >= FEW_STEPS:
        return level
    ends = zip(*(interval(p.kind, p.policy, report.steps) for p in judged), strict=True)
    same = all(_level_at(report, judged, list(figures)) == level for figures in ends)
    return level if same else "unsure"


def _level_at(report: HeldOutReport, judged: tuple[Part, ...], figures: list[float]) -> Level:
    skills = [p.skill_at(f) for p, f in zip(judged, figures, strict=True)]
    if float(np.mean(skills)) <= NO_SKILL:
        return "partial" if _knows_more(report) else "none"
    beaten = any(f < p.previous - MARGIN for p, f in zip(judged, figures, strict=True))
    if float(np.mean(skills)) < GOOD_SKILL or min(skills) < PART_SKILL or beaten:
        return "partial"
    return "good"


def _knows_more(report: HeldOutReport) -> bool:
    return report.policy.log_prob > report.commonest.log_prob + NATS


def _nothing_to_judge(report: HeldOutReport) -> str:
    if not report.steps:
        return "No step was held out, so nothing can be said. Hold some out: held_out.fraction=0.2."
    right = [p.policy for p in parts(report) if p.kind == "choice"]
    same = f" The policy does it on {percent(min(right))} of them." if right else ""
    return (
        f"The demonstrator did the same thing on all {_count(report.steps, 'held-out step')}, so "
        f"they cannot tell a policy that looks from one that does not.{same} Hold out more "
        "(held_out.fraction=0.3)."
    )


def _against_commonest(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    where = f"{_count(report.steps, 'held-out step')} of {_count(report.episodes, 'episode')}"
    choices = [p for p in judged if p.kind == "choice"]
    if choices:
        mine, common, previous = (
            percent(_mean(choices, actor)) for actor in ("policy", "commonest", "previous")
        )
        first = (
            f"On {where} it chooses as shown {mine} of the time; always doing the commonest thing "
            f"gets {common}, repeating the previous action {previous}."
        )
    else:
        mine, previous = _mean(judged, "policy"), _mean(judged, "previous")
        repeating = percent(previous) if previous > 0 else "less than nothing"
        first = (
            f"On {where} it explains {percent(mine)} of how the shown action varies; always doing "
            f"the mean explains none of it, repeating the previous action {repeating}."
        )
    return f"{first} {_no_better(report, judged)}".strip()


def _no_better(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    idle = [p for p in judged if p.skill <= NO_SKILL]
    if not idle:
        return ""
    if len(idle) < len(judged):
        return f"At {_names(idle)} it is no better than always doing the commonest thing."
    if _knows_more(report):
        return (
            "At its best guess it is no better than always doing the commonest thing, yet its "
            f"probabilities know more ({nats(report.policy.log_prob)} against "
            f"{nats(report.commonest.log_prob)} nats per step): try sampled actions."
        )
    return (
        "That is no better than always doing the commonest thing. Look at how actions are paired "
        "with observations (understudy demos show), and whether what the demonstrator acted on is "
        "among the observations at all."
    )


def _against_previous(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    beaten = [p for p in judged if p.previous > p.policy + MARGIN]
    if not beaten:
        return ""
    figures = ", ".join(
        f"{percent(p.previous)} against {percent(p.policy)}" for p in beaten[:MOST_NAMED]
    )
    where = "" if len(beaten) == len(judged) == 1 else f" at {_names(beaten)}"
    return (
        f"Repeating the previous action is better{where} ({figures}). Either what is seen does "
        "not say what was going on, and a memory would (net.memory=64); or actions are paired "
        "with the wrong observations (understudy demos show); or actions change slowly, and a "
        "decision every few steps would do."
    )


def _how_much_explained(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    numbers = [p for p in judged if p.kind == "number"]
    if not numbers:
        return ""
    mine, trained = _mean(numbers, "policy"), _mean(numbers, "training")
    said = ""
    if len(numbers) < len(judged):  # otherwise the first sentence has said it
        said = f"It explains {percent(mine)} of how the shown numbers vary. "
    if mine >= WEAK:
        return said.strip()
    noise = "all of it is" if mine <= 0 else f"the other {percent(1 - mine)} are"
    said += f"That is weak: {noise} noise to it. "
    if _is_by_heart(report, numbers):
        return said.strip()  # another sentence says why, and what to do
    return (
        f"{said}It hardly explains more where it has learned ({percent(trained)}), so more of "
        "the same would change little: either the demonstrator is noisy (a policy that draws its "
        "actions), and then its mean may still do the task; or it acts on what it saw before (try "
        "a memory, net.memory=64); or on what was not recorded."
    )


def _weakest(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    if len(judged) < 2:
        return ""
    worst = min(judged, key=lambda p: p.skill)
    verb = "right" if worst.kind == "choice" else "explained"
    base = f", the commonest choice {percent(worst.commonest)}" if worst.kind == "choice" else ""
    return (
        f"Weakest is {worst.name}: {percent(worst.policy)} {verb}"
        f"{base}, the previous action {percent(worst.previous)}."
    )


def _strays(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    off = [
        p for p in parts(report) if not p.judged and p.kind == "choice" and p.policy < 1 - MARGIN
    ]
    if not off:
        return ""
    worst = min(off, key=lambda p: p.policy)
    return (
        f"At {_names(off)} the demonstrator always did the same, and the policy does not "
        f"({percent(worst.policy)} as shown)."
    )


def _never_chosen(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    found: list[str] = []
    for k, counts in enumerate(report.confusion):
        shown = counts.sum(1)
        for choice in np.flatnonzero((counts.sum(0) == 0) & (shown > 0)).tolist():
            of = f" of branch {k}" if len(report.confusion) > 1 else ""
            found.append(
                f"choice {choice}{of} ({percent(shown[choice] / shown.sum())} of the steps)"
            )
    if not found:
        return ""
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return (
        f"At its best guess it never does {', '.join(found[:MOST_NAMED])}{more}, which was shown. "
        "Sampled actions may."
    )


def _overconfident(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    mine, common = report.policy.log_prob, report.commonest.log_prob
    skill = _mean(judged, "skill")
    if skill <= NO_SKILL or mine > common + NATS:
        return ""
    return (
        f"It is too sure of itself: what was shown is no likelier to it ({nats(mine)} nats per "
        f"step) than to somebody who knows only how often each action occurs ({nats(common)}). "
        "Take its best guess, not sampled actions, or stop earlier (held_out.patience=5)."
    )


def _by_heart(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    gaps = [
        f"{percent(_mean(some, 'training'))} {verb} where it has learned, "
        f"{percent(_mean(some, 'policy'))} where it has not"
        for kind, verb in (("choice", "right"), ("number", "explained"))
        if _is_by_heart(report, some := [p for p in judged if p.kind == kind])
    ]
    if not gaps:
        return ""
    return (
        f"Part of it is learned by heart: {'; '.join(gaps)}. More demonstrations, an earlier stop "
        "(held_out.patience=5) or a smaller network help."
    )


def _is_by_heart(report: HeldOutReport, some: Sequence[Part]) -> bool:
    """Whether parts of one kind are better in training by more than chance would make them."""
    if not some:
        return False
    mine, trained = _mean(some, "policy"), _mean(some, "training")
    most = interval(some[0].kind, mine, report.steps)[1]
    return trained - mine > LEARNED_BY_HEART and trained > most


def _few(report: HeldOutReport, judged: tuple[Part, ...]) -> str:
    if report.steps >= FEW_STEPS and report.episodes >= 2:
        return ""
    least = min(judged, key=lambda p: p.skill)
    low, high = interval(least.kind, least.policy, report.steps)
    what = "" if len(judged) == 1 else f" of {least.name}"
    why = (
        f"{_count(report.steps, 'step')} of {_count(report.episodes, 'episode')} "
        f"{'is' if report.steps == 1 else 'are'} little to judge by"
    )
    return (
        f"Not certain: {why}. By chance alone the {percent(least.policy)}{what} could be anything "
        f"from {percent(low)} to {percent(high)}, and more, because steps of one episode resemble "
        "each other. Hold out more (held_out.fraction=0.3) or record more."
    )


def _mean(some: Sequence[Part], actor: str) -> float:
    return float(np.mean([getattr(p, actor) for p in some]))


def _names(some: list[Part]) -> str:
    names = [p.name for p in some[:MOST_NAMED]]
    rest = len(some) - len(names)
    if rest:
        return f"{', '.join(names)} and {rest} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"
