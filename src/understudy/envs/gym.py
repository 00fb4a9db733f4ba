"""Gymnasium's single-agent environments, several of them side by side in this process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.action_codec import ActionCodec
from understudy.data.episode import Tree
from understudy.data.obs_codec import ObsCodec
from understudy.data.spaces import spec_of
from understudy.data.spec import Field
from understudy.envs.diary import Diary
from understudy.envs.env import Moment
from understudy.envs.gym_make import make_envs, most_entities, name_of, versions_of
from understudy.errors import EnvError

BEHAVIOR = "agent"
# Seeds are drawn so many at a time: one costs as much as several steps of a small environment.
_SEEDS = 64


class GymEnv:
    """An `Env` of one behavior, `agent`, with one Gymnasium environment in every slot.

    All slots speak at every moment. The arrays of a moment, and the moment itself, are used again
    by the next step.

    Actions are clipped to the bounds of the action space and cast to its dtype here; a recording
    has what was executed, and beside it what was asked for where that differs. Observations are
    cast to the dtype of their space; what does not fit it or is not finite is an error, as is such
    a reward.

    Attributes:
        behaviors: What `agent` sees and does.
        slots: How many slots.
        env_id: The id, or the class where the environment was never registered.
        make_kwargs: What the environment was made with, beside its id.
    """

    def __init__(
        self,
        env: Any,
        slots: int = 1,
        *,
        render_mode: str | None = None,
        make_kwargs: Mapping[str, Any] | None = None,
        max_entities: int | None = None,
        first_slot: int = 0,
    ) -> None:
        """Make the environments.

        Args:
            env: An id (`CartPole-v1`, `module:Name-v0`), a `gymnasium.Env`, or a callable that
                makes one.
            slots: How many run side by side; an environment that exists already is only one.
            render_mode: Of slot 0, for `render`; None: no pictures.
            make_kwargs: For `gymnasium.make` or the callable.
            max_entities: The most entities of an observation of variable length; None: as
                many as the environment's `metadata["max_entities"]` says, else 32.
            first_slot: The number of the first slot, for seeds and messages, where slots before it
                are kept elsewhere.

        Raises:
            EnvError: It cannot be made, or its spaces are not supported.
        """
        if slots < 1:
            raise EnvError(f"slots={slots}: expected at least 1")
        self.make_kwargs = dict(make_kwargs or {})
        self._first_slot = first_slot
        self._envs = make_envs(env, slots, render_mode, self.make_kwargs)
        self._closed = False
        first = self._envs[0]
        self.env_id = name_of(first)
        try:
            self._plan(first, max_entities)
        except EnvError as error:
            self.close()
            raise EnvError(f"{self.env_id}: {error}") from None
        self.slots: Mapping[str, int] = {BEHAVIOR: slots}
        self._make_rows(slots)

    def _plan(self, first: Any, max_entities: int | None) -> None:
        """What is seen and done, and who translates it."""
        seen, done = first.observation_space, first.action_space
        for other in self._envs[1:]:
            if other.observation_space != seen or other.action_space != done:
                raise EnvError("the environments of two slots have different spaces")
        most = most_entities(first.metadata, max_entities)
        spec = spec_of(seen, done, max_entities=most)
        self.behaviors: Mapping[str, Any] = {BEHAVIOR: spec}
        self._actions = ActionCodec(done)
        self._codec = ObsCodec(seen, most, num_choices=spec.action.num_choices)
        self._write = self._codec.encode_into

    def _make_rows(self, slots: int) -> None:
        """The arrays that every step writes into."""
        reward = {"": Field((), np.dtype(np.float32))}
        arrays, self._floats = _rows({**self._codec.fields, **reward}, slots)
        self._reward = arrays.pop("")
        self._rows = arrays
        self._terminated, self._truncated, self._fresh = np.zeros((3, slots), bool)
        self._over = [False] * slots
        self._episodes = [0] * slots
        self._began = [0] * slots
        self._seeds: list[int | None] = [None] * slots
        self._blocks: list[list[int]] = [[]] * slots
        self._seed, self._time, self._any_fresh = 0, 0, False
        self._diary = Diary(slots)
        moment = Moment(
            slots=np.arange(slots),
            obs=self._rows,
            reward=self._reward,
            terminated=self._terminated,
            truncated=self._truncated,
            fresh=self._fresh,
        )
        self._moments: Mapping[str, Moment] = {BEHAVIOR: moment}

    def reset(self, seed: int | None = None) -> Mapping[str, Moment]:
        """Begin an episode in every slot.

        Args:
            seed: The same seed gives the same episodes: the j-th of a slot has a seed that depends
                on this one, the slot and j alone, not on how many slots there are. None: from the
                operating system; `seeds` says what came out either way.

        Raises:
            EnvError: The environment fails or breaks its contract.
        """
        self._seed = np.random.SeedSequence().entropy if seed is None else seed
        self._time = 0
        self._episodes = [0] * len(self._envs)
        slot = 0
        try:
            for slot in range(len(self._envs)):
                self._begin(slot)
        except Exception as error:
            raise self._blame(slot, error) from error
        self._check()
        return self._moments

    def step(self, actions: Mapping[str, Action]) -> Mapping[str, Moment]:
        """Do one action in every slot; a slot whose episode is over begins the next instead.

        Raises:
            EnvError: The action does not fit, or the environment fails or breaks its contract.
        """
        values = self._values(actions)
        rows, write, reward, over = self._rows, self._write, self._reward, self._over
        self._time += 1
        if self._any_fresh:
            self._fresh[:] = False
            self._any_fresh = False
        slot = 0
        try:
            for slot, env in enumerate(self._envs):
                if over[slot]:
                    self._begin(slot)
                    continue
                obs, reward[slot], terminated, truncated, _ = env.step(values[slot])
                write(obs, rows, slot)
                if terminated or truncated:
                    over[slot] = True
                    self._terminated[slot], self._truncated[slot] = terminated, truncated
        except Exception as error:
            raise self._blame(slot, error) from error
        self._check()
        return self._moments

    @property
    def versions(self) -> Mapping[str, str]:
        """Name to version of Gymnasium, the simulator and the environment's package."""
        return versions_of(self._envs[0])

    @property
    def moments(self) -> Mapping[str, Moment]:
        """What the slots said last."""
        return self._moments

    def state_dict(self) -> dict[str, Any]:
        """Where every slot is: its seeds, what it did in its present episode, and what it says.

        The simulator's own state is not in it; see `load_state_dict`.
        """
        return {
            "seed": self._seed,
            "time": self._time,
            "episodes": list(self._episodes),
            "began": list(self._began),
            "over": list(self._over),
            "done": self._diary.state_dict(),
            "rows": {name: x.copy() for name, x in self._rows.items()},
            "reward": self._reward.copy(),
            "ends": np.stack([self._terminated, self._truncated, self._fresh]),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Bring every slot to where it was, by living its present episode again.

        Raises:
            EnvError: It came to another place: the environment is not determined by its seed and
                what is done in it.
        """
        self._seed, self._time = int(state["seed"]), int(state["time"])
        for slot in range(len(self._envs)):
            self._episodes[slot] = int(state["episodes"][slot]) - 1
            self._live_again(slot, state)
        self._diary.load_state_dict(state["done"])
        self._began = [int(t) for t in state["began"]]
        self._over = [bool(x) for x in state["over"]]
        self._reward[:] = state["reward"]
        self._terminated[:], self._truncated[:], self._fresh[:] = state["ends"]
        self._any_fresh = bool(self._fresh.any())

    def _live_again(self, slot: int, state: dict[str, Any]) -> None:
        try:
            self._seed_of(slot, self._episodes[slot] // _SEEDS * _SEEDS)
            self._begin(slot)
            done = state["done"][str(slot)]
            if done is not None:
                action = Action(done["continuous"], done["discrete"])
                for value in self._actions.decode_many(action):
                    self._write(self._envs[slot].step(value)[0], self._rows, slot)
        except Exception as error:
            raise self._blame(slot, error) from error
        for name, x in self._rows.items():
            if not np.array_equal(x[slot], state["rows"][name][slot]):
                where = f"{self.env_id}, slot {self._first_slot + slot}"
                raise EnvError(
                    f"{where}: living the episode again from its seed led to "
                    f"another '{name}'; this environment is not determined by its seed and "
                    "actions, so a run in it cannot be resumed exactly"
                )

    def seeds(self, behavior: str) -> list[int | None]:
        """`[slots]` the seed of every slot's present episode, None before the first."""
        return list(self._seeds)

    def render(self) -> NDArray[np.uint8] | None:
        """A picture `[H, W, 3]` of slot 0, None without a `render_mode` that makes one.

        Raises:
            EnvError: The environment fails while it draws.
        """
        first = self._envs[0]
        if first.render_mode is None:
            return None
        try:
            frame = first.render()
        except Exception as error:
            raise self._blame(0, error) from error
        if isinstance(frame, list) and frame:
            frame = frame[-1]
        return frame if isinstance(frame, np.ndarray) and frame.ndim == 3 else None

    @property
    def render_fps(self) -> float | None:
        """Pictures per second at which slot 0 is meant to be watched, None if it does not say."""
        fps = self._envs[0].metadata.get("render_fps")
        return float(fps) if isinstance(fps, int | float) and fps > 0 else None

    @property
    def render_modes(self) -> tuple[str, ...]:
        """How slot 0 can be watched, `human` for a window; empty if it has no pictures."""
        return tuple(self._envs[0].metadata.get("render_modes") or ())

    def close(self) -> None:
        """Close every environment; once more does nothing."""
        if not self._closed:
            self._closed = True
            for env in self._envs:
                env.close()

    def _values(self, actions: Mapping[str, Action]) -> list[Any]:
        """What every environment is asked to do, in its own words; noted in the diary."""
        try:
            fitted = self._actions.fit(actions[BEHAVIOR])
            values = self._actions.decode_many(fitted)
        except KeyError:
            raise EnvError(
                f"{self.env_id}: no actions of behavior '{BEHAVIOR}', found {[*actions]}"
            ) from None
        except EnvError as error:
            raise EnvError(f"{self.env_id}: {error}") from None
        if len(values) != len(self._envs):
            raise EnvError(f"{self.env_id}: {len(values)} actions for {len(self._envs)} slots")
        self._diary.note(fitted)
        return values

    def _begin(self, slot: int) -> None:
        """The next episode of a slot."""
        seed = self._seed_of(slot, self._episodes[slot])
        self._seeds[slot] = seed
        self._began[slot] = self._time
        obs, _ = self._envs[slot].reset(seed=seed)
        self._write(obs, self._rows, slot)
        self._reward[slot] = 0
        self._terminated[slot] = self._truncated[slot] = self._over[slot] = False
        self._fresh[slot] = self._any_fresh = True
        self._episodes[slot] += 1
        self._diary.begin(slot)

    def _seed_of(self, slot: int, episode: int) -> int:
        block, place = divmod(episode, _SEEDS)
        if place == 0:
            key = (self._first_slot + slot, block)
            sequence = np.random.SeedSequence(self._seed, spawn_key=key)
            # 31 bits: some environments hand their seed on to a signed 32-bit integer.
            self._blocks[slot] = (sequence.generate_state(_SEEDS) >> 1).tolist()
        return self._blocks[slot][place]

    def _check(self) -> None:
        """Every number seen and received is finite: 0.5 us for small observations."""
        for flat, scratch in self._floats:
            # `0 in bytes` is the cheapest exact test for a False in a small array.
            if 0 in np.isfinite(flat, scratch).tobytes():
                self._complain()

    def _complain(self) -> None:
        for slot in range(len(self._envs)):
            if not math.isfinite(self._reward[slot]):
                raise self._blame(slot, EnvError(f"the reward is {self._reward[slot]}"))
            for name, array in self._rows.items():
                bad = np.argwhere(~np.isfinite(array[slot]))
                if len(bad):
                    value, place = array[slot][tuple(bad[0])], bad[0].tolist()
                    where = f" at {place}" if place else ""
                    raise self._blame(slot, EnvError(f"observation '{name}' is {value}{where}"))

    def _blame(self, slot: int, error: Exception) -> EnvError:
        """The error with the environment, slot, step and episode's seed where it happened."""
        where = (
            f"{self.env_id}, slot {self._first_slot + slot}, "
            f"step {self._time - self._began[slot]}, seed {self._seeds[slot]}"
        )
        if isinstance(error, EnvError):
            return EnvError(f"{where}: {error}")
        text = " ".join(str(error).split())
        return EnvError(f"{where}: {type(error).__name__}: {text}{_place(error.__traceback__)}")


def _place(trace: TracebackType | None) -> str:
    """Where in the environment an error was raised, for its author."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    file = trace.tb_frame.f_code.co_filename
    if file == __file__:
        return "; expected what Gymnasium's reset (2 values) and step (5 values) return"
    return f" ({file}:{trace.tb_lineno})"


def _rows(
    fields: Mapping[str, Field], slots: int
) -> tuple[Tree, list[tuple[NDArray[Any], NDArray[np.bool_]]]]:
    """Arrays `[slots, ...]`; those of one floating dtype lie in one buffer, checked in one call.

    Returns:
        The arrays, and every buffer with room for the check.
    """
    arrays: Tree = {}
    widths: dict[np.dtype[Any], int] = {}
    for field in fields.values():
        size = slots * math.prod(field.shape)
        widths[field.dtype] = widths.get(field.dtype, 0) + size
    buffers = {dtype: np.zeros(size, dtype) for dtype, size in widths.items()}
    used = dict.fromkeys(widths, 0)
    for name, (shape, dtype) in fields.items():
        first, size = used[dtype], slots * math.prod(shape)
        used[dtype] += size
        arrays[name] = buffers[dtype][first : first + size].reshape(slots, *shape)
    floats = [(b, np.empty(b.shape, bool)) for dtype, b in buffers.items() if dtype.kind == "f"]
    return arrays, floats
