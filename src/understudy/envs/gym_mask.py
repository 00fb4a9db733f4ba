"""Action masks that Gymnasium environments tell beside the observation."""

from __future__ import annotations

from typing import Any

import numpy as np

from understudy.data.action_codec import ActionCodec
from understudy.errors import EnvError

KEY = "action_mask"


def see_action_mask(env: Any) -> Any:
    """The environment with `info["action_mask"]` among what it sees.

    Some environments (Taxi, many games) say which choices are allowed in `info`, where no policy
    sees it. The observation becomes a `Dict` with the key `action_mask`; one that is no `Dict`
    has its place under `obs`.

    Args:
        env: A `gymnasium.Env` that acts by choices.

    Returns:
        A `gymnasium.Wrapper`.

    Raises:
        EnvError: It has no choices to mask. Later: `info` has no mask, or one of the wrong size.

    Example:
        `GymEnv(lambda: see_action_mask(gymnasium.make("Taxi-v4")), slots=4)`
    """
    import gymnasium
    from gymnasium import spaces

    choices = ActionCodec(env.action_space).spec.num_choices
    if not choices:
        raise EnvError(f"see_action_mask: {env.action_space} has no choices to mask")
    nested = isinstance(env.observation_space, spaces.Dict)
    parts = dict(env.observation_space.spaces) if nested else {"obs": env.observation_space}

    class Masked(gymnasium.Wrapper[Any, Any, Any, Any]):
        def __init__(self) -> None:
            super().__init__(env)
            self.observation_space = spaces.Dict({**parts, KEY: spaces.MultiBinary(choices)})

        def reset(self, **options: Any) -> Any:
            obs, info = self.env.reset(**options)
            return self._with_mask(obs, info), info

        def step(self, action: Any) -> Any:
            obs, reward, terminated, truncated, info = self.env.step(action)
            return self._with_mask(obs, info), reward, terminated, truncated, info

        def _with_mask(self, obs: Any, info: dict[str, Any]) -> dict[str, Any]:
            if KEY not in info:
                raise EnvError("see_action_mask: info has no 'action_mask'")
            mask = np.asarray(info[KEY]).astype(np.int8)
            return {**(obs if nested else {"obs": obs}), KEY: mask}

    return Masked()
