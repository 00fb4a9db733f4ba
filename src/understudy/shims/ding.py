"""The imitation pipeline of NerveX and DI-engine: its names, on top of our presets.

    from understudy.shims.ding import collect_demo_data, serial_pipeline, serial_pipeline_il

Of their configurations, `env_id` (or the type of the environment), `stop_value`, the number of
episodes to evaluate and the type of the policy are read. Everything else in them belongs to their
networks and workers, and is not translated: settings of ours are given by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.agent import Agent
from understudy.data.demos import Demos
from understudy.data.episode import Episode
from understudy.data.formats.pickled import writer
from understudy.errors import ConfigError
from understudy.presets import BC, PPO, SAC, ActingAgent, evaluate
from understudy.run.cloning import piece
from understudy.shims.experts import recorded

ENVIRONMENTS = {
    "cartpole": "CartPole-v1",
    "pendulum": "Pendulum-v1",
    "mountain_car": "MountainCar-v0",
    "lunarlander": "LunarLander-v3",
    "bipedalwalker": "BipedalWalker-v3",
}
LEARNERS: dict[str, type[ActingAgent]] = {
    "ppo": PPO,
    "sac": SAC,
}
_EPISODES = 5
_Config = Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Trained:
    """A policy with the attributes that their programs use.

    Attributes:
        agent: The agent of ours.
    """

    agent: Agent

    @property
    def collect_mode(self) -> Trained:
        """Itself: a policy of ours has one mode."""
        return self

    eval_mode = learn_mode = collect_mode

    def state_dict(self) -> dict[str, Any]:
        """What `collect_demo_data` takes as `state_dict`."""
        return {"agent": self.agent}


def serial_pipeline(
    input_cfg: _Config, seed: int = 0, *, max_env_step: int = 100_000, **settings: Any
) -> Trained:
    """Train an expert.

    Args:
        input_cfg: The main and the create configuration, or the main one alone.
        seed: Of everything random.
        max_env_step: Steps of the environment in all.
        settings: Settings of ours, such as `slots=4`.

    Raises:
        ConfigError: The configuration does not say what is needed here.
    """
    asked = _Asked.of(input_cfg)
    if asked.learner not in LEARNERS:
        raise ConfigError(
            f"policy.type={asked.learner!r}: expected one of {', '.join(LEARNERS)} for an expert"
        )
    agent = LEARNERS[asked.learner](asked.env, seed=seed, steps=max_env_step, **settings)
    return Trained(agent.learn())


def collect_demo_data(
    input_cfg: _Config,
    seed: int,
    collect_count: int,
    expert_data_path: str | Path = "expert_data.pkl",
    env_setting: Any = None,
    model: Any = None,
    state_dict: Mapping[str, Any] | None = None,
) -> Demos:
    """Record exactly `collect_count` steps of an expert, as a pickled list of steps.

    Args:
        input_cfg: See `serial_pipeline`.
        seed: Of the environment and of what is drawn.
        collect_count: Steps; the last episode is cut where they are reached.
        expert_data_path: The file; it must not exist yet.
        env_setting: An environment or its Gymnasium id, instead of the configuration's.
        model: The expert: an agent or a policy of ours, or a function of an observation.
        state_dict: Instead, what `Trained.state_dict` gave.

    Returns:
        The same, which also keeps what that file cannot say, such as why episodes ended.

    Raises:
        ConfigError: There is no expert, or it does not fit.
        DemoError: The file exists already.
    """
    asked, expert = _Asked.of(input_cfg, env_setting), _expert(model, state_dict)
    if collect_count < 1:
        raise ConfigError(f"collect_count={collect_count}: expected at least 1")
    # Twice as many each time: how long an episode is shows only when it has been lived.
    episodes = 1
    while (demos := recorded(expert, asked.env, episodes=episodes, seed=seed)).num_steps < (
        collect_count
    ):
        episodes *= 2
    kept: list[Episode] = []
    missing = collect_count
    for episode in demos:
        if missing:
            kept.append(piece(episode, 0, min(missing, len(episode))))
            missing -= len(kept[-1])
    demos = Demos(demos.spec, kept, demos.provenance)
    writer.write(expert_data_path, demos)
    return demos


def collect_episodic_demo_data(
    input_cfg: _Config,
    seed: int,
    collect_count: int,
    expert_data_path: str | Path = "expert_data.pkl",
    env_setting: Any = None,
    model: Any = None,
    state_dict: Mapping[str, Any] | None = None,
) -> Demos:
    """Record whole episodes, as a pickled list of lists; see `collect_demo_data`."""
    asked, expert = _Asked.of(input_cfg, env_setting), _expert(model, state_dict)
    demos = recorded(expert, asked.env, episodes=collect_count, seed=seed)
    writer.write_episodes(expert_data_path, demos)
    return demos


def serial_pipeline_il(
    input_cfg: _Config,
    seed: int,
    data_path: str | Path | Demos,
    *,
    max_iterations: int = 4000,
    **settings: Any,
) -> tuple[Trained, bool]:
    """Clone what was shown, and play.

    Args:
        input_cfg: See `serial_pipeline`.
        seed: Of everything random.
        data_path: Anything that `load_demos` reads, or demonstrations.
        max_iterations: Updates.
        settings: Settings of ours, such as `weights="best"`.

    Returns:
        The policy, and whether its mean return reached `stop_value`.

    Raises:
        ConfigError: The configuration has no `stop_value`.
        DemoError: The demonstrations cannot be read, or do not fit the environment.
    """
    asked = _Asked.of(input_cfg)
    if asked.stop_value is None:
        raise ConfigError("env.stop_value: the return at which the policy counts as converged")
    agent = BC(asked.env, data_path, seed=seed, steps=max_iterations, **settings).learn()
    played = evaluate(agent, asked.env, episodes=asked.episodes)
    return Trained(agent), float(played.returns.mean()) >= asked.stop_value


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is read from a configuration.

    Attributes:
        env: A Gymnasium id or an environment.
        learner: The type of the policy.
        stop_value: The return that is enough; None where nothing is said.
        episodes: How many are played to find out.
    """

    env: Any
    learner: str
    stop_value: float | None
    episodes: int

    @classmethod
    def of(cls, given: _Config, env: Any = None) -> _Asked:
        """What a configuration asks for.

        Raises:
            ConfigError: It does not say in which environment.
        """
        main, create = (given, {}) if isinstance(given, Mapping) else (*given, {})[:2]
        said = main.get("env", {})
        kinds = create.get("env", {}), create.get("policy", {}), main.get("policy", {})
        env = env or said.get("env_id") or ENVIRONMENTS.get(str(kinds[0].get("type")))
        if env is None:
            raise ConfigError(
                f"env.env_id: expected a Gymnasium id (or, as create.env.type, one of "
                f"{', '.join(ENVIRONMENTS)}; found {kinds[0].get('type')!r})"
            )
        learner = str(kinds[1].get("type") or kinds[2].get("type") or "")
        stop = said.get("stop_value")
        return cls(
            env,
            learner.removesuffix("_command"),
            None if stop is None else float(stop),
            int(said.get("n_evaluator_episode", _EPISODES)),
        )


def _expert(model: Any, state_dict: Mapping[str, Any] | None) -> Any:
    if state_dict is not None:
        if "agent" not in state_dict:
            raise ConfigError(
                "state_dict: expected what Trained.state_dict() gave, here or as model"
            )
        return state_dict["agent"]
    if model is None:
        raise ConfigError("model, state_dict: expected one of the two, who shall be recorded")
    return model.agent if isinstance(model, Trained) else model
