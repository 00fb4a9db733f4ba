"""Gymnasium environments for tests, in a module of their own, as worker processes need them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from multiprocessing import parent_process
from typing import Any

import gymnasium
import numpy as np

gs: Any = gymnasium.spaces


class Count(gymnasium.Env):
    """Counts its steps and what was done, for three to six steps; then the task is over.

    What it does wrong happens at step 2 of the first episode.
    """

    metadata: Any = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(self, render_mode=None, wrong=""):
        self.observation_space = gs.Box(-1e6, 1e6, (3,), np.float32)
        self.action_space = gs.Discrete(4)
        self.render_mode, self.wrong, self.begun = render_mode, wrong, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.sum, self.start = 0, 0, self.np_random.random()
        self.length = int(self.np_random.integers(3, 7))
        self.begun += 1
        return self.seen(), {}

    def seen(self):
        return np.array([self.t, self.sum, self.start], np.float32)

    def step(self, action):
        self.t += 1
        self.sum += int(action)
        obs, reward = self.seen(), float(action)
        if self.wrong and self.t == 2 and self.begun == 1:
            obs, reward = self.go_wrong(obs, reward)
        return obs, reward, self.t >= self.length, False, {}

    def go_wrong(self, obs, reward):
        if self.wrong == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.wrong == "exit":
            os._exit(3)
        if self.wrong == "error":
            raise KeyError("door")
        if self.wrong == "late":
            time.sleep(0.5)
            return obs, reward
        if self.wrong == "reward":
            return obs, np.inf
        obs[1] = np.nan
        return obs, reward

    def render(self):
        return np.full((4, 6, 3), self.t, np.uint8)


class Rich(gymnasium.Env):
    """A picture, a choice and numbers are seen; a choice, numbers and switches are done."""

    observation_space = gs.Dict(
        eye=gs.Box(0, 255, (20, 20, 3), np.uint8),
        door=gs.Discrete(3, start=1),
        body=gs.Box(-np.inf, np.inf, (2, 2), np.float64),
    )
    action_space = gs.Tuple(
        (gs.Discrete(3), gs.Box(-1, 1, (2,), np.float32), gs.MultiBinary(2)),
    )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.body = 0, self.np_random.standard_normal((2, 2))
        return self.seen(), {}

    def seen(self):
        eye = np.full((20, 20, 3), self.t, np.uint8)
        return {"eye": eye, "door": 1 + self.t % 3, "body": self.body.copy()}

    def step(self, action):
        choice, numbers, switches = action
        self.t += 1
        self.body[0] += numbers
        self.body[1] += switches
        ended = bool(self.body[0, 0] > 1)
        return self.seen(), float(choice), ended, self.t >= 9, {}


if "Strange/Count-v0" not in gymnasium.registry:  # Doctests import this file once more.
    gymnasium.register("Strange/Count-v0", "strange:Count")


class Surroundings(Count):
    """Sees with how many threads its process computes."""

    def seen(self):
        threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
        return np.array([self.t, threads, self.start], np.float32)


class OnlyHere(Count):
    """Cannot be made in a worker process."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        if parent_process() is not None:
            raise OSError("the license is for one process")


class Slow(Count):
    """Takes a millisecond of the processor for every step."""

    def step(self, action):
        until = time.perf_counter() + 1e-3
        while time.perf_counter() < until:
            pass
        return super().step(action)


class Drifting(Count):
    """Begins otherwise every time, whatever the seed."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=None, options=options)


class SmallPool:
    """An EnvPool as its documentation shows it: one seed for all, settled when it is made.

    It stands in for the real one where that is not installed.
    """

    class Spec:
        def __init__(self, config: Mapping[str, Any]):
            self.config = config

        @staticmethod
        def gen_config(**config: Any):
            return config

    def __init__(self, spec: Spec):
        self.spec, self.config = spec, dict(spec.config)
        one = Count()
        self.observation_space, self.action_space = one.observation_space, one.action_space
        self._envs = [Count() for _ in range(self.config["num_envs"])]
        self._over = [False] * len(self._envs)
        self._begun = False

    def recv(self):
        raise NotImplementedError

    def reset(self, env_id=None):
        seeds = [None if self._begun else self.config["seed"] + i for i in range(len(self._envs))]
        self._begun = True
        obs = [env.reset(seed=seed)[0] for env, seed in zip(self._envs, seeds, strict=True)]
        return np.stack(obs), {"env_id": np.arange(len(obs))}

    def step(self, action, env_id=None):
        rows = []
        for slot, env in enumerate(self._envs):
            if self._over[slot]:
                rows.append((env.reset()[0], 0.0, False, False))
            else:
                rows.append(env.step(action[slot])[:4])
            self._over[slot] = rows[-1][2] or rows[-1][3]
        obs, reward, terminated, truncated = map(np.array, zip(*rows, strict=True))
        return obs, reward.astype(np.float32), terminated, truncated, {}

    def close(self):
        pass


def small_pool(num_envs: int, seed: int = 0, **config: Any) -> SmallPool:
    """As `envpool.make(..., env_type="gymnasium")`."""
    return SmallPool(SmallPool.Spec({"num_envs": num_envs, "seed": seed, **config}))
