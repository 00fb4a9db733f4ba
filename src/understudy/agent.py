"""What every ready-made learner can do: learn, act, be saved, be loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from understudy import settings
from understudy.errors import ConfigError, UnderstudyError
from understudy.run.methods import config_class
from understudy.run.policy import Policy

Config = TypeVar("Config")


class Agent:
    """Has a policy, and speaks with it as users of Stable-Baselines are used to.

    Attributes:
        method: How it learns.
        config: Its settings.
        policy: The policy as it is now.
        run: How it learns on; None for an agent that was loaded.
        log: Lines of metrics, each with its `step`.
    """

    method: ClassVar[str]
    config: Any
    policy: Policy
    run: Any
    log: list[Mapping[str, Any]]

    def learn(self, steps: int | None = None) -> Self:
        """Learn, and keep the policy that comes out.

        Args:
            steps: How many; by default `config.steps`. Steps of the environment where the method
                acts, else updates.

        Raises:
            UnderstudyError: It has learned already, or was loaded and has nothing to learn from.
        """
        run = self.run
        if run is None or run.progress.done:
            raise UnderstudyError(
                "this policy has learned already; make another "
                f"{type(self).__name__}(...) to learn again"
            )
        run.progress.total = self.config.steps if steps is None else steps
        run.learn()
        self.settle()
        self.policy = run.policy()
        return self

    def settle(self) -> None:
        """Choose among the weights that a run leaves; the last by default."""

    def predict(
        self,
        obs: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """What to do now; see `Policy.predict`."""
        return self.policy.predict(obs, state, episode_start, deterministic)

    def save(self, path: str | Path) -> Path:
        """Write the policy as a folder; see `Policy.save`."""
        return self.policy.save(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A saved policy, ready to `predict`; it has nothing to learn on from."""
        agent = cls.__new__(cls)
        agent.policy = Policy.load(path)
        agent.run, agent.log = None, []
        agent.config = config_class(cls.method)(net=agent.policy.net)
        return agent


def changed(config: Config, changes: Mapping[str, Any]) -> Config:
    """The config with some fields replaced, checked.

    Raises:
        ConfigError: There is no such field, or it cannot have that value.
    """
    try:
        return settings.check(dataclasses.replace(config, **changes))  # type: ignore[type-var]
    except TypeError as error:
        raise ConfigError(f"{type(config).__name__}: {error}") from None
