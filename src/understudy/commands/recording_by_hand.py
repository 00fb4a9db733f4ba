"""A person as the actor of `understudy record`."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, closing

from understudy.commands.options import say
from understudy.data.demos import Provenance
from understudy.data.formats.recorder import DemoWriter
from understudy.envs.display import has_display
from understudy.envs.env import one
from understudy.envs.gym import GymEnv
from understudy.envs.retrace import Stage
from understudy.human.door import HUMAN, hands_for, open_shell, table_for
from understudy.human.session import FPS, Session
from understudy.human.shell import Shell
from understudy.report.film import off_screen
from understudy.run.files import make_folders
from understudy.run.quota import Ledger, Wanted


def record_by_hand(args: argparse.Namespace, wanted: Wanted, *, until_success: bool) -> Ledger:
    """Let a person record episodes into a file.

    Args:
        args: The words of `record`.
        wanted: What the recording is to hold.
        until_success: The first episode that is marked is the last.

    Raises:
        ConfigError: There is nowhere to play, or the keys are not as they should be.
        EnvError, DemoError: The environment fails, or the file cannot be written.
    """
    if args.terminal or not has_display():
        off_screen()
    with closing(GymEnv(args.env)) as world:
        spec, env_id, versions = one(world.behaviors), world.env_id, world.versions
        mode = "rgb_array" if "rgb_array" in world.render_modes else None
        seconds = 1 / (world.render_fps or FPS)
    table = table_for(spec.action, args.keys)
    provenance = Provenance(format="understudy", env_id=env_id, versions=versions, actor=HUMAN)
    legend = [*table.lines()]
    ledger, told = Ledger(wanted, 1), list[str]()
    make_folders(args.output.parent)
    with ExitStack() as stack:
        stage = stack.enter_context(Stage(args.env, render_mode=mode))
        # Before the file is made: without a place to play nothing is left behind.
        shell = stack.enter_context(closing(_shell(args, env_id)))
        writer = stack.enter_context(DemoWriter(args.output, spec, provenance, append=args.append))
        say(args, *legend, "")
        session = Session(
            stage,
            hands_for(spec.action, table, shell, seconds),
            shell,
            writer.begin,
            ledger,
            seed=args.seed,
            noise=args.noise,
            until_success=until_success,
            legend=legend,
            say=told.append,
        )
        try:
            session.run()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{args.output} keeps what was recorded; go on with --append"
            ) from None
    say(args, *told)
    return ledger


def _shell(args: argparse.Namespace, env_id: str) -> Shell:
    return open_shell(f"{env_id}: recording", terminal=args.terminal)
