"""A worker process: keeps some of the slots, and does what it is told over a pipe.

Orders and answers are small; what slots see and do is in shared memory.
"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from typing import Any

from understudy.data.action import Action
from understudy.data.spec import Spec
from understudy.envs import spawn
from understudy.envs.env import one
from understudy.envs.gym import BEHAVIOR, GymEnv
from understudy.envs.shared import NO_SEED, Shared, lay_out
from understudy.errors import EnvError


@dataclass(frozen=True, slots=True)
class Told:
    """What a worker is told when it begins.

    Attributes:
        source: What the environments are made from.
        make_kwargs: With what.
        spec: What is seen and done.
        slots: How many there are in all.
        mine: Which of them it keeps.
        render_mode: Of its first slot.
        max_entities: The most entities of an observation of variable length; None: as
            many as the environment's `metadata["max_entities"]` says, else 32.
    """

    source: Any
    make_kwargs: Mapping[str, Any]
    spec: Spec
    slots: int
    mine: range
    render_mode: str | None
    max_entities: int | None


def serve(told: Told, memory: Any, pipe: Any) -> None:
    """Do what comes over the pipe until it is closed.

    An answer is `(True, value)`, or `(False, why)` where an order could not be followed.
    """
    # Ctrl-C reaches every process of a terminal; the one in charge says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first, last = told.mine.start, told.mine.stop
    try:
        with warnings.catch_warnings():
            # The one in charge has made one already, and has been warned.
            warnings.simplefilter("ignore")
            env = GymEnv(
                told.source,
                len(told.mine),
                render_mode=told.render_mode,
                make_kwargs=told.make_kwargs,
                max_entities=told.max_entities,
                first_slot=first,
            )
    except EnvError as error:
        pipe.send((False, str(error)))
        return
    keeper = _Keeper(env, lay_out(told.spec, told.slots, memory).part(slice(first, last)))
    with closing(env), suppress(BrokenPipeError):
        pipe.send((True, None))
        boss = parent_process()
        assert boss is not None, "a worker is started by another process"
        called = spawn.listener(pipe, boss.sentinel)
        while (order := _next(pipe) if called() else None) is not None:
            name, value = order
            try:
                answer = True, getattr(keeper, name)(value)
            except EnvError as error:
                answer = False, str(error)
            except Exception as error:
                text = f"{type(error).__name__}: {' '.join(str(error).split())}"
                answer = False, f"{env.env_id}, {name}: {text}"
            # Broken, where the one in charge has closed the pipe without waiting for the answer.
            pipe.send(answer)


def _next(pipe: Any) -> tuple[str, Any] | None:
    """The next order; None once nobody gives any more."""
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return None


class _Keeper:
    """The slots of one worker; every method is an order."""

    def __init__(self, env: GymEnv, shared: Shared) -> None:
        self.env, self.shared = env, shared

    def reset(self, seed: int) -> None:
        self.env.reset(seed)
        self.show()

    def step(self, _: None) -> None:
        # What is done is remembered, so it may not change with the memory that it came in.
        action = Action(self.shared.continuous.copy(), self.shared.discrete.copy())
        self.env.step({BEHAVIOR: action})
        self.show()

    def state(self, _: None) -> dict[str, Any]:
        return self.env.state_dict()

    def load(self, state: dict[str, Any]) -> None:
        self.env.load_state_dict(state)
        self.show(seeds=True)

    def render(self, _: None) -> Any:
        return self.env.render()

    def show(self, *, seeds: bool = False) -> None:
        moment = one(self.env.moments)
        self.shared.show(moment)
        if seeds or moment.fresh.any():
            self.shared.seed[:] = [NO_SEED if s is None else s for s in self.env.seeds(BEHAVIOR)]
