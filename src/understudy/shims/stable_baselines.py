"""The imitation part of Stable-Baselines 2: its names and signatures, on top of our presets.

    from understudy.shims.stable_baselines import GAIL, SAC, ExpertDataset, generate_expert_traj

What learns is ours: `GAIL` here is PPO with a discriminator, where theirs was TRPO, so that
hyperparameters of theirs have no place; settings of ours are given by name. What cannot be done as
there is refused, and nothing that is given is ignored.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.expert_npz_writer import write
from understudy.errors import ConfigError
from understudy.imitators import GAIL as _GAIL
from understudy.presets import PPO, ActingAgent, settings_for, spec_of_env
from understudy.presets import SAC as _SAC
from understudy.shims.expert_dataset import ExpertDataset as ExpertDataset
from understudy.shims.experts import recorded

POLICIES: dict[str, dict[str, Any]] = {
    "MlpPolicy": {},
    "CnnPolicy": {},
    "MlpLstmPolicy": {"memory": 64},
    "CnnLstmPolicy": {"memory": 64},
}
"""What their policies change of our networks, which fit themselves to what is seen."""


def generate_expert_traj(
    model: Any,
    save_path: str | Path | None = None,
    env: Any = None,
    n_timesteps: int = 0,
    n_episodes: int = 100,
    image_folder: str = "recorded_images",
    *,
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Record an expert, as `save_path.npz` and as the arrays in it.

    Args:
        model: Who: a model that learns, one of our agents or policies, an object with
            `predict(obs)`, or a function of an observation.
        save_path: The file, with or without `.npz`; it must not exist yet. None for none.
        env: Where; None: the model's own. It is left open.
        n_timesteps: Steps that the model learns before.
        n_episodes: How many whole episodes.
        image_folder: Where pictures go, beside the file.
        seed: Of the environment and of what is drawn.

    Returns:
        `actions`, `obs`, `rewards` with a row for every step, `episode_returns`, and
        `episode_starts`. Pictures are named if they were written, else they are there.

    Raises:
        ConfigError: There is no environment, or nothing that could act.
        DemoError: The file exists already, or cannot hold what is seen and done.
    """
    env = getattr(model, "env", None) if env is None else env
    if env is None:
        raise ConfigError("env: a function has no environment of its own; give one")
    if n_timesteps:
        if not hasattr(model, "learn"):
            raise ConfigError(f"n_timesteps={n_timesteps}: this model cannot learn")
        model.learn(n_timesteps)
    expert = model.agent if isinstance(model, Model) else model
    demos = recorded(expert, env, episodes=n_episodes, seed=seed)
    if save_path is not None:
        path = Path(save_path)
        path = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
        write(path, demos, image_folder=image_folder)
        return _arrays(path)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "expert.npz"
        write(path, demos)
        arrays = _arrays(path)
    if arrays["obs"].dtype.kind == "U":
        arrays["obs"] = np.concatenate([next(iter(e.obs.values()))[:-1] for e in demos])
    return arrays


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


class Model:
    """A learner with the shape of Stable-Baselines 2; see `GAIL`, `PPO2` and `SAC`.

    Attributes:
        env: Where it acts, as it was given.
    """

    preset: ClassVar[type[ActingAgent]]
    env: Any

    def __init__(self, policy: str, env: Any, *, verbose: int = 0, **settings: Any) -> None:
        """Say what is to learn; it is made when it is first needed.

        Args:
            policy: `MlpPolicy` or `CnnPolicy`, which mean the same here, or `MlpLstmPolicy` or
                `CnnLstmPolicy`, which remember.
            env: A Gymnasium id or environment.
            verbose: 1 prints what came of learning.
            settings: Settings of ours, such as `seed=1` or `slots=4`.

        Raises:
            ConfigError: There is no such policy.
        """
        if policy not in POLICIES:
            raise ConfigError(f"policy={policy!r}: expected one of {', '.join(POLICIES)}")
        self.env, self.verbose = env, verbose
        self._settings = dict(settings)
        self._dataset: ExpertDataset | None = None
        self._agent: ActingAgent | None = None
        if POLICIES[policy]:
            net = settings.get("net") or settings_for(self.preset.method, env).net
            self._settings["net"] = replace(net, **POLICIES[policy])

    @property
    def agent(self) -> ActingAgent:
        """The agent of ours that does it."""
        if self._agent is None:
            demos = None
            if self._dataset is not None:
                demos = self._dataset.fitted(spec_of_env(self.env))
            self._agent = self.preset(self.env, demos, **self._settings)
        return self._agent

    def learn(self, total_timesteps: int) -> Self:
        """Learn, once.

        Args:
            total_timesteps: Steps of the environment.

        Raises:
            UnderstudyError: It has learned already.
        """
        agent = self.agent.learn(total_timesteps)
        if self.verbose and agent.log:
            print(", ".join(f"{name} {value}" for name, value in agent.log[-1].items()))
        return self

    def pretrain(
        self,
        dataset: ExpertDataset,
        n_epochs: int = 10,
        learning_rate: float = 1e-4,
    ) -> Self:
        """Clone the expert; `learn` goes on from there.

        All of the data set is learned from: a split of it is for looking at.

        Args:
            dataset: What was shown.
            n_epochs: How often every step is learned from.
            learning_rate: Step size at the start.

        Raises:
            ConfigError: It has been made already, or imitates another data set.
        """
        if self._agent is not None:
            raise ConfigError("pretrain comes before anything else that the model does")
        if self._dataset not in (None, dataset):
            raise ConfigError("pretrain: expected the data set that the model was given")
        self._dataset = dataset
        known = settings_for(self.preset.method, self.env)
        shown = self._settings.get("shown", known.shown)
        shown = replace(
            shown,
            pretrain=n_epochs * -(-dataset.num_transition // dataset.batch_size),
            learner=replace(shown.learner, learning_rate=learning_rate),
            clone=replace(shown.clone, weight=0),
            source=replace(shown.source, batch_size=dataset.batch_size),
        )
        self._settings["shown"] = shown
        if hasattr(known, "practice"):
            # What is shown is cloned only; it need not have rewards.
            practice = self._settings.get("practice", known.practice)
            self._settings["practice"] = replace(practice, demo_ratio=0)
        return self

    def predict(
        self, observation: Any, state: Any = None, mask: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """What to do, and what it remembers; see `Policy.predict`."""
        return self.agent.predict(observation, state, mask, deterministic)

    def save(self, save_path: str | Path) -> Path:
        """Write the policy as a folder, without any pickle."""
        return self.agent.save(save_path)

    @classmethod
    def load(cls, load_path: str | Path, env: Any = None) -> Self:
        """A saved policy, ready to `predict`."""
        model = cls.__new__(cls)
        model.env, model.verbose, model._settings, model._dataset = env, 0, {}, None
        model._agent = cls.preset.load(load_path)
        return model


class GAIL(Model):
    """Generative adversarial imitation; see `understudy.GAIL`."""

    preset = _GAIL

    def __init__(
        self,
        policy: str,
        env: Any,
        expert_dataset: ExpertDataset | None = None,
        *,
        verbose: int = 0,
        **settings: Any,
    ) -> None:
        """See `Model`; `expert_dataset` is what to imitate."""
        super().__init__(policy, env, verbose=verbose, **settings)
        self._dataset = expert_dataset


class PPO2(Model):
    """Proximal policy optimization; see `understudy.PPO`."""

    preset = PPO


class SAC(Model):
    """Soft actor-critic; see `understudy.SAC`."""

    preset = _SAC
