"""What `understudy learn` has to do: everything that was asked for, found to fit together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from understudy.commands.options import RESULTS, answer, say

if TYPE_CHECKING:
    from understudy.run.evaluate import Evaluation
    from understudy.run.folder import RunFolder
    from understudy.run.session import Learning, Logs, Outcome


class Job(Protocol):
    """A run with everything that it needs. Nothing has been written for it yet.

    Attributes:
        logs: What it tells.
        subject: What it learns from, in words.
        shows: Names of metrics by the short words that a progress line has for them.
    """

    logs: Logs
    subject: str
    shows: Mapping[str, str]

    @property
    def run(self) -> Learning:
        """The run."""
        ...

    def notes(self) -> Sequence[str]:
        """What the reader should know, once it has learned."""
        ...

    def report(
        self,
        args: argparse.Namespace,
        folder: RunFolder,
        outcome: Outcome,
        against: Sequence[str],
    ) -> dict[str, Evaluation]:
        """Evaluate what came out, write the report and say the most of it.

        Args:
            args: Has `quiet`, `json` and `episodes`.
            folder: The run's, with its policy.
            outcome: What the run came to.
            against: Who else plays the same starts: `scripted`, `random`.

        Returns:
            Who brought what, by name.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """What a program is told beside the outcome and the evaluations."""
        ...


def prepare(config: Any) -> Job:
    """Load and make everything.

    Args:
        config: One of the classes in `understudy.run.methods`.

    Raises:
        ConfigError, DemoError, EnvError: Something cannot be had, or does not fit.
    """
    if config.method == "bc":
        from understudy.commands.cloning_job import CloningJob

        return CloningJob(config)
    if config.method == "dagger":
        from understudy.commands.dagger_job import DAggerJob

        return DAggerJob(config)
    from understudy.commands.acting_job import ActingJob

    return ActingJob(config)


def do(
    job: Job, args: argparse.Namespace, folder: RunFolder, against: Sequence[str] = ("random",)
) -> int:
    """Learn in a folder, evaluate what came out and write the report.

    Args:
        job: What to do.
        args: Has `quiet`, `json`, `results` and `episodes`.
        folder: The run's.
        against: Who else plays the same starts, to compare with.

    Returns:
        The exit code.

    Raises:
        KeyboardInterrupt: Somebody stopped it, after learning or twice; says how to go on.
    """
    elsewhere = "" if args.results == RESULTS else f" --results {args.results}"
    onward = f"go on: understudy learn --resume --run-id {folder.run_id}{elsewhere}"
    try:
        outcome = learn_aloud(job, args, folder)
        evaluations: dict[str, Evaluation] = {}
        if outcome.interrupted:
            say(args, f"stopped at step {outcome.steps}; {onward}")
        else:
            evaluations = job.report(args, folder, outcome, against)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(onward) from None
    if args.json:
        played = {name: e.summary() for name, e in evaluations.items()}
        known = {**outcome.to_json(), **job.to_json()}
        answer({"run": str(folder.path), **known, "evaluations": played})
    return 130 if outcome.interrupted else 0


def learn_aloud(job: Job, args: argparse.Namespace, folder: RunFolder) -> Outcome:
    """Learn in a folder to the end, or until somebody stops it, and say how far it is."""
    from understudy.report.progress_line import ProgressLine
    from understudy.run.session import learn_in
    from understudy.run.watch import Told

    say(args, f"learning {job.subject} in {folder.path}")
    line = ProgressLine(job.run.progress.total, quiet=args.quiet or args.json)

    def show(found: Mapping[str, Any]) -> None:
        line.see(found["step"], {w: found[name] for w, name in job.shows.items() if name in found})

    job.logs.takers.append(show)
    try:
        outcome = learn_in(folder, job.run, job.logs, [Told(line.see)])
    finally:
        line.close()
    for note in (*folder.notes, *job.notes()):
        say(args, f"note: {note}")
    return outcome
