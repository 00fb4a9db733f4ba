"""EnvPool's environments as Gymnasium vector environments. EnvPool itself is never imported.

Weng et al. (2022), "EnvPool: A Highly Parallel Reinforcement Learning Environment Execution
Engine", arXiv:2206.10558.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.errors import EnvError


def is_env_pool(env: Any) -> bool:
    """Whether this is what `envpool.make` returns, of any version."""
    config = getattr(env, "config", None)
    return isinstance(config, Mapping) and "num_envs" in config and hasattr(env, "recv")


class EnvPoolVector:
    """An EnvPool behind the face of a `gymnasium.vector.VectorEnv`.

    After an end the next step ignores its action and brings the next episode's first observation:
    Gymnasium's NEXT_STEP. The seed of an EnvPool is settled when it is made, and its own `reset`
    ignores one; so a reset with a seed makes it anew, with the same configuration.

    Attributes:
        num_envs: How many environments.
        single_observation_space, single_action_space: Of one of them.
        metadata: With the autoreset mode.
        render_mode: None: EnvPool's own pictures are not asked for.
        spec: None: an EnvPool does not say its id.
    """

    render_mode = None
    spec = None

    def __init__(self, env: Any) -> None:
        """Put the face on.

        Raises:
            EnvError: It was made for another interface, or to answer for some environments at a
                time.
        """
        from gymnasium import Space
        from gymnasium.vector import AutoresetMode

        self._env, name = env, type(env).__name__
        self.num_envs = int(env.config["num_envs"])
        batch = int(env.config.get("batch_size") or self.num_envs)
        if batch != self.num_envs:
            raise EnvError(
                f"{name}: answers for {batch} of its {self.num_envs} environments at a time; make "
                "it without batch_size"
            )
        seen, done = (getattr(env, f"{part}_space", None) for part in ("observation", "action"))
        if not (isinstance(seen, Space) and isinstance(done, Space)):
            raise EnvError(f"{name}: has no Gymnasium spaces; make it with env_type='gymnasium'")
        self.single_observation_space, self.single_action_space = seen, done
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}

    @property
    def unwrapped(self) -> Any:
        """The EnvPool."""
        return self._env

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode everywhere.

        Raises:
            EnvError: It cannot be made anew with another seed.
        """
        if seed is not None:
            self._make_anew(seed)
        return self._env.reset()

    def _make_anew(self, seed: int) -> None:
        name, spec = type(self._env).__name__, type(self._env.spec)
        # Seeds of single environments, where there are any, would go before it.
        config = {**self._env.config, "seed": seed % 2**31}
        config |= {"env_seed": []} if "env_seed" in config else {}
        try:
            made = type(self._env)(spec(spec.gen_config(**config)))
        except (AttributeError, TypeError, ValueError) as error:
            raise EnvError(
                f"{name}: cannot be made anew with seed {seed}, and another cannot be given to an "
                f"EnvPool that exists ({error})"
            ) from error
        self._env.close()
        self._env = made

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Do one action everywhere."""
        return self._env.step(actions)

    def close(self) -> None:
        """Let go of its threads."""
        self._env.close()
