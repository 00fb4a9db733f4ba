"""The command `understudy`: words in, one verb done, an exit code out.

Exit codes: 0 done, 1 our fault, 2 something that the user can mend, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from understudy.commands import (
    compare,
    config,
    demos,
    doctor,
    evaluate,
    learn,
    pipeline,
    play,
    record,
    tour,
)
from understudy.errors import UnderstudyError

VERBS = (learn, record, demos, evaluate, play, compare, config, doctor, pipeline, tour)


_WRONG_CHOICE = re.compile(r"argument (\w+): invalid choice: '(.*)' \(choose from (.*)\)")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where help is."""

    def __init__(self, **options: Any) -> None:
        # A shortened option would change its meaning the day that another one is added.
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        if wrong := _WRONG_CHOICE.match(message):
            what, word, choices = wrong.groups()
            names = re.findall(r"[\w-]+", choices)
            message = f"unknown {what.lower()} '{word}'{_nearest(word, names)}"
        self.exit(2, f"{self.prog}: {message}; see '{self.prog} --help'\n")


def parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    top = _Parser(
        prog="understudy",
        description="Learn what to do from being shown.",
        epilog="'understudy VERB --help' says more about a verb.",
    )
    top.add_argument("--version", action="store_true", help="print the version and stop")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)
    for verb in VERBS:
        verb.add(verbs)
    for made in verbs.choices.values():
        made.set_defaults(parser=made)
    return top


def parsed(top: argparse.ArgumentParser, words: Sequence[str] | None) -> argparse.Namespace:
    """The words as the verb's arguments; settings may stand anywhere among the options."""
    args, rest = top.parse_known_args(words)
    if not rest:
        return args
    of = getattr(args, "parser", top)
    options = [word for word in rest if word.startswith("-")]
    if options or not hasattr(args, "words"):
        _complain(of, options or rest)
    # argparse gives up on words without a dash once an option has followed the first of them.
    args.words = [*args.words, *rest]
    return args


def _complain(of: argparse.ArgumentParser, words: Sequence[str]) -> NoReturn:
    known = re.findall(r"--[\w-]+", of.format_usage())
    of.error(f"unknown: {' '.join(words)}{_nearest(words[0].partition('=')[0], known)}")


def _nearest(word: str, names: Sequence[str]) -> str:
    """What may have been meant, to append to a message; else all names, if they are few."""
    import difflib

    near = difflib.get_close_matches(word, names, 1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(names)}" if 0 < len(names) < 8 else ""


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say.

    Args:
        words: Without the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    # So that `module:Name` finds a module of the user's; last, so that it can hide none of ours.
    sys.path.append(os.getcwd())
    top = parser()
    args = parsed(top, words)
    if args.version:
        from importlib.metadata import version

        print(version("understudy"))
        return 0
    if args.verb is None:
        top.print_help()
        return 0
    try:
        with _heeding_sigterm():
            return args.run(args)
    except UnderstudyError as error:
        print(f"understudy: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("understudy: interrupted" + (f"; {stop}" if str(stop) else ""), file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has left (`| head`); the interpreter must not try to flush it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


@contextmanager
def _heeding_sigterm() -> Iterator[None]:
    """Inside, SIGTERM ends a verb as Ctrl-C does, so that what it writes is made whole."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # Not in the main thread, where no signal is heard.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
