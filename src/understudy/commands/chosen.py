"""How to learn, where nobody said: what suits what was shown."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from understudy.commands.asked import method_said, named

if TYPE_CHECKING:
    from understudy.run.choosing import Choice


def chosen(args: argparse.Namespace) -> Choice | None:
    """The method for the demonstrations, the environment and the expert that the words name.

    Args:
        args: The words.

    Returns:
        None where the method was said, or follows from there being no environment, or neither
        demonstrations nor an expert.

    Raises:
        DemoError, EnvError: They cannot be had, or do not fit.
    """
    if method_said(args):
        return None
    words = named(args)
    said = {word.partition("=")[0].partition(".")[0] for word in words.settings}
    if len(words.envs) != 1 or not (words.demos or "expert" in said):
        return None
    # Only here, because most runs are not chosen for.
    from understudy.data.formats.door import load_demos
    from understudy.presets import spec_of_env
    from understudy.run.choosing import ASKED, Choice, choose
    from understudy.run.methods import fields

    if "expert" in said:
        return ASKED
    spec = spec_of_env(words.envs[0])
    choice = choose(load_demos(words.demos, spec=spec, alignment=args.alignment or "auto"), spec)
    if alone := sorted(said & fields("bc") - fields(choice.method)):
        why = f"{alone[0]} is a setting of cloning. So the policy clones what was shown."
        return Choice("bc", why)
    return choice
