"""`understudy config`: what a run would use."""

from __future__ import annotations

import argparse
from typing import Any

from understudy.commands.asked import add_settings, asked
from understudy.commands.chosen import chosen
from understudy.commands.options import answer, answers


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "config",
        help="print the settings that a run would use",
        description="Print the settings that 'understudy learn' would use with the same words; "
        "written into a file, they are what its option -c reads.",
    )
    add_settings(verb)
    verb.add_argument("--list", action="store_true", help="every setting with its meaning")
    answers(verb)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the settings."""
    from understudy import settings

    if choice := chosen(args):
        args.method = choice.method
    config = asked(args)
    if args.json:
        answer(settings.as_tree(config))
    elif args.list:
        for setting in settings.describe(config):
            print(setting)
    else:
        print(settings.to_yaml(config), end="")
    return 0
