"""`understudy demos check`: what is wrong with demonstrations, and what to do about it."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from understudy.commands.demos_reading import add_files, add_selection, read_chosen
from understudy.commands.options import answer, answers, count, whole

if TYPE_CHECKING:
    from understudy.data.diagnoses.evidence import Evidence
    from understudy.data.diagnoses.finding import Finding


def add(tools: Any) -> None:
    """Add the tool."""
    check = tools.add_parser(
        "check",
        help="say what is wrong with them, and what to do",
        description="Look at demonstrations, and at their environment where it is named, and say "
        "what is wrong, what is doubtful, what comes of it and what to do. Exit code 1 if "
        "something is wrong, 0 if all is well or something is only doubtful.",
    )
    add_files(check)
    check.add_argument(
        "--env",
        metavar="ENV",
        help="also compare with this environment, and do some actions again there from their seeds",
    )
    check.add_argument(
        "--seed", type=whole, default=0, metavar="N", help="of the steps that are drawn (0)"
    )
    add_selection(check)
    answers(check)
    check.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examine and print."""
    from understudy.data.diagnoses.evidence import gather
    from understudy.data.diagnoses.finding import Severity
    from understudy.data.diagnoses.table import DIAGNOSES, diagnose

    demos = read_chosen(args)
    task = None
    if args.env:
        from understudy.envs.shown_task import shown_task

        task = shown_task(args.env, demos)
    evidence = gather(
        demos, task=task, installed=_installed(demos.provenance.versions), seed=args.seed
    )
    files = " ".join(map(str, args.files))
    found = [
        replace(finding, advice=finding.advice.replace("FILE", files))
        for finding in diagnose(evidence)
    ]
    wrong = sum(finding.severity is Severity.WRONG for finding in found)
    if args.json:
        answer(
            {
                "files": list(demos.provenance.files),
                "env": None if task is None else task.env_id,
                "episodes": len(demos),
                "looked_at": len(evidence.lives),
                "steps_compared": len(evidence.steps),
                "asked": len(DIAGNOSES),
                "sound": not wrong,
                "findings": [finding.to_json() for finding in found],
            }
        )
    else:
        _print(_told(evidence, found, wrong, len(DIAGNOSES), quiet=args.quiet))
    return 1 if wrong else 0


def _installed(names: Iterable[str]) -> dict[str, str]:
    """Name to version of what is installed here, of these packages."""
    from importlib import metadata

    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        # A recording may name anything, and what is no package's name is not installed.
        except (metadata.PackageNotFoundError, ValueError):
            continue
    return found


def _print(lines: Iterable[str]) -> None:
    from understudy.report.plain import printable, said

    for line in lines:
        print(said(printable(line), sys.stdout))


def _told(
    e: Evidence, found: Sequence[Finding], wrong: int, asked: int, *, quiet: bool
) -> Iterator[str]:
    if not quiet:
        yield from _facts(e)
    for finding in found:
        yield from textwrap.wrap(
            f"{finding.severity} ({finding.name}): {finding.says}",
            100,
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        for mark, text in (("   ", finding.means), ("-> ", finding.advice)):
            yield from textwrap.wrap(
                text,
                100,
                initial_indent=f"  {mark}",
                subsequent_indent="     ",
                break_on_hyphens=False,
            )
    if not found:
        yield f"nothing found, of {asked} things looked for"
    elif not quiet:
        yield f"{wrong:,} wrong, {len(found) - wrong:,} doubtful, of {asked} things looked for"


def _facts(e: Evidence) -> Iterator[str]:
    steps = int(e.lengths.sum())
    of = "" if len(e.lives) == len(e.demos) else f" of {len(e.demos):,}"
    kept = f", {len(e.steps):,} of them compared" if len(e.steps) < steps else ""
    looked = count(len(e.lives), "episode") if not of else f"{len(e.lives):,}{of} episodes"
    yield f"{looked}, {count(steps, 'step')}{kept}"
    yield f"  {e.spec.describe()}"
    if e.task is None:
        yield "  --env ENV also compares them with their environment"
        return
    tried = [a for a in e.task.again if a.steps]
    if not tried:
        yield f"  compared with {e.task.env_id}; no episode could be done again there"
    else:
        came, steps = (sum(x) for x in zip(*((a.matched[1], a.steps) for a in tried), strict=True))
        yield (
            f"  compared with {e.task.env_id}: {came:,} of {count(steps, 'step')} of "
            f"{count(len(tried), 'episode')} came back as recorded"
        )
