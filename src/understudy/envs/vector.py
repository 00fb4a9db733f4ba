"""Gymnasium's vector environments, in whichever way they begin their next episodes.

Gymnasium knows three ways (`AutoresetMode`). All are translated here, once, into the same moments:

- NEXT_STEP: the step after an end ignores its action and brings the next episode's first
  observation. That is our contract already.
- SAME_STEP: the step that ends an episode brings the next one's first observation, and the last
  observation beside it. Here the last one is said first, and the slots that begin anew then have a
  moment of their own, in which the others, who have nothing new to say, do not speak.
- DISABLED: nothing begins until it is asked for. The same moments as with SAME_STEP.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.action_codec import ActionCodec
from understudy.data.episode import Tree
from understudy.data.obs_codec import ObsCodec
from understudy.data.spaces import spec_of
from understudy.data.spec import Spec
from understudy.envs.env import Moment
from understudy.envs.gym import BEHAVIOR
from understudy.envs.gym_make import most_entities, name_of, versions_of
from understudy.errors import EnvError


class VectorGym:
    """An `Env` of one behavior, `agent`, around a Gymnasium vector environment.

    Every slot lives the same episodes in every autoreset mode. They are other ones than `GymEnv`
    lives with the same seed: a vector environment takes a seed only when all of it is reset, and
    draws every later start itself. For the same reason it cannot be resumed.

    Attributes:
        behaviors: What `agent` sees and does.
        slots: How many slots.
        env_id: The id, or the class where the environment was never registered.
        versions: Gymnasium and the package that the environment is from.
    """

    def __init__(self, vec: Any, *, max_entities: int | None = None) -> None:
        """Take a vector environment over.

        Args:
            vec: A `gymnasium.vector.VectorEnv`, or what looks like one (see
                `understudy.envs.envpool`); it is closed with this one.
            max_entities: The most entities of an observation of variable length; None: as
                many as the environment's `metadata["max_entities"]` says, else 32.

        Raises:
            EnvError: Its spaces are not supported, or it does not say its autoreset mode.
        """
        self._vec, self._closed = vec, False
        first = getattr(vec.unwrapped, "envs", [vec])[0]
        self.env_id = name_of(vec) if hasattr(vec.spec, "id") else name_of(first)
        self.versions: Mapping[str, str] = versions_of(first)
        seen, done = vec.single_observation_space, vec.single_action_space
        try:
            self._mode = _mode_of(vec)
            most = most_entities(vec.metadata, max_entities)
            spec = spec_of(seen, done, max_entities=most)
        except EnvError as error:
            raise EnvError(f"{self.env_id}: {error}") from None
        self.behaviors: Mapping[str, Spec] = {BEHAVIOR: spec}
        self.slots: Mapping[str, int] = {BEHAVIOR: vec.num_envs}
        self._codec = ObsCodec(seen, most, num_choices=spec.action.num_choices)
        self._actions, self._action_space = ActionCodec(done), done
        self._everyone = np.arange(vec.num_envs)
        self._next = Action.zeros(spec.action, vec.num_envs)
        self._steps = np.zeros(vec.num_envs, np.int64)
        self._over = np.zeros(vec.num_envs, bool)
        self._due: NDArray[np.bool_] | None = None
        self._firsts: Tree = {}
        self._seed: int | None = None
        self._moments: Mapping[str, Moment] = {}

    @property
    def moments(self) -> Mapping[str, Moment]:
        """What the slots said last."""
        return self._moments

    def reset(self, seed: int | None = None) -> Mapping[str, Moment]:
        """Begin an episode in every slot.

        Args:
            seed: Handed on. None: the vector environment draws one itself.

        Raises:
            EnvError: The environment fails or breaks its contract.
        """
        self._seed, self._due = seed, None
        try:
            obs, _ = self._vec.reset(seed=seed)
            rows = self._codec.encode_batch(obs)
        except Exception as error:
            raise self._blame(error) from error
        return self._begin(self._everyone, rows)

    def step(self, actions: Mapping[str, Action]) -> Mapping[str, Moment]:
        """Do one action in every slot that spoke; where an episode is over, begin the next instead.

        Raises:
            EnvError: The action does not fit, or the environment fails or breaks its contract.
        """
        slots = self._moments[BEHAVIOR].slots
        action = self._fitted(actions, len(slots))
        # What others do has to wait while some slots only say how their next episode begins.
        self._next.continuous[slots], self._next.discrete[slots] = action
        if self._due is not None:
            due, self._due = self._due, None
            return self._begin(np.flatnonzero(due), self._first_obs(due))
        try:
            return self._advance()
        except EnvError:
            raise
        except Exception as error:
            raise self._blame(error) from error

    def _advance(self) -> Mapping[str, Moment]:
        """Let the environment do what all slots have decided."""
        from gymnasium.vector import AutoresetMode

        obs, reward, terminated, truncated, info = self._vec.step(self._batched())
        try:
            rows = self._codec.encode_batch(obs)
        except EnvError as error:
            raise self._blame(error) from None
        ended = np.logical_or(terminated, truncated)
        fresh = np.zeros(len(ended), bool)
        if self._mode is AutoresetMode.NEXT_STEP:
            fresh |= self._over
        elif ended.any():
            self._due = ended
            if self._mode is AutoresetMode.SAME_STEP:
                self._firsts = {name: x[ended] for name, x in rows.items()}
                self._write_last(info, ended, rows)
        self._over = ended
        moment = Moment(
            slots=self._everyone,
            obs=rows,
            reward=np.array(reward, np.float32),
            terminated=np.array(terminated, bool),
            truncated=np.array(truncated, bool),
            fresh=fresh,
        )
        self._check(moment)
        return self._say(moment)

    def _begin(self, slots: NDArray[np.int64], rows: Tree) -> Mapping[str, Moment]:
        """These slots say how their next episode begins."""
        nothing = np.zeros(len(slots), bool)
        moment = Moment(
            slots=slots,
            obs=rows,
            reward=np.zeros(len(slots), np.float32),
            terminated=nothing,
            truncated=nothing.copy(),
            fresh=~nothing,
        )
        self._over[slots] = False
        self._check(moment)
        return self._say(moment)

    def _say(self, moment: Moment) -> Mapping[str, Moment]:
        self._moments = {BEHAVIOR: moment}
        return self._moments

    def _first_obs(self, due: NDArray[np.bool_]) -> Tree:
        """The first observations of the slots that begin anew, one after the other."""
        if self._firsts:
            firsts, self._firsts = self._firsts, {}
            return firsts
        try:
            obs, _ = self._vec.reset(options={"reset_mask": due.copy()})
            return {name: x[due] for name, x in self._codec.encode_batch(obs).items()}
        except Exception as error:
            raise self._blame(error) from error

    def _write_last(self, info: Mapping[str, Any], ended: NDArray[np.bool_], rows: Tree) -> None:
        """The last observations where episodes ended, over the first ones of the next."""
        from gymnasium.vector.utils import batch_space, iterate

        if "final_obs" not in info:
            raise EnvError(
                f"{self.env_id}: autoreset mode SAME_STEP, and an episode ended without "
                f"info['final_obs'], so its last observation is lost (found {sorted(info)})"
            )
        last = info["final_obs"]
        if not (isinstance(last, np.ndarray) and last.dtype == object):
            last = list(iterate(batch_space(self._vec.single_observation_space, len(ended)), last))
        for slot in np.flatnonzero(ended).tolist():
            try:
                self._codec.encode_into(last[slot], rows, slot)
            except EnvError as error:
                raise self._blame(error, slot) from None

    def _fitted(self, actions: Mapping[str, Action], count: int) -> Action:
        try:
            action = self._actions.fit(actions[BEHAVIOR])
        except KeyError:
            raise EnvError(
                f"{self.env_id}: no actions of behavior '{BEHAVIOR}', found {[*actions]}"
            ) from None
        except EnvError as error:
            raise EnvError(f"{self.env_id}: {error}") from None
        if len(action.discrete) != count:
            raise EnvError(
                f"{self.env_id}: {len(action.discrete)} actions for {count} slots that spoke"
            )
        return action

    def _batched(self) -> Any:
        """What all slots do, as the vector environment wants it."""
        values = self._actions.decode_batch(self._next)
        if isinstance(values, np.ndarray):
            return values
        from gymnasium.vector.utils import concatenate, create_empty_array

        room = create_empty_array(self._action_space, len(values))
        return concatenate(self._action_space, values, room)

    def _check(self, moment: Moment) -> None:
        """The moment keeps the contract, and every number in it is finite."""
        fresh = moment.fresh
        self._steps[moment.slots] = np.where(fresh, 0, self._steps[moment.slots] + 1)
        odd = fresh & (moment.ended | (moment.reward != 0))
        if odd.any():
            slot = int(moment.slots[odd.argmax()])
            raise self._blame(
                EnvError(
                    "something was received or ended on the step that begins an episode; is the "
                    f"autoreset mode really {self._mode.name}, as its metadata say?"
                ),
                slot,
            )
        for name, x in {"": moment.reward, **moment.obs}.items():
            if x.dtype.kind != "f" or np.isfinite(x).all():
                continue
            row, *place = np.argwhere(~np.isfinite(x))[0].tolist()
            what = f"observation '{name}'" if name else "the reward"
            where = f" at {place}" if place else ""
            error = EnvError(f"{what} is {x[row, *place]}{where}")
            raise self._blame(error, int(moment.slots[row]))

    def _blame(self, error: Exception, slot: int | None = None) -> EnvError:
        """The error with where it happened."""
        if isinstance(error, EnvError):
            text = str(error)
        else:
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if slot is None:
            return EnvError(f"{self.env_id}, {len(self._everyone)} slots: {text}")
        return EnvError(
            f"{self.env_id}, slot {slot}, step {self._steps[slot]} of an episode after "
            f"reset(seed={self._seed}): {text}"
        )

    def seeds(self, behavior: str) -> list[int | None]:
        """`[slots]` None: the episodes of a vector environment have no seeds of their own."""
        return [None] * len(self._everyone)

    def render(self) -> NDArray[np.uint8] | None:
        """A picture `[H, W, 3]` of slot 0, None without a `render_mode` that makes one."""
        if self._vec.render_mode is None:
            return None
        frames = self._vec.render()
        frame = None if frames is None or not len(frames) else frames[0]
        return frame if isinstance(frame, np.ndarray) and frame.ndim == 3 else None

    @property
    def render_fps(self) -> float | None:
        """Pictures per second at which it is meant to be watched, None if it does not say."""
        fps = self._vec.metadata.get("render_fps")
        return float(fps) if isinstance(fps, int | float) and 0 < fps < math.inf else None

    def state_dict(self) -> dict[str, Any]:
        """Not possible.

        Raises:
            EnvError: Always: where a vector environment is depends on everything that was done in
                it since it was reset, and it cannot be asked for its state.
        """
        raise self._not_resumable()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Not possible; see `state_dict`."""
        raise self._not_resumable()

    def _not_resumable(self) -> EnvError:
        return EnvError(
            f"{self.env_id}: a run in a vector environment cannot be resumed exactly, since it "
            "draws the starts of its episodes itself; pass the environment's id, or a function "
            f"that makes one, and slots={len(self._everyone)} instead"
        )

    def close(self) -> None:
        """Close the vector environment; once more does nothing."""
        if not self._closed:
            self._closed = True
            self._vec.close()


def _mode_of(vec: Any) -> Any:
    from gymnasium.vector import AutoresetMode

    mode = vec.metadata.get("autoreset_mode")
    if isinstance(mode, AutoresetMode):
        return mode
    names = ", ".join(f"AutoresetMode.{mode.name}" for mode in AutoresetMode)
    raise EnvError(
        f"its metadata['autoreset_mode'] is {mode!r}, expected one of {names}; without it nobody "
        "knows which observation is an episode's last"
    )
