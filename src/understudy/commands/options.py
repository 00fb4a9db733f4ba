"""Options that mean the same everywhere, and the one way to answer a program."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

RESULTS = Path("results")


def common(verb: argparse.ArgumentParser, *, seed: int | None = 0, run_id: bool = False) -> None:
    """Add `--seed`, `--results`, `--quiet`, `--json`, and `--run-id` where runs are made."""
    shown = "" if seed is None else f" ({seed})"
    verb.add_argument(
        "--seed", type=whole, default=seed, metavar="N", help=f"of everything random{shown}"
    )
    results(verb, run_id=run_id)


def results(verb: argparse.ArgumentParser, *, run_id: bool = False) -> None:
    """Add `--results`, `--quiet`, `--json`, and `--run-id` where runs are made."""
    verb.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR", help="where runs are (results)"
    )
    if run_id:
        verb.add_argument("--run-id", metavar="NAME", help="the run's folder in DIR")
    answers(verb)


def answers(verb: argparse.ArgumentParser) -> None:
    """Add `--quiet` and `--json`."""
    verb.add_argument("--quiet", action="store_true", help="say only what was asked for")
    verb.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def whole(text: str) -> int:
    """A whole number, 0 or more.

    Raises:
        argparse.ArgumentTypeError: It is not.
    """
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def positive(text: str) -> int:
    """A whole number, 1 or more.

    Raises:
        argparse.ArgumentTypeError: It is not.
    """
    number = whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return number


def say(args: argparse.Namespace, *lines: str) -> None:
    """Tell a person, unless it was asked to be quiet or to answer a program."""
    if not (args.quiet or args.json):
        print(*lines, sep="\n", flush=True)


def count(number: int, thing: str) -> str:
    """Such as `1 episode` and `2,000 episodes`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def answer(value: Any) -> None:
    """One JSON object on standard output; what is not a number is null."""
    json.dump(_plain(value), sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
