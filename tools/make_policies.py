"""Small policies of Stable-Baselines3 and what they do, for the test of their reader.

Run by a Python that has stable-baselines3 (2.9.2 made the ones that are committed):

    /path/of/its/python tools/make_policies.py

Writes `NAME.zip`, as `model.save` makes it after a few steps of learning but for its pickles, which
nobody reads, and `answers.npz`, with 1,000 observations for each and the actions that
`model.predict(..., deterministic=True)` takes.
"""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, MultiBinary, MultiDiscrete

FOLDER = Path(__file__).parents[1] / "tests" / "run" / "policies"
AMOUNT = 1000


class Odd(gymnasium.Env[Any, Any]):
    """Five numbers to see, and whatever actions; nothing comes of them."""

    observation_space = Box(-3, 3, (5,))

    def __init__(self, action_space: Any) -> None:
        self.action_space = action_space

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin."""
        super().reset(**options)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step."""
        return self.observation_space.sample(), float(np.sum(action)), False, True, {}


def main() -> None:
    """Make all of them."""
    import stable_baselines3 as sb3  # pyright: ignore[reportMissingImports]
    from torch import nn

    small = {"net_arch": [16, 8]}
    wide = Box(np.array([-2, 0], "f4"), np.array([2, 5], "f4"))
    made: dict[str, tuple[Any, Any, dict[str, Any]]] = {
        "ppo": (sb3.PPO, "CartPole-v1", {"n_steps": 64, "policy_kwargs": small}),
        "a2c": (sb3.A2C, Odd(wide), {"policy_kwargs": {**small, "activation_fn": nn.ELU}}),
        "a2c_choices": (sb3.A2C, Odd(MultiDiscrete([3, 4])), {"policy_kwargs": small}),
        "a2c_bits": (sb3.A2C, Odd(MultiBinary(3)), {"policy_kwargs": {"net_arch": []}}),
        "sac": (sb3.SAC, Odd(wide), {"learning_starts": 10, "policy_kwargs": small}),
        "td3": (sb3.TD3, Odd(wide), {"learning_starts": 10, "policy_kwargs": small}),
        "dqn": (
            sb3.DQN,
            "CartPole-v1",
            {"seed": 4, "learning_starts": 300, "policy_kwargs": small},
        ),
    }
    FOLDER.mkdir(exist_ok=True)
    answers: dict[str, Any] = {}
    for name, (kind, env, options) in made.items():
        # A copy: SAC writes into what it is given.
        kwargs = {"seed": 0, **options, "policy_kwargs": dict(options["policy_kwargs"])}
        model = kind("MlpPolicy", env, device="cpu", **kwargs).learn(200)
        _save(model, FOLDER / f"{name}.zip")
        seen = observations(*model.observation_space.shape)
        answers[name] = model.predict(seen, deterministic=True)[0]
    _refused(sb3)
    np.savez_compressed(FOLDER / "answers.npz", **answers)


def observations(width: int) -> Any:
    """`[1000, width]` what every policy is shown."""
    return np.random.default_rng(1).uniform(-3, 3, (AMOUNT, width)).astype(np.float32)


def _refused(sb3: Any) -> None:
    """One that explores in dependence on the state."""
    model = sb3.A2C("MlpPolicy", "Pendulum-v1", use_sde=True, policy_kwargs={"net_arch": [4]})
    _save(model, FOLDER / "sde.zip")


def _save(model: Any, path: Path) -> None:
    """What `model.save` writes, without what names the machine: pickled code and its system."""
    whole = BytesIO()
    model.save(whole)
    with zipfile.ZipFile(whole) as given, zipfile.ZipFile(path, "w") as kept:
        data = json.loads(given.read("data"))
        for value in data.values():
            if isinstance(value, dict) and ":serialized:" in value:
                value[":serialized:"] = ""
        kept.writestr("data", json.dumps(data))
        for name in ("policy.pth", "_stable_baselines3_version"):
            kept.writestr(name, given.read(name))


if __name__ == "__main__":
    main()
