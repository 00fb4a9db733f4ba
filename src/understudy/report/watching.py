"""Episodes that somebody watches: one after the other in slot 0, told as they end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.actor import Actor
from understudy.data.episode import End
from understudy.envs.env import Env
from understudy.errors import EnvError
from understudy.run.rollouts import only_behavior, turns


@dataclass(frozen=True, slots=True)
class Watched:
    """An episode that was watched.

    Attributes:
        return_: Sum of rewards.
        steps: How many.
        end: How it ended; `OPEN` if the watching did first.
        seed: That the environment was reset with.
    """

    return_: float
    steps: int
    end: End
    seed: int | None

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "return": self.return_,
            "steps": self.steps,
            "end": str(self.end),
            "seed": self.seed,
        }


def watch(
    env: Env,
    actor: Actor,
    seed: int,
    episodes: int,
    over: Callable[[Watched], None],
    most_steps: int | None = None,
) -> Iterator[None]:
    """Play, and yield after every moment, so that whoever watches can look.

    Args:
        env: Has one behavior; slot 0 is watched.
        actor: Who plays.
        seed: Of the environment.
        episodes: How many.
        over: Told of every episode when it is over; if the watching ends before, of that one too.
        most_steps: Stop after so many in all; None for no such limit.

    Raises:
        EnvError: The environment has several behaviors, or fails.
    """
    behavior = only_behavior(env)
    return_, steps, done, left = 0.0, 0, 0, episodes
    try:
        for turn in turns(env, {behavior: actor}, seed):
            moment = turn.moments[behavior]
            here = np.flatnonzero(moment.slots == 0)
            if not len(here):
                continue
            i = int(here[0])
            if not moment.fresh[i]:
                return_, steps, done = return_ + float(moment.reward[i]), steps + 1, done + 1
            yield
            if moment.ended[i]:
                end = End.TERMINATED if moment.terminated[i] else End.TRUNCATED
                over(Watched(return_, steps, end, env.seeds(behavior)[0]))
                return_, steps, left = 0.0, 0, left - 1
            if not left or done == most_steps:
                return
    finally:
        if steps:
            over(Watched(return_, steps, End.OPEN, env.seeds(behavior)[0]))


def pictures(env: Env, moments: Iterator[None]) -> Iterator[NDArray[np.uint8]]:
    """`[H, W, 3]` a picture of every moment.

    Raises:
        EnvError: The environment gives none.
    """
    for _ in moments:
        frame = env.render()
        if frame is None:
            raise EnvError(f"{env.env_id} gives no picture to film")
        yield frame


def window_closed() -> bool:
    """Whether somebody has asked to close the window of an environment that draws with pygame.

    Such environments let the question lie unanswered.
    """
    pygame = sys.modules.get("pygame")
    if pygame is None or not pygame.display.get_init():
        return False
    return bool(pygame.event.get(pygame.QUIT))
