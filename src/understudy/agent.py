"""What every ready-made learner can do besides learning: act, be saved, be loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from understudy.run.policy import Policy


class Agent:
    """Has a policy, and speaks with it as users of Stable-Baselines are used to.

    Attributes:
        policy: The policy as it is now.
    """

    policy: Policy

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
        agent.rest()
        return agent

    def rest(self) -> None:
        """Be an agent that has nothing to learn from."""
        raise NotImplementedError
