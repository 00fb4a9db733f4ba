"""One door to every environment, and who keeps its slots: this process or several workers."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from understudy.envs.actors import random_actor
from understudy.envs.env import Env, one
from understudy.envs.envpool import EnvPoolVector, is_env_pool
from understudy.envs.gym import GymEnv
from understudy.envs.gym_make import registered
from understudy.envs.vector import VectorGym
from understudy.errors import EnvError

if TYPE_CHECKING:
    from understudy.envs.pool import PoolEnv

Workers = int | Literal["auto", "native"]

ROUND_TRIP_SECONDS = 3e-4
"""What it costs to ask all workers and to hear them, beside what they do."""
START_SECONDS = 1.0
"""What it costs to start workers, which import what they need."""
WORTH = 1.25
"""How many times as fast workers must promise to be before they are tried."""
_MEASURED_STEPS, _MEASURED_SECONDS = 100, 0.1
_TRIED_STEPS = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is to keep the slots of an environment.

    Attributes:
        workers: How many processes; 0: this one.
        step_seconds: What one step of one slot takes, None where that does not matter.
        why: In words.
    """

    workers: int
    step_seconds: float | None
    why: str


def open_env(
    env: Any,
    slots: int = 1,
    *,
    workers: Workers = "auto",
    steps: int | None = None,
    render_mode: str | None = None,
    make_kwargs: Mapping[str, Any] | None = None,
    max_entities: int | None = None,
) -> Env:
    """Our contract around whatever was given.

    Which episodes are lived depends on the seed alone, and never on who keeps the slots, unless
    `"native"` is asked for.

    Args:
        env: An id (`CartPole-v1`, `module:Name-v0`), a function that makes an environment, a
            `gymnasium.Env`, a `gymnasium.vector.VectorEnv`, an EnvPool, or an `Env` of ours.
        slots: How many run side by side. What exists already has as many as it has; then 1 stands
            for these.
        workers: 0: this process keeps the slots. N: so many worker processes. `auto`: workers where
            they are faster, see `planned`; that costs nothing where there is one slot. `native`:
            the environment's own vectorized form, which draws the starts of its episodes itself.
        steps: How many steps will be made in all slots together, for `auto`; None: very many.
        render_mode: Of slot 0, for `render`; None: no pictures.
        make_kwargs: For `gymnasium.make` or the function.
        max_entities: The most entities of an observation of variable length; None: as
            many as the environment's `metadata["max_entities"]` says, else 32.

    Raises:
        EnvError: It cannot be made, or not in this way.
    """
    existing = _existing(env, max_entities)
    if existing is not None:
        return _taken(existing, slots, workers)
    if workers == "native":
        vec = _native(env, slots, render_mode, make_kwargs or {})
        return VectorGym(vec, max_entities=max_entities)
    options: dict[str, Any] = {"make_kwargs": make_kwargs, "max_entities": max_entities}
    if workers == "auto":
        plan = planned(env, slots, steps=steps, **options)
        if plan.workers and plan.step_seconds is not None:
            pool = _pool(env, slots, plan.workers, render_mode=render_mode, **options)
            if _tried(pool) < slots * plan.step_seconds:
                return pool
            pool.close()
        workers = 0
    if not isinstance(workers, int):
        raise EnvError(f"workers={workers!r}: expected a whole number, auto or native")
    if workers:
        return _pool(env, slots, workers, render_mode=render_mode, **options)
    return GymEnv(env, slots, render_mode=render_mode, **options)


def planned(
    env: Any,
    slots: int,
    *,
    steps: int | None = None,
    make_kwargs: Mapping[str, Any] | None = None,
    max_entities: int | None = None,
) -> Plan:
    """Who is to keep the slots, by what a step costs.

    An environment is made beside the others, stepped by chance for 0.1 s or 100 times, whichever is
    less, and closed. With one worker a core, a round of all slots should take the steps of the
    largest share and a round trip, and workers take a second to start. All in all they have to
    promise 1.25 times the speed of this process.

    Args:
        env: An id or a function that makes an environment, or one that exists already.
        slots: How many run side by side.
        steps: How many steps will be made in all slots together; None: very many.
        make_kwargs: For `gymnasium.make` or the function.
        max_entities: The most entities of an observation of variable length; None: as
            many as the environment's `metadata["max_entities"]` says, else 32.

    Raises:
        EnvError: It cannot be made, or breaks its contract while it is stepped.
    """
    import gymnasium

    workers = min(_cores(), slots)
    if slots == 1 or isinstance(env, gymnasium.Env):
        return Plan(0, None, "there is one slot")
    if workers == 1:
        return Plan(0, None, "there is one core")
    with closing(GymEnv(env, 1, make_kwargs=make_kwargs, max_entities=max_entities)) as first:
        step_seconds = _step_seconds(first, _MEASURED_STEPS, _MEASURED_SECONDS)
        name = first.env_id
    here = slots * step_seconds
    there = math.ceil(slots / workers) * step_seconds + ROUND_TRIP_SECONDS
    started = 0.0 if steps is None else START_SECONDS * slots / max(steps, slots)
    if here < WORTH * (there + started):
        workers = 0
    elif obstacle := _obstacle(registered(env, name), make_kwargs):
        return Plan(0, step_seconds, obstacle)
    also = f" and {START_SECONDS:g} s to start them" if started else ""
    why = (
        f"a step takes {1e3 * step_seconds:.3f} ms, so one of all {slots} slots "
        f"{1e3 * here:.2f} ms here, and about {1e3 * there:.2f} ms with workers{also}"
    )
    return Plan(workers, step_seconds, why)


def _obstacle(source: Any, make_kwargs: Mapping[str, Any] | None) -> str | None:
    """Why no worker can keep what this makes, or not without the user's help."""
    # Imported here because it takes as long as hundreds of steps of a small environment.
    from multiprocessing import current_process

    from understudy.envs.spawn import needs_main

    if current_process().daemon:
        return "a worker process may not have workers"
    try:
        if needs_main((source, make_kwargs)):
            return "what makes it is defined in the program itself, not in a module"
    except EnvError as error:
        return str(error)
    return None


def _pool(env: Any, slots: int, workers: int, **options: Any) -> PoolEnv:
    from understudy.envs.pool import PoolEnv

    return PoolEnv(env, slots, workers, **options)


def _tried(pool: PoolEnv) -> float:
    """Seconds that a step of all slots takes. What was promised may not hold on a busy machine."""
    return _step_seconds(pool, _TRIED_STEPS, math.inf)


def _step_seconds(env: Env, steps: int, seconds: float) -> float:
    """Median seconds of a step while somebody acts by chance."""
    actor, took = random_actor(one(env.behaviors)), list[float]()
    (name,), moment = env.behaviors, one(env.reset(0))
    until = time.perf_counter() + seconds
    while len(took) < steps and time.perf_counter() < until:
        actions = {name: actor.act(moment.obs, {}, moment.fresh)[0]}
        begun = time.perf_counter()
        moment = one(env.step(actions))
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _native(env: Any, slots: int, render_mode: str | None, kwargs: Mapping[str, Any]) -> Any:
    """The vectorized form that the environment's author registered."""
    import gymnasium

    if not isinstance(env, str):
        raise EnvError('workers="native": expected an id, only these are registered with one')
    with closing(GymEnv(env, 1, make_kwargs=kwargs)) as first:
        name = first.env_id
    if gymnasium.spec(name).vector_entry_point is None:
        raise EnvError(
            f'{name}: was registered without a vectorized form; leave out workers="native"'
        )
    options: dict[str, Any] = {**kwargs, "vectorization_mode": "vector_entry_point"}
    if render_mode is not None:
        options["render_mode"] = render_mode
    try:
        return gymnasium.make_vec(name, slots, **options)
    except Exception as error:
        text = " ".join(str(error).split())
        raise EnvError(f"{name}: cannot make its vectorized form: {text}") from error


def _existing(env: Any, max_entities: int | None) -> Env | None:
    """Our contract around what has its slots already; None where they are yet to be made."""
    import gymnasium

    if is_env_pool(env):
        return VectorGym(EnvPoolVector(env), max_entities=max_entities)
    if isinstance(env, gymnasium.vector.VectorEnv):
        return VectorGym(env, max_entities=max_entities)
    return env if hasattr(env, "behaviors") else None


def _taken(env: Env, slots: int, workers: Workers) -> Env:
    """What exists already, if it is what was asked for."""
    found = sorted(set(env.slots.values()))
    if workers not in ("auto", 0):
        raise EnvError(
            f"{env.env_id}: exists already, so workers={workers!r} cannot keep its slots; pass its "
            "id or a function that makes it"
        )
    if slots not in (1, *found):
        raise EnvError(
            f"{env.env_id}: exists already with {' and '.join(map(str, found))} slots, {slots} "
            "were asked for"
        )
    return env
