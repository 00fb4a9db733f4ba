"""Where a person sits down: the window or the terminal, the keys, and the environment."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from understudy.data.spec import ActionSpec
from understudy.envs.display import has_display
from understudy.envs.env import Env, one
from understudy.envs.gym import GymEnv
from understudy.envs.opening import open_env
from understudy.errors import ConfigError
from understudy.human.hands import Hands
from understudy.human.keys import KeyTable, default_table
from understudy.human.keys_file import read_keys
from understudy.human.session import FPS
from understudy.human.shell import Shell
from understudy.human.taking_over import TakingOver

HUMAN = "human"


def table_for(spec: ActionSpec, keys: Path | None) -> KeyTable:
    """The keys for what can be done.

    Args:
        spec: What can be done.
        keys: A file that changes the default, None for none.

    Raises:
        ConfigError: The file says something that there is not, or there are too few keys.
    """
    return default_table(spec) if keys is None else read_keys(keys, spec)


def open_shell(title: str, *, terminal: bool = False) -> Shell:
    """A window where there can be one, else the terminal.

    Args:
        title: Of the window.
        terminal: Rather the terminal.

    Raises:
        ConfigError: There is neither.
    """
    if not terminal and has_display() and find_spec("pygame") is not None:
        from understudy.human.window import Window

        return Window(title)
    if not terminal and not sys.stdin.isatty():
        why = "no display" if not has_display() else 'no pygame (pip install "understudy[human]")'
        raise ConfigError(
            f"a person needs a window or a terminal: there is {why} and standard input is no "
            "terminal; --terminal takes keys from standard input"
        )
    from understudy.human.terminal import Terminal

    return Terminal()


def hands_for(spec: ActionSpec, table: KeyTable, shell: Shell, step_seconds: float) -> Hands:
    """Hands with the keys of a shell; where it does not say how long keys are held, time waits."""
    table = table if shell.holds else replace(table, wait=True)
    return Hands(spec, table, step_seconds)


def person_in(
    env: Env, word: str = HUMAN, shell: Callable[[str], Shell] = open_shell
) -> TakingOver:
    """A person who watches a policy in an environment and takes over.

    Args:
        env: Where, with one slot.
        word: `human`, or `human:FILE` with a file that changes the keys.
        shell: Opens where the person looks, given a title.

    Raises:
        ConfigError: There is nowhere to look, or the file is not as it should be.
    """
    _, _, file = word.partition(":")
    spec = one(env.behaviors).action
    table = table_for(spec, Path(file) if file else None)
    fps = env.render_fps if isinstance(env, GymEnv) else None
    opened = shell(f"{env.env_id}: take over")
    # Whatever ends the run, the terminal is to be as it was.
    atexit.register(opened.close)
    seconds = 1 / (fps or FPS)
    return TakingOver(env, Hands(spec, table, seconds), opened, seconds)


def seen_env(env: Any, slots: int) -> Env:
    """Our contract around an environment that a person watches, with its pictures if it has any.

    Raises:
        ConfigError: There is more to watch than one person can.
        EnvError: It cannot be made.
    """
    if slots != 1:
        raise ConfigError(f"a person watches one environment, not {slots}: say slots=1")
    world = open_env(env, workers=0)
    if world is env or not isinstance(world, GymEnv) or "rgb_array" not in world.render_modes:
        return world
    world.close()
    return open_env(env, workers=0, render_mode="rgb_array")


def is_person(word: object) -> bool:
    """Whether a word means a person."""
    return isinstance(word, str) and (word == HUMAN or word.startswith(f"{HUMAN}:"))
