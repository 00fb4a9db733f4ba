"""What returns say, in plain words: where a policy stands between chance and its demonstrator."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.report.verdict import Level, Verdict
from understudy.run.evaluate import Evaluation

EXPERT, RANDOM = "expert", "random"
"""Names of the two who set the scale."""
DEMONSTRATIONS = "demonstrations"
"""What the demonstrations brought when they were recorded: an expert that need not play again."""

FEW_EPISODES = 10
AS_GOOD = 0.9
"""Share of the way from chance to the expert from which on the policy counts as being as good."""


def stand(evaluations: Mapping[str, Evaluation], solved: float | None = None) -> Verdict | None:
    """Where the best learned policy stands; None if none was evaluated.

    Args:
        evaluations: By name, see `role`.
        solved: The return from which on the environment itself calls the task solved, if it says.

    - `good`: its interval reaches the expert's interquartile mean, or it is `AS_GOOD` of the way
      there from chance. With no expert to compare with: it brings at least `solved`.
    - `none`: its interval reaches down into that of acting at random.
    - `partial`: between them; or above chance with neither to compare with.
    - `unsure`: fewer than `FEW_EPISODES` episodes, or nobody to compare with.

    Who demonstrates counts as the expert, if no expert plays.
    """
    learned = {n: e for n, e in evaluations.items() if role(n) == "learned" and len(e)}
    if not learned:
        return None
    name, best = max(learned.items(), key=lambda item: item[1].iqm)
    expert, chance = (_first(evaluations, who) for who in (EXPERT, RANDOM))
    said = [
        _best(name, best),
        *_scale(best, expert, chance, _brings(evaluations)),
        *_threshold(best, solved),
        *_between(learned),
    ]
    if len(best) < FEW_EPISODES:
        said.append(f"{len(best)} episodes are too few to be sure; evaluate 100.")
        return Verdict("unsure", tuple(said))
    return Verdict(_level(best, expert, chance, solved), tuple(said))


def headline_of(
    standing: Verdict, evaluations: Mapping[str, Evaluation], solved: float | None = None
) -> str:
    """The level in words. Args: see `stand`."""
    shown = _first(evaluations, EXPERT) is not None
    good = "Does the task about as well as the demonstrator" if shown else "Solves the task"
    partial = "Does part of the task" if shown or solved is not None else "Better than chance"
    return {
        "good": good,
        "partial": partial,
        "none": "No better than acting at random",
        "unsure": "Too little is known to tell",
    }[standing.level]


def role(name: str) -> str:
    """`expert`, `random` or `learned`, from the name that an evaluation was given."""
    first = name.strip().lower()
    if first == DEMONSTRATIONS:
        return EXPERT
    return next((r for r in (EXPERT, RANDOM) if first.startswith(r)), "learned")


def number(x: float) -> str:
    """A return for people: four figures, a real minus, commas."""
    digits = 0 if abs(x) >= 1000 else 1 if abs(x) >= 100 else 2
    return f"{x:,.{digits}f}".replace("-", "−")


def way(score: float, chance: float, expert: float) -> float | None:
    """Share of the way from chance to the expert; None if the expert is no better than chance."""
    return (score - chance) / (expert - chance) if expert > chance else None


def _first(evaluations: Mapping[str, Evaluation], who: str) -> Evaluation | None:
    return next((e for n, e in evaluations.items() if role(n) == who and len(e)), None)


def _interval(evaluation: Evaluation) -> tuple[float, float]:
    low, high = evaluation.summary()["return"]["ci95"]
    return low, high


def _level(
    best: Evaluation, expert: Evaluation | None, chance: Evaluation | None, solved: float | None
) -> Level:
    low, high = _interval(best)
    if chance is not None and low <= _interval(chance)[1]:
        return "none"
    if expert is None and solved is not None:
        return "good" if _mean(best) >= solved else "partial"
    if expert is None:
        return "unsure" if chance is None else "partial"
    share = None if chance is None else way(best.iqm, chance.iqm, expert.iqm)
    return "good" if high >= expert.iqm or (share or 0) >= AS_GOOD else "partial"


def _best(name: str, best: Evaluation) -> str:
    low, high = _interval(best)
    return (
        f"{name[:1].upper()}{name[1:]}: {number(best.iqm)}, the mean of the middle half of "
        f"{len(best):,} episodes (95% interval {number(low)} to {number(high)})."
    )


def _brings(evaluations: Mapping[str, Evaluation]) -> str:
    first = next((n for n in evaluations if role(n) == EXPERT), EXPERT)
    return "The demonstrations brought" if first == DEMONSTRATIONS else "The expert brings"


def _mean(evaluation: Evaluation) -> float:
    return float(evaluation.returns.mean())


def _threshold(best: Evaluation, solved: float | None) -> list[str]:
    if solved is None:
        return []
    reached = "reached" if _mean(best) >= solved else "not reached"
    return [
        f"The environment calls a mean of {number(solved)} solved; {reached}, with "
        f"{number(_mean(best))}."
    ]


def _scale(
    best: Evaluation, expert: Evaluation | None, chance: Evaluation | None, brings: str
) -> list[str]:
    said: list[str] = []
    if expert is None and chance is None:
        said.append("Nobody else played, so whether that is much is open.")
    if expert is not None:
        said.append(f"{brings} {number(expert.iqm)}.")
    if chance is not None:
        said.append(f"Acting at random brings {number(chance.iqm)}.")
        if _interval(best)[0] <= _interval(chance)[1]:
            return [*said, "The intervals meet: the policy is no better than chance."]
    if expert is not None and chance is not None:
        share = way(best.iqm, chance.iqm, expert.iqm)
        if share is not None:
            said.append(f"So it is {100 * share:.0f}% of the way from chance to the expert.")
    return said


def _between(learned: Mapping[str, Evaluation]) -> list[str]:
    """Whether sampled or most likely actions are better, where two of them were tried."""
    if len(learned) != 2:
        return []
    (a, x), (_, y) = sorted(learned.items(), key=lambda item: item[1].iqm)
    if _interval(y)[0] <= _interval(x)[1]:
        return []
    return [f"Clearly better than {a}, which brings {number(x.iqm)}."]
