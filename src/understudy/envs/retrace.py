"""Recorded actions done again from the recorded seed: does the environment bring back the rest?"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.action_codec import ActionCodec
from understudy.data.episode import End, Episode, Tree
from understudy.data.obs_codec import ObsCodec
from understudy.data.spaces import spec_of
from understudy.data.spec import Spec
from understudy.envs.gym_make import make_envs, most_entities, name_of
from understudy.errors import EnvError

REWARD, END = "reward", "end"
TOLERANCE = 1e-5
"""Differences of float32 arithmetic from one machine to another stay below it for some steps."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where what comes back is no longer what was recorded.

    Attributes:
        step: How many actions led there; 0: the reset itself.
        what: The observation's name, `reward`, or `end`: it ended there and went on in the
            recording, or the other way round.
        by: The largest difference of a number in it, in its own unit; nan for `end`.
    """

    step: int
    what: str
    by: float


@dataclass(frozen=True, slots=True)
class Retraced:
    """How far an environment reproduces an episode.

    Attributes:
        steps: How many recorded actions could be done; fewer than there are where it ended early.
        first: The first difference, None if there is none.
        farthest: By observation's name and `reward`, the largest difference of a number in any
            step, in its own unit.
        return_: Sum of rewards that came back.
    """

    steps: int
    first: Difference | None
    farthest: Mapping[str, float]
    return_: float

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        first = self.first
        return {
            "steps": self.steps,
            "first_difference": None
            if first is None
            else {"step": first.step, "what": first.what, "by": first.by},
            "farthest": dict(self.farthest),
            "return": self.return_,
        }


class Stage:
    """One Gymnasium environment that is told seeds and actions. A context manager.

    Attributes:
        env_id: Its id, or its class where it was never registered.
        spec: What is seen and done in it.
    """

    def __init__(
        self, env: Any, *, render_mode: str | None = None, max_entities: int | None = None
    ) -> None:
        """Make the environment.

        Args:
            env: An id, a `gymnasium.Env`, or a callable that makes one.
            render_mode: For `render`; None: no pictures.
            max_entities: The most entities of an observation of variable length; None: as many as
                the environment's metadata say, else 32.

        Raises:
            EnvError: It cannot be made, or its spaces are not supported.
        """
        (self._env,) = make_envs(env, 1, render_mode, {})
        self.env_id = name_of(self._env)
        seen, done = self._env.observation_space, self._env.action_space
        try:
            most = most_entities(self._env.metadata, max_entities)
            self.spec: Spec = spec_of(seen, done, max_entities=most)
            self._obs = ObsCodec(seen, most, num_choices=self.spec.action.num_choices)
            self._actions = ActionCodec(done)
        except EnvError as error:
            self.close()
            raise EnvError(f"{self.env_id}: {error}") from None
        self._seed: int | None = None
        self._time = 0

    def reset(self, seed: int | None) -> Tree:
        """What is seen first, without a time axis.

        Raises:
            EnvError: The environment fails.
        """
        self._seed, self._time = seed, 0
        try:
            return self._obs.encode(self._env.reset(seed=seed)[0])
        except Exception as error:
            raise self._blame(error) from error

    def step(self, action: Action) -> tuple[Tree, float, bool, bool]:
        """What is seen then, what it earned, whether it terminated and whether it was truncated.

        Raises:
            EnvError: The action does not fit, or the environment fails.
        """
        self._time += 1
        try:
            value = self._actions.decode(action)
            obs, reward, terminated, truncated, _ = self._env.step(value)
            return self._obs.encode(obs), float(reward), bool(terminated), bool(truncated)
        except Exception as error:
            raise self._blame(error) from error

    @property
    def render_modes(self) -> tuple[str, ...]:
        """How it can be watched, `human` for a window; empty if it has no pictures."""
        return tuple(self._env.metadata.get("render_modes") or ())

    @property
    def render_fps(self) -> float | None:
        """Pictures per second at which it is meant to be watched, None if it does not say."""
        fps = self._env.metadata.get("render_fps")
        return float(fps) if isinstance(fps, int | float) and fps > 0 else None

    def render(self) -> NDArray[np.uint8]:
        """A picture `[H, W, 3]`.

        Raises:
            EnvError: It gives none, or fails while it draws.
        """
        try:
            frame = self._env.render()
        except Exception as error:
            raise self._blame(error) from error
        if isinstance(frame, list) and frame:
            frame = frame[-1]
        if not isinstance(frame, np.ndarray) or frame.ndim != 3:
            raise EnvError(f"{self.env_id} gives no picture")
        return frame

    def close(self) -> None:
        """Let go of windows and files."""
        self._env.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _blame(self, error: Exception) -> EnvError:
        text = " ".join(str(error).split())
        said = text if isinstance(error, EnvError) else f"{type(error).__name__}: {text}"
        return EnvError(f"{self.env_id}, step {self._time}, seed {self._seed}: {said}")


def retracing(
    stage: Stage, episode: Episode, tolerance: float = TOLERANCE
) -> Generator[None, None, Retraced]:
    """Do an episode's actions again, and yield after the reset and after every step.

    Args:
        stage: Where; sees and does what the episode does.
        episode: What was recorded. Its executed actions are done, from its seed.
        tolerance: Numbers that differ by at most this times the recorded number's size (at least
            1) count as the same.

    Returns:
        How far it was reproduced.

    Raises:
        EnvError: The episode has no seed, or the environment fails.
    """
    if episode.seed is None:
        raise EnvError(f"{episode.label or 'the episode'} has no seed to begin from")
    seen = _Comparison(episode, tolerance)
    seen.look(0, stage.reset(episode.seed))
    yield
    steps, return_ = 0, 0.0
    for t in range(len(episode)):
        obs, reward, terminated, truncated = stage.step(episode.action.at(t))
        steps, return_ = steps + 1, return_ + reward
        seen.look(t + 1, obs)
        seen.earn(t, reward)
        last = t + 1 == len(episode)
        # A time limit is the recorder's as often as the environment's: where both stop at the same
        # step, only whether the task was over is compared.
        unlike = last and episode.end in (End.TERMINATED, End.TRUNCATED)
        if (not last and (terminated or truncated)) or (
            unlike and terminated != episode.terminated
        ):
            seen.differs(t + 1, END, float("nan"))
        yield
        if terminated or truncated:
            break
    return Retraced(steps, seen.first, seen.farthest, return_)


def retrace(stage: Stage, episode: Episode, tolerance: float = TOLERANCE) -> Retraced:
    """How far the environment reproduces an episode; see `retracing`."""
    steps = retracing(stage, episode, tolerance)
    while True:
        try:
            next(steps)
        except StopIteration as over:
            return over.value


class _Comparison:
    """What came back beside what was recorded.

    Attributes:
        first: The first difference.
        farthest: The largest difference of a number, by name.
    """

    def __init__(self, episode: Episode, tolerance: float) -> None:
        self._episode, self._tolerance = episode, tolerance
        self.first: Difference | None = None
        self.farthest = dict.fromkeys(episode.obs, 0.0)
        if episode.reward is not None:
            self.farthest[REWARD] = 0.0

    def look(self, t: int, obs: Tree) -> None:
        """What is seen after `t` actions."""
        if t == len(self._episode) and not self._episode.final_obs_known:
            return
        for name, recorded in self._episode.obs.items():
            self._compare(t, name, recorded[t], obs[name])

    def earn(self, t: int, reward: float) -> None:
        """What action `t` earned."""
        if self._episode.reward is not None:
            # Environments are recorded with rewards of float32, whatever they earn.
            recorded, found = np.float32(self._episode.reward[t]), np.float32(reward)
            self._compare(t + 1, REWARD, recorded, found)

    def differs(self, step: int, what: str, by: float) -> None:
        """Note a difference; only the first counts."""
        if self.first is None:
            self.first = Difference(step, what, by)

    def _compare(self, step: int, name: str, recorded: Any, found: Any) -> None:
        there = np.asarray(recorded).astype(np.float64)
        apart = np.abs(np.asarray(found).astype(np.float64) - there)
        by = float(apart.max(initial=0.0))
        self.farthest[name] = max(self.farthest[name], by)
        if (apart > self._tolerance * np.maximum(1.0, np.abs(there))).any():
            self.differs(step, name, by)
