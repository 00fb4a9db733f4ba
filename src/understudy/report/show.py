"""`demos show`: what is in demonstrations, in words for people and in a picture."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from understudy.data.demos import Demos
from understudy.data.summary import summarize
from understudy.report.parts import percent
from understudy.report.plain import BARS, bars, can_say, printable, said, width_of
from understudy.report.standing import number

MOST_FILES, MOST_SEEN, MOST_BRANCHES, MOST_NUMBERS, MOST_CHOICES = 3, 8, 6, 6, 10
LABEL = 11

ENDS = {
    "terminated": "ended by themselves",
    "truncated": "cut off",
    "open": "open at the end",
    "unknown": "ended, nobody knows why",
}
"""How to say `End` of several episodes."""


def words(demos: Demos, stream: TextIO | None = None, *, check: str | None = None) -> str:
    """What is in the demonstrations, in words that the stream can show.

    Args:
        demos: What to speak of.
        stream: Where the words will go, for its width and letters; None for standard output.
        check: What a check of the pairing said; None if there was none.
    """
    to: TextIO = stream or sys.stdout
    summary = {**summarize(demos), "check": check}
    return said(describe(summary, width=width_of(to), unicode=can_say(to, BARS)), to)


def draw(demos: Demos, path: Path) -> None:
    """Draw what is in the demonstrations into a PNG file.

    Raises:
        MissingExtraError: matplotlib is not installed.
        CheckpointError: The file cannot be written.
    """
    from understudy.report.demo_picture import demo_overview

    demo_overview(demos, summarize(demos), path)


def describe(summary: Mapping[str, Any], *, width: int = 100, unicode: bool = True) -> str:
    """A summary (see `summarize`) in words, several lines without control codes.

    Args:
        summary: The facts, and maybe what a `check` of the pairing said.
        width: Columns to wrap at.
        unicode: Whether histograms may be drawn with block letters.
    """
    sections = (_where, _amounts, _sees_and_does, _origin)
    lines = [title_of(summary), ""]
    for section in sections:
        entries = list(section(summary, unicode))
        for label, words in entries:
            lines.extend(_wrapped(label, words, width))
        if entries:
            lines.append("")
    return "\n".join(lines[:-1])


def title_of(summary: Mapping[str, Any]) -> str:
    """One line: how much was shown, of what."""
    of = f" of {printable(summary['env_id'])}" if summary["env_id"] else ""
    return f"{_count(summary['episodes'], 'episode')}, {_count(summary['steps'], 'step')}{of}"


def _wrapped(label: str, words: str, width: int) -> list[str]:
    text = printable(words)
    lines = textwrap.wrap(text, max(20, width - LABEL), break_on_hyphens=False) or [""]
    return [f"{label if i == 0 else '':{LABEL}}{line}" for i, line in enumerate(lines)]


def _where(s: Mapping[str, Any], unicode: bool) -> Iterator[tuple[str, str]]:
    files = s["files"]
    named = ", ".join(os.path.basename(f) or f for f in files[:MOST_FILES])
    more = f" and {len(files) - MOST_FILES} more" if len(files) > MOST_FILES else ""
    yield "from", f"{named}{more} (format {s['format']})" if files else f"format {s['format']}"
    if s["alignment"]:
        how = s["alignment"].replace("_", " ")
        reason = f": {s['reason']}" if s["reason"] else ""
        yield "pairing", f"{how}{reason}"
    if s.get("check"):
        yield "check", s["check"]


def _amounts(s: Mapping[str, Any], unicode: bool) -> Iterator[tuple[str, str]]:
    if s["returns"]:
        yield "returns", _spread(s["returns"], number, s["episodes"], unicode)
    elif s["episodes"]:
        yield "returns", "not recorded"
    if s["lengths"]:
        yield "lengths", _spread(s["lengths"], _whole, s["episodes"], unicode) + " steps"
    if s["ends"]:
        ends = sorted(s["ends"].items(), key=lambda item: -item[1])
        yield "ends", ", ".join(f"{n:,} {ENDS.get(end, end)}" for end, n in ends)


def _spread(
    facts: Mapping[str, Any], say: Callable[[float], str], episodes: int, unicode: bool
) -> str:
    low, high = say(facts["min"]), say(facts["max"])
    if facts["min"] == facts["max"]:
        return low if episodes == 1 else f"each {low}"
    drawn = bars(facts["histogram"]["counts"], unicode)
    span = f"{low} {drawn} {high}" if drawn else f"{low} to {high}"
    return f"mean {say(facts['mean'])} ± {say(facts['std'])}   {span}"


def _sees_and_does(s: Mapping[str, Any], unicode: bool) -> Iterator[tuple[str, str]]:
    yield from _sees(s)
    yield from _does(s)


def _sees(s: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    seen = list(s["observations"].items())
    for i, (name, facts) in enumerate(seen[:MOST_SEEN]):
        yield ("sees" if i == 0 else ""), f"{name}: {_observation(facts)}"
    if len(seen) > MOST_SEEN:
        yield "", f"and {len(seen) - MOST_SEEN} more"


def _observation(facts: Mapping[str, Any]) -> str:
    shape = "×".join(map(str, facts["shape"])) or "1"
    kind = facts["kind"]
    if kind == "mask":
        return f"action mask of {shape} choices, {percent(facts['forbids'])} forbidden"
    span = "" if facts["min"] is None else f", {_short(facts['min'])} to {_short(facts['max'])}"
    if kind == "image":
        order = " channels first" if facts["channels_first"] else ""
        still = ", THE SAME PICTURE THROUGHOUT" if facts["frozen"] else ""
        return f"image {shape} {facts['dtype']}{order}{span}{still}"
    if kind == "entities":
        there = facts["present"]
        amount = f"{there['mean']:.1f} there on average, {there['min']} to {there['max']}"
        return f"up to {facts['shape'][0]} entities of {facts['shape'][1]} numbers{span}; {amount}"
    dtype = "" if facts["dtype"] == "float32" else f" {facts['dtype']}"
    fixed, size = facts["num_constant"], _size(facts["shape"])
    never = f", {fixed} of them never change" if 0 < fixed < size else ""
    never = ", NONE OF THEM EVER CHANGES" if 0 < fixed == size else never
    return f"{shape} numbers{dtype}{span}{never}"


def _does(s: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    label = "does"
    branches, numbers = s["actions"]["branches"], s["actions"]["continuous"]
    for k, facts in enumerate(branches[:MOST_BRANCHES]):
        head = f"branch {k}: " if len(branches) > 1 else ""
        yield label, f"{head}one of {len(facts['shares'])} choices: {_shares(facts['shares'])}"
        label = ""
    if len(branches) > MOST_BRANCHES:
        yield "", f"and {len(branches) - MOST_BRANCHES} more branches"
    for c, facts in enumerate(numbers[:MOST_NUMBERS]):
        if facts["mean"] is not None:
            yield label, f"number {c}: {_number(facts)}"
            label = ""
    if len(numbers) > MOST_NUMBERS:
        yield "", f"and {len(numbers) - MOST_NUMBERS} more numbers"
    if label:
        yield label, s["does"]


def _shares(shares: list[float]) -> str:
    order = sorted(range(len(shares)), key=lambda i: -shares[i])
    if len(shares) <= MOST_CHOICES:
        return ", ".join(f"{i} ({percent(share)})" for i, share in enumerate(shares))
    top = ", ".join(f"{i} ({percent(shares[i])})" for i in order[: MOST_CHOICES // 2])
    never = sum(share == 0 for share in shares)
    return f"most often {top}" + (f"; {never} never" if never else "")


def _number(facts: Mapping[str, Any]) -> str:
    outside = f", {percent(facts['outside'])} outside the bounds" if facts["outside"] else ""
    return (
        f"mean {_short(facts['mean'])} ± {_short(facts['std'])}, "
        f"{_short(facts['min'])} to {_short(facts['max'])}{outside}"
    )


def _origin(s: Mapping[str, Any], unicode: bool) -> Iterator[tuple[str, str]]:
    who = {k: n for k, n in s["acted_by"].items() if k != "unknown"}
    parts = [", ".join(f"{k} ({n:,} steps)" if len(who) > 1 else k for k, n in who.items())]
    named = "; ".join(x for x in (s["actor"], *parts) if x)
    if named:
        yield "shown by", named
    if s["versions"]:
        yield "made with", ", ".join(f"{k} {v}" for k, v in s["versions"].items())
    notes = [*s["notes"], *_remarks(s)]
    for i, note in enumerate(notes):
        yield ("note" if i == 0 else ""), note


def _remarks(s: Mapping[str, Any]) -> Iterator[str]:
    if s["corrected_steps"]:
        steps = _count(s["corrected_steps"], "step")
        yield f"on {steps} something else was meant than was executed"
    if s["unseen_ends"]:
        yield f"the last observation of {_count(s['unseen_ends'], 'episode')} was not recorded"
    if s["duplicates"]:
        later, first = s["duplicates"][0]
        yield (
            f"{_count(len(s['duplicates']), 'episode')} repeats another exactly "
            f"(episode {later} is episode {first}): held-out figures would flatter"
            if len(s["duplicates"]) == 1
            else f"{_count(len(s['duplicates']), 'episode')} repeat others exactly "
            f"(episode {later} is episode {first}, ...): held-out figures would flatter"
        )


def _whole(x: float) -> str:
    return f"{x:,.0f}"


def _short(x: float) -> str:
    return f"{x:.3g}".replace("-", "−")


def _size(shape: list[int]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"
