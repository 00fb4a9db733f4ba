"""What an environment says of the task that demonstrations show, and of their first actions."""

from __future__ import annotations

from typing import Any

import numpy as np

from understudy.data.action import Action
from understudy.data.catalog import numbers_of
from understudy.data.demos import Demos
from understudy.data.diagnoses.task import Again, Task
from understudy.data.episode import Episode, Tree
from understudy.envs.gym_make import make_envs, name_of, versions_of
from understudy.envs.retrace import TOLERANCE, Stage
from understudy.errors import DemoError, EnvError

EPISODES = 3
"""Episodes that are done again."""
STEPS = 30
REPEATS = (1, 2, 3, 4, 5, 6, 8, 10)
"""How often each action is done in a row, in turn, until the observations come back."""


def shown_task(env: Any, demos: Demos) -> Task:
    """Ask an environment what demonstrations of it are compared with.

    Args:
        env: An id, a `gymnasium.Env`, or a callable that makes one.
        demos: What was shown; the first actions of `EPISODES` episodes that have a seed are done
            again, where the same is seen and done.

    Raises:
        EnvError: It cannot be made, or its spaces are not supported.
    """
    entities = [obs.shape[0] for obs in demos.spec.obs.values() if obs.kind == "entities"]
    (raw,) = make_envs(env, 1, None, {})
    with Stage(raw, max_entities=max(entities, default=None)) as stage:
        spec = getattr(raw, "spec", None)
        again: list[Again] = []
        if demos.spec.difference(stage.spec) is None:
            again = [_again(stage, *found) for found in _seeded(demos)]
        return Task(
            env_id=name_of(raw),
            spec=stage.spec,
            time_limit=getattr(spec, "max_episode_steps", None),
            reward_threshold=getattr(spec, "reward_threshold", None),
            versions=versions_of(raw),
            again=tuple(again),
        )


def _seeded(demos: Demos) -> list[tuple[int, Episode]]:
    """The first few episodes with a seed, and what they are called by."""
    found: list[tuple[int, Episode]] = []
    for place, number in enumerate(numbers_of(demos)[: 10 * EPISODES]):
        try:
            episode = demos.episodes[place]
        except DemoError:
            continue
        if episode.seed is not None and len(episode):
            found.append((number, episode))
        if len(found) == EPISODES:
            break
    return found


def _again(stage: Stage, number: int, episode: Episode) -> Again:
    """Do the first actions again, in every way until one brings the observations back."""
    known = len(episode) if episode.final_obs_known else len(episode) - 1
    steps = min(STEPS, known)
    matched: dict[int, int] = {}
    begins, received = False, np.zeros(0)
    for times in REPEATS:
        begins, earned = _follow(stage, episode, steps, times, 0)
        matched[times] = len(earned)
        if times == 1:
            received = np.array(earned, np.float64)
        if len(earned) == steps or not begins:
            break
    shifted = steps if len(episode) > steps else steps - 1
    tried = begins and matched[1] < steps
    recorded = episode.reward
    count = 0 if recorded is None else len(received)
    return Again(
        number=number,
        steps=steps,
        begins=begins,
        matched=matched,
        next_matched=len(_follow(stage, episode, shifted, 1, 1)[1]) if tried else 0,
        recorded=np.zeros(0) if recorded is None else recorded[:count].astype(np.float64),
        received=received[:count],
    )


def _follow(
    stage: Stage, episode: Episode, steps: int, times: int, ahead: int
) -> tuple[bool, list[float]]:
    """Whether the reset, and what every step earned for as long as the observations, came back.

    Args:
        stage: Where.
        episode: What was recorded.
        steps: How many of its steps.
        times: How often each action is done.
        ahead: Do the action of so many steps later.
    """
    earned: list[float] = []
    actions = episode.action.within(stage.spec.action)
    try:
        if not _alike(episode, 0, stage.reset(episode.seed)):
            return False, earned
        for t in range(steps):
            obs, reward, over = _do(stage, actions.at(t + ahead), times)
            if not _alike(episode, t + 1, obs):
                break
            earned.append(reward)
            if over:
                break
    except EnvError:
        # An environment that fails at these actions did not bring anything back.
        return bool(earned), earned
    return True, earned


def _do(stage: Stage, action: Action, times: int) -> tuple[Tree, float, bool]:
    """One action several times: what is seen then, what it earned, whether the episode is over."""
    obs, total, terminated, truncated = stage.step(action)
    for _ in range(times - 1):
        if terminated or truncated:
            break
        obs, reward, terminated, truncated = stage.step(action)
        total += reward
    return obs, total, terminated or truncated


def _alike(episode: Episode, t: int, found: Tree) -> bool:
    for name, array in episode.obs.items():
        there = array[t].astype(np.float64)
        apart = np.abs(found[name].astype(np.float64) - there)
        # Written so that nan is a difference.
        if not (apart <= TOLERANCE * np.maximum(1.0, np.abs(there))).all():
            return False
    return True
