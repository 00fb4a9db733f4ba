"""Recording whatever other systems call an expert: a model, a policy, or a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from understudy.agent import Agent
from understudy.data.action import Action
from understudy.data.actor import Actor, Fixed
from understudy.data.demos import Demos
from understudy.data.episode import ActedBy, Tree
from understudy.data.spaces import codecs_of
from understudy.data.spec import Spec
from understudy.errors import ConfigError
from understudy.presets import record, spec_of_env
from understudy.run.policy import Policy


def recorded(expert: Any, env: Any, *, episodes: int, seed: int = 0) -> Demos:
    """Whole episodes of an expert.

    Args:
        expert: One of our agents or policies, which draws its actions; an object whose
            `predict(obs)` gives an action and a state; or a function of an observation.
        env: A Gymnasium id or environment; it is left open.
        episodes: How many.
        seed: Of the environment and of what is drawn.

    Raises:
        ConfigError: Nothing of this can act there.
    """
    return record(env, actor_of(expert, spec_of_env(env), seed), episodes=episodes, seed=seed)


def actor_of(expert: Any, spec: Spec, seed: int) -> Actor:
    """An expert as an actor; see `recorded`."""
    policy = expert.policy if isinstance(expert, Agent) else expert
    if isinstance(policy, Policy):
        if difference := policy.spec.difference(spec):
            raise ConfigError(
                f"the expert does not fit the environment: {difference} "
                "(here: the expert, there: the environment)"
            )
        return policy.actor(seed)
    if callable(getattr(expert, "predict", None)):
        return Fixed(_each(lambda obs: expert.predict(obs)[0], spec), ActedBy.POLICY)
    if callable(expert):
        return Fixed(_each(expert, spec))
    raise ConfigError(
        f"expert of type {type(expert).__name__}: expected an agent, an object with predict(obs), "
        "or a function of an observation"
    )


def _each(choose: Callable[[Any], Any], spec: Spec) -> Callable[[Tree], Action]:
    """The same for named arrays `[n, ...]`, one value of the environment's space at a time."""
    if spec.observation_space is None or spec.action_space is None:
        raise ConfigError("a function needs an environment with Gymnasium spaces")
    see, do = codecs_of(spec)

    def act(obs: Tree) -> Action:
        return do.encode_many([np.asarray(choose(one)) for one in see.decode_many(obs)])

    return act
