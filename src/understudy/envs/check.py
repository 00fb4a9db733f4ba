"""Whether an environment keeps the contract of `understudy.envs.env`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.spec import Spec
from understudy.envs.actors import RandomActor
from understudy.envs.env import Env, Moment

_ARRAYS = ("slots", "reward", "terminated", "truncated", "fresh")
_DTYPES = (np.int64, np.float32, bool, bool, bool)


def check_env(env: Env, *, steps: int = 300, seed: int = 0) -> list[str]:
    """Plays by chance, twice with the same seed, and says what breaks the contract.

    The second time other actions are given where a slot has just ended, which must not matter.

    Args:
        env: What to check; it is closed.
        steps: How many steps; too few may see no episode end.
        seed: Of the environment and of chance.

    Returns:
        A sentence for every kind of problem, none if there is no problem.
    """
    check = _Check(env)
    first = check.play(steps, seed, ignored=0)
    second = check.play(steps, seed, ignored=1)
    check.same(first, second)
    for time in ("first", "second"):
        try:
            env.close()
        except Exception as error:
            check.say(f"close raised {_error(error)} the {time} time")
    return list(check.problems)


class _Check:
    """One environment and what was found wrong with it."""

    def __init__(self, env: Env) -> None:
        self.env = env
        # Each once, in the order in which they were met; and how often any was.
        self.problems: dict[str, None] = {}
        self.met = 0

    def say(self, problem: str) -> None:
        self.problems[problem] = None
        self.met += 1

    def play(self, steps: int, seed: int, *, ignored: int) -> list[Mapping[str, Moment]]:
        """All moments of a run, copied; fewer where it broke."""
        env, played = self.env, []
        actors = {name: RandomActor(spec, seed) for name, spec in env.behaviors.items()}
        # What a slot's last moment was: none yet, running, or ended.
        ended: dict[str, list[bool | None]] = {n: [None] * env.slots[n] for n in env.behaviors}
        done: dict[str, Action] = {}
        for step in range(steps + 1):
            try:
                moments = env.reset(seed) if step == 0 else env.step(done)
            except Exception as error:
                self.say(f"{'step' if step else 'reset'} raised {_error(error)}")
                break
            if not all([self.moment(name, moment) for name, moment in moments.items()]):
                break
            played.append({name: _copy(moment) for name, moment in moments.items()})
            for name, moment in moments.items():
                self.layout(name, moment, ended[name])
            done = {n: self.act(actors[n], m, ignored) for n, m in moments.items()}
        self.seeds()
        return played

    def act(self, actor: RandomActor, moment: Moment, ignored: int) -> Action:
        action, _ = actor.act(moment.obs, {}, moment.fresh)
        # Least or greatest of everything: any action is as good where none is done.
        over = np.flatnonzero(moment.ended)
        spec = actor.spec
        limit = np.clip(np.array((spec.low, spec.high)[ignored]), -1e3, 1e3)
        action.continuous[over] = limit.astype(spec.dtype)
        action.discrete[over] = (np.array(spec.branches, np.int64) - 1) * ignored
        return action

    def moment(self, name: str, moment: Moment) -> bool:
        """Whether the arrays are what the spec says, so that the rest can be looked at."""
        if name not in self.env.behaviors:
            self.say(f"behavior '{name}' speaks, which behaviors does not have")
            return False
        spec, count = self.env.behaviors[name], len(moment.slots)
        before = self.met
        for part, dtype in zip(_ARRAYS, _DTYPES, strict=True):
            self.array(f"{part} of '{name}'", getattr(moment, part), (count,), np.dtype(dtype))
        if set(moment.obs) != set(spec.fields):
            seen, said = sorted(moment.obs), sorted(spec.fields)
            self.say(f"'{name}' sees {seen}, its spec says {said}")
            return False
        for field, (shape, dtype) in spec.fields.items():
            what = f"observation '{field}' of '{name}'"
            self.array(what, moment.obs[field], (count, *shape), dtype)
        if self.met == before:
            self.slots(name, moment.slots)
        if self.met > before:
            return False
        self.masks(name, spec, moment)
        return True

    def array(self, what: str, array: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        found = getattr(array, "dtype", type(array).__name__), getattr(array, "shape", ())
        if found != (dtype, shape):
            self.say(f"{what} is {found[0]} {list(found[1])}, expected {dtype} {list(shape)}")
        elif dtype.kind == "f" and not np.isfinite(array).all():
            self.say(f"{what} is not finite")

    def slots(self, name: str, slots: NDArray[np.int64]) -> None:
        room = self.env.slots[name]
        if len(set(slots.tolist())) < len(slots):
            self.say(f"a slot of '{name}' speaks twice in one moment")
        if len(slots) and (slots.min() < 0 or slots.max() >= room):
            self.say(f"slots of '{name}' are not within 0 to {room - 1}")

    def masks(self, name: str, spec: Spec, moment: Moment) -> None:
        for mask in spec.masks:
            ends = np.cumsum(spec.action.branches)
            for branch, (size, end) in enumerate(zip(spec.action.branches, ends, strict=True)):
                allowed = moment.obs[mask][:, end - size : end].any(1)
                if not (allowed | moment.ended).all():
                    self.say(f"mask '{mask}' of '{name}' allows nothing of branch {branch}")

    def layout(self, name: str, moment: Moment, ended: list[bool | None]) -> None:
        """Episodes begin where they should, and nowhere else."""
        for row, slot in enumerate(moment.slots.tolist()):
            before, fresh = ended[slot], bool(moment.fresh[row])
            if before is None and not fresh:
                self.say(f"the first moment of a slot of '{name}' is not fresh")
            elif before and not fresh:
                self.say(f"a slot of '{name}' is not fresh after its episode ended")
            elif before is False and fresh:
                self.say(f"a slot of '{name}' is fresh although its episode had not ended")
            if fresh and moment.reward[row] != 0:
                self.say(f"the reward of '{name}' is not 0 where fresh")
            if fresh and moment.ended[row]:
                self.say(f"an episode of '{name}' ends where it begins")
            ended[slot] = bool(moment.ended[row])

    def seeds(self) -> None:
        for name in self.env.behaviors:
            found, room = len(self.env.seeds(name)), self.env.slots[name]
            if found != room:
                self.say(f"seeds of '{name}' has {found} entries for {room} slots")

    def same(self, first: list[Mapping[str, Moment]], second: list[Mapping[str, Moment]]) -> None:
        """Both runs are equal."""
        for step, (a, b) in enumerate(zip(first, second, strict=False)):
            if set(a) != set(b):
                self.say(f"with the same seed other behaviors speak at step {step}")
                return
            for name in a:
                if different := _difference(a[name], b[name]):
                    self.say(
                        f"with the same seed {different} of '{name}' differs at step {step}: it is "
                        "not determined by the seed, or the action after an end is not ignored"
                    )
                    return


def _difference(a: Moment, b: Moment) -> str | None:
    for part in _ARRAYS:
        if not np.array_equal(getattr(a, part), getattr(b, part)):
            return part
    for field in a.obs:
        if not np.array_equal(a.obs[field], b.obs[field]):
            return f"observation '{field}'"
    return None


def _copy(moment: Moment) -> Moment:
    parts = {part: getattr(moment, part).copy() for part in _ARRAYS}
    return Moment(**parts, obs={name: array.copy() for name, array in moment.obs.items()})


def _error(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
