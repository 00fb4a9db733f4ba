"""`understudy record`: demonstrations of an actor, straight into a file."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.commands.options import answer, common, count, positive, say
from understudy.errors import ConfigError, DemoError

if TYPE_CHECKING:
    from understudy.data.actor import Actor
    from understudy.envs.env import Env
    from understudy.run.quota import Ledger, Wanted

EPISODES = 20
TRIES = 1000


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "record",
        help="record demonstrations",
        description="Record episodes of an actor. Killed at any moment, the file keeps every step.",
    )
    verb.add_argument("env", metavar="ENV", help="Gymnasium id, or module:id")
    verb.add_argument(
        "--with",
        dest="actor",
        default="scripted",
        metavar="ACTOR",
        help="scripted (default), random, human, a run's folder or id, a FILE.zip of "
        "Stable-Baselines3, or module:callable",
    )
    verb.add_argument(
        "--sampled", action="store_true", help="a run draws its actions; by default the likeliest"
    )
    verb.add_argument("--episodes", type=positive, metavar="N", help=f"how many ({EPISODES})")
    verb.add_argument(
        "--until",
        type=_until,
        metavar="WHAT",
        help="N: until so many steps are kept; return=R: until an episode brings R; success: until "
        "a person marks one",
    )
    verb.add_argument(
        "--min-return", type=_number, metavar="R", help="episodes that bring less are discarded"
    )
    verb.add_argument(
        "--tries",
        type=positive,
        default=TRIES,
        metavar="N",
        help=f"give up after so many episodes a slot, kept or not ({TRIES:,})",
    )
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to")
    verb.add_argument("--append", action="store_true", help="add to FILE, which must exist")
    verb.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="disturb actions on the way; what was meant is recorded beside what was done",
    )
    verb.add_argument(
        "--slots", type=positive, default=1, metavar="N", help="environments side by side (1)"
    )
    verb.add_argument("--keys", type=Path, metavar="FILE", help="a person's keys, as YAML")
    verb.add_argument(
        "--terminal", action="store_true", help="a person plays in the terminal, not in a window"
    )
    common(verb)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record, and say what came of it."""
    from understudy.data.formats.door import load_demos
    from understudy.data.summary import summarize

    _check(args)
    ledger = _by_hand(args) if args.actor == "human" else _by_actor(args)
    summary = summarize(load_demos(args.output))
    if args.json:
        answer({"file": str(args.output), "discarded": ledger.discarded, **summary})
    returns = summary["returns"]
    brought = (
        f", return {returns['mean']:.1f} on average ({returns['min']:.1f} to {returns['max']:.1f})"
        if returns
        else ""
    )
    say(
        args,
        f"{args.output}: {count(summary['episodes'], 'episode')}, "
        f"{count(summary['steps'], 'step')}{brought}",
        *_told(args, ledger),
        f"look at them: understudy demos show {args.output}",
    )
    if ledger.short and args.actor != "human":
        kept = count(int(ledger.kept.sum()), "episode")
        raise DemoError(
            f"gave up with {kept} kept: a slot has lived {args.tries:,}, kept or not; raise "
            f"--tries or ask for less. What was kept is in {args.output}"
        )
    return 0


def record_to(
    env: Env,
    path: Path,
    who: Actor | str,
    episodes: int | Wanted,
    *,
    seed: int,
    noise: float = 0.0,
    append: bool = False,
    quiet: bool = False,
    name: str | None = None,
) -> Ledger:
    """Record episodes into a file, and close the environment.

    Args:
        env: Where.
        path: The file.
        who: An actor, or its word.
        episodes: How many, or what else is wanted.
        seed: Of the environment and the actor.
        noise: How much actions are disturbed on the way, see `NoisyActor`.
        append: Add to the file.
        quiet: Show no progress.
        name: What the recording calls the actor; None: its word or class.

    Returns:
        What every slot recorded.

    Raises:
        DemoError: The file cannot be written, or exists, or with `append` does not.
        KeyboardInterrupt: Somebody stopped it; says what has become of the recording.
    """
    from understudy.data.demos import Provenance
    from understudy.data.formats.recorder import DemoWriter
    from understudy.envs.actors import noisy
    from understudy.envs.env import one
    from understudy.presets import as_actor
    from understudy.report.progress_line import ProgressLine
    from understudy.run.files import make_folders
    from understudy.run.quota import Wanted
    from understudy.run.record import record_episodes

    spec = one(env.behaviors)
    actor = as_actor(who, env, seed)
    if noise:
        actor = noisy(actor, spec, noise, seed)
    wanted = episodes if isinstance(episodes, Wanted) else Wanted(episodes=episodes)
    provenance = Provenance(
        format="understudy",
        env_id=env.env_id,
        versions=env.versions,
        actor=name or (who if isinstance(who, str) else type(who).__name__),
    )
    make_folders(path.parent)
    total = wanted.steps or wanted.episodes or 1
    line = ProgressLine(
        total, quiet=quiet, label="record", unit="steps" if wanted.steps else "episodes"
    )
    lengths: list[int] = []

    def saw(length: int, return_: float) -> None:
        lengths.append(length)
        done = sum(lengths) if wanted.steps else len(lengths)
        line.see(min(done, total), {"return": return_, "length": length})

    try:
        with DemoWriter(path, spec, provenance, append=append) as writer:
            return record_episodes(env, actor, wanted, writer.begin, seed, saw)
    except KeyboardInterrupt:
        if not path.exists():
            raise
        raise KeyboardInterrupt(f"{path} keeps what was recorded; go on with --append") from None
    finally:
        line.close()
        env.close()


@dataclass(frozen=True, slots=True)
class Until:
    """When enough is recorded: after `steps`, an episode that brings `return_`, or a success."""

    steps: int | None = None
    return_: float | None = None
    success: bool = False


def _until(text: str) -> Until:
    if text == "success":
        return Until(success=True)
    if text.startswith("return="):
        return Until(return_=_number(text.removeprefix("return=")))
    try:
        return Until(steps=positive(text))
    except argparse.ArgumentTypeError:
        what = "expected a number of steps, return=R or success"
        raise argparse.ArgumentTypeError(f"'{text}': {what}") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number")
    return value


def _check(args: argparse.Namespace) -> None:
    """Words that mean nothing together are refused.

    Raises:
        ConfigError: They are.
    """
    human = args.actor == "human"
    if args.actor in ("human,human", "human+human"):
        raise ConfigError(
            "two players need an environment with two agents, and those of Gymnasium have one"
        )
    if human and args.slots != 1:
        raise ConfigError(f"a person plays in one environment, not {args.slots}")
    if not human and (args.keys is not None or args.terminal):
        raise ConfigError("--keys and --terminal are a person's: say --with human")
    if not human and args.until is not None and args.until.success:
        raise ConfigError(
            "--until success: only a person marks an episode; say --until return=R for others"
        )
    if not 0 <= args.noise < math.inf:
        raise ConfigError(f"--noise {args.noise}: expected a number, 0 or more")


def _wanted(args: argparse.Namespace) -> Wanted:
    from understudy.run.quota import Wanted

    until = args.until or Until()
    return Wanted(
        episodes=args.episodes or (EPISODES if args.until is None else None),
        steps=until.steps,
        min_return=args.min_return,
        until_return=until.return_,
        tries=args.tries,
    )


def _by_actor(args: argparse.Namespace) -> Ledger:
    from understudy.envs.gym import GymEnv

    wanted = _wanted(args)
    env = GymEnv(args.env, min(args.slots, wanted.episodes or wanted.steps or args.slots))
    return record_to(
        env,
        args.output,
        _who(args, env),
        wanted,
        seed=args.seed,
        noise=args.noise,
        append=args.append,
        quiet=args.quiet or args.json,
        name=args.actor,
    )


def _by_hand(args: argparse.Namespace) -> Ledger:
    from understudy.commands.recording_by_hand import record_by_hand

    success = args.until is not None and args.until.success
    return record_by_hand(args, _wanted(args), until_success=success)


def _who(args: argparse.Namespace, env: Env) -> Actor | str:
    """The actor's word, or the actor that it names."""
    if args.actor in ("scripted", "random"):
        return args.actor
    by_import = ":" in args.actor and not Path(args.actor).exists()
    if by_import or args.actor.endswith(".zip"):
        from understudy.interactive import expert_of
        from understudy.run.guest import Guest

        if args.sampled:
            raise ConfigError(f"--sampled is for runs; {args.actor} does what it does")
        return Guest(expert_of(args.actor, env), args.actor)
    from understudy.interactive import policy_named
    from understudy.presets import check_fit

    policy = policy_named(args.actor, args.results)
    check_fit(policy, env)
    return policy.actor(args.seed if args.sampled else None)


def _told(args: argparse.Namespace, ledger: Ledger) -> list[str]:
    """What became of the episodes that are not there."""
    if args.min_return is None:
        return []
    least = f"{args.min_return:g}"
    return [f"discarded: {count(ledger.discarded, 'episode')} of a return below {least}"]
