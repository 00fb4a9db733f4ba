"""Scripted experts of well-known Gymnasium tasks and of our own: rules, nothing learned.

| task | mean return | of episodes | |
|---|---|---|---|
| `CartPole-v1` | 500 | 100 | every one |
| `LunarLander-v3` | 240 | 1,600 | the middle half 264; one in twelve crashes |
| `LunarLander-v3`, `continuous=True` | 283 | 1,100 | |
| `Pendulum-v1` | -149 | 1,000 | |
| `MountainCar-v0` | -106 | 1,000 | |
| `MountainCarContinuous-v0` | 93.4 | 500 | |
| `Acrobot-v1` | -88 | 1,000 | half of them above -79 |
| `HiddenCartPole-v0` | 500 | 100 | every one |
| `Grid-v0` | 0.894 | 1,000 | the best possible, as in the three below |
| `Dials-v0` | 38.72 | 1,000 | |
| `Pick-v0` | 1.835 | 1,000 | |
| `Presence-v0` | 16 | 1,000 | every one |
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor, Fixed
from understudy.data.spec import Spec
from understudy.errors import EnvError

Rule = Callable[[NDArray[np.float64]], NDArray[Any]]


def scripted(env_id: str, spec: Spec) -> Actor:
    """The scripted expert of a task.

    Args:
        env_id: Such as `CartPole-v1`; a module before a colon does not matter.
        spec: What the environment says is seen and done; tells LunarLander's two kinds apart.

    Returns:
        An actor over any number of slots.

    Raises:
        EnvError: There is none, or what is seen or done is not what the rule was written for.

    Example:
        >>> from gymnasium.spaces import Box, Discrete
        >>> from understudy.data.spaces import spec_of
        >>> expert = scripted("CartPole-v1", spec_of(Box(-1, 1, (4,)), Discrete(2)))
        >>> obs = {"obs": np.array([[0, 0, 0.1, 0], [0, 0, -0.1, 0]], np.float32)}
        >>> expert.act(obs, {}, np.array([True, True]))[0].discrete.tolist()
        [[1], [0]]
    """
    name = env_id.rpartition(":")[2]
    if name in _WORLDS:
        return _of_world(env_id, spec, _WORLDS[name])
    if name not in _RULES:
        known = ", ".join([*_RULES, *_WORLDS])
        raise EnvError(
            f"there is no scripted expert for {env_id}; there is one for {known}. "
            "Show the task with a policy or by hand instead"
        )
    width, make = _RULES[name]
    action = spec.action
    one_kind = not action.branches if action.continuous else len(action.branches) == 1
    if [o.shape for o in spec.obs.values()] != [(width,)] or not one_kind:
        raise EnvError(
            f"the scripted expert of {env_id} sees {width} numbers and does one thing; "
            f"this environment {spec.describe()}: is it wrapped?"
        )
    rule, (seen,), discrete = make(spec), spec.obs, bool(action.branches)

    def choose(obs: dict[str, NDArray[Any]]) -> Action:
        chosen = Action.zeros(action, len(obs[seen]))
        part = chosen.discrete if discrete else chosen.continuous
        part[:] = rule(obs[seen].astype(np.float64)).reshape(part.shape)
        return chosen

    return Fixed(choose)


def cart_pole(obs: NDArray[np.float64]) -> NDArray[Any]:
    """Linear feedback: lean the pole against where the cart has gone, then stand under it.

    Args: obs: `[n, 4]` position, speed, angle, angular speed.
    """
    return obs @ np.array([0.1, 0.3, 3.0, 1.0]) > 0


def pendulum(obs: NDArray[np.float64]) -> NDArray[Any]:
    """Pump energy until it suffices to stand upright, then hold.

    Åström and Furuta (2000), "Swinging up a pendulum by energy control", Automatica 36(2).
    With gravity 10, mass and length 1 the energy w²/6 + 5 cos θ is 5 at rest upright.

    Args: obs: `[n, 3]` cosine and sine of the angle from upright, angular speed.
    """
    cosine, sine, speed = obs.T
    angle = np.arctan2(sine, cosine)
    energy = speed**2 / 6 + 5 * cosine
    forward = np.where(np.abs(speed) < 0.01, 1.0, np.sign(speed))
    pump = 2 * forward * np.where(energy < 5, 1, -1)
    near = (np.abs(angle) < 0.6) & (np.abs(speed) < 3)
    return np.clip(np.where(near, -12 * angle - 3 * speed, pump), -2, 2)


def mountain_car(obs: NDArray[np.float64]) -> NDArray[Any]:
    """Push the way it rolls, inside a curve in the plane of position and speed.

    The curve is that of Xiao (2022), "Reinforcement Learning: Theory and Python Implementation",
    chapter 1.

    Args: obs: `[n, 2]` position, speed.
    """
    position, speed = obs.T
    least = np.minimum(-0.09 * (position + 0.25) ** 2 + 0.03, 0.3 * (position + 0.9) ** 4 - 0.008)
    most = -0.07 * (position + 0.38) ** 2 + 0.07
    return np.where((least < speed) & (speed < most), 2, 0)


def mountain_car_continuous(obs: NDArray[np.float64]) -> NDArray[Any]:
    """Push the way it rolls, as hard as is worth its price.

    Args: obs: `[n, 2]` position, speed.
    """
    position, speed = obs.T
    right = (position > -4 * speed) | (position < 13 * speed - 0.6)
    return np.where(right, 1.0, -1.0)


def acrobot(obs: NDArray[np.float64]) -> NDArray[Any]:
    """Swing the lower link with its own motion; at its turning points, against its height.

    Xiao (2022), "Reinforcement Learning: Theory and Python Implementation", chapter 1.

    Args: obs: `[n, 6]` cosine and sine of both joints' angles, both angular speeds.
    """
    c1, s1, c2, s2, _, speed = obs.T
    height = s2 + c1 * s2 + s1 * c2
    turning = np.where(height > 0, 0, 2)
    return np.where(speed < -0.3, 0, np.where(speed > 0.3, 2, turning))


def _of_world(env_id: str, spec: Spec, module: str) -> Actor:
    """The expert that an example environment brings along, if its spaces are what it shows."""
    import gymnasium

    from understudy.data.spaces import spec_of

    world = gymnasium.make(f"understudy.worlds.tasks:{env_id.rpartition(':')[2]}")
    own = spec_of(world.observation_space, world.action_space)
    world.close()
    # The spaces, not the arrays: how much room there is for entities is no concern of a rule.
    found = spec.observation_space, spec.action_space
    if found != (own.observation_space, own.action_space):
        raise EnvError(
            f"the scripted expert of {env_id} {own.describe()}; "
            f"this environment {spec.describe()}: is it wrapped?"
        )
    return import_module(f"understudy.worlds.{module}").expert()


def _same(rule: Rule) -> Callable[[Spec], Rule]:
    return lambda spec: rule


def _lander(spec: Spec) -> Rule:
    """Gymnasium's own heuristic, which steers one lander at a time."""
    try:
        from gymnasium.envs.box2d.lunar_lander import heuristic
    except ImportError as error:
        raise EnvError(
            'the expert of LunarLander needs Box2D: pip install "understudy[box2d]"'
        ) from error
    # All that the heuristic asks of the environment.
    world: Any = SimpleNamespace(unwrapped=SimpleNamespace(continuous=not spec.action.branches))

    def rule(obs: NDArray[np.float64]) -> NDArray[Any]:
        return np.array([heuristic(world, row) for row in obs])

    return rule


# Name -> numbers seen, and what makes the rule.
_RULES: dict[str, tuple[int, Callable[[Spec], Rule]]] = {
    "CartPole-v1": (4, _same(cart_pole)),
    "LunarLander-v3": (8, _lander),
    "LunarLanderContinuous-v3": (8, _lander),
    "Pendulum-v1": (3, _same(pendulum)),
    "MountainCar-v0": (2, _same(mountain_car)),
    "MountainCarContinuous-v0": (2, _same(mountain_car_continuous)),
    "Acrobot-v1": (6, _same(acrobot)),
}

# Name -> module of this room, where the environment and its expert stand side by side.
_WORLDS = {
    "HiddenCartPole-v0": "hidden_cart_pole",
    "Grid-v0": "grid",
    "Dials-v0": "dials",
    "Pick-v0": "pick",
    "Presence-v0": "presence",
}
