"""The command `understudy`: words in, one verb done, an exit code out.

Exit codes: 0 done, 1 our fault, 2 something that the user can mend, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from understudy.commands import config, demos, evaluate, learn, record, tour
from understudy.errors import UnderstudyError

VERBS = (learn, record, demos, evaluate, config, tour)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where help is."""

    def error(self, message: str) -> NoReturn:
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
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say.

    Args:
        words: Without the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    top = parser()
    args = top.parse_args(words)
    if args.version:
        from importlib.metadata import version

        print(version("understudy"))
        return 0
    if args.verb is None:
        top.print_help()
        return 0
    try:
        return args.run(args)
    except UnderstudyError as error:
        print(f"understudy: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("understudy: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has left (`| head`); the interpreter must not try to flush it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
