"""Ready-made learners, recording and evaluation: what most programs need."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from understudy import settings
from understudy.agent import Agent
from understudy.data.actor import Actor
from understudy.data.demos import Demos, Provenance
from understudy.data.formats.door import load_demos
from understudy.data.spec import Spec
from understudy.envs.actors import random_actor
from understudy.envs.env import Env, one
from understudy.envs.gym import GymEnv
from understudy.errors import ConfigError, UnderstudyError
from understudy.run.cloning import BCConfig, Cloning
from understudy.run.evaluate import Evaluation, play
from understudy.run.held_out import HeldOutReport
from understudy.run.on_policy import OnPolicy, OnPolicyConfig
from understudy.run.policy import Policy
from understudy.run.record import InMemory, record_episodes
from understudy.terms.term import LossTerm
from understudy.worlds.experts import scripted

Config = TypeVar("Config", BCConfig, OnPolicyConfig)

EVALUATION_SEED = 1_000_003
"""Far from the seeds that people give to recordings, so that starts differ."""


class BC(Agent):
    """Behavioral cloning with the shape that users of Stable-Baselines know.

    Example:
        `agent = BC("LunarLander-v3", "demos/lander").learn()` and then `agent.predict(obs)`.
    """

    def __init__(
        self,
        env: Any,
        demos: Demos | str | Path | Sequence[str | Path],
        *,
        seed: int | None = None,
        config: BCConfig | None = None,
        terms: Mapping[str, LossTerm] | None = None,
        **changes: Any,
    ) -> None:
        """Check that everything fits, and be ready to learn.

        Args:
            env: A Gymnasium id or environment, one of our `Env`s, a `Spec`, or None to learn from
                the recordings alone.
            demos: Demonstrations, or where they are.
            seed: Of everything random; None: the config's.
            config: All settings; by default those of `BCConfig`.
            terms: Losses of your own that join cloning, by name.
            changes: Single fields of the config, such as `steps=2000` or
                `net=NetConfig(hidden=(64,))`.

        Raises:
            ConfigError, DemoError, EnvError: Something does not fit; says what and what to do.
        """
        known = None if env is None else spec_of_env(env)
        demos = demos if isinstance(demos, Demos) else load_demos(demos, spec=known)
        if seed is not None:
            changes["seed"] = seed
        if isinstance(env, str):
            changes["env"] = env
        self.config = _changed(config or BCConfig(), changes)
        self.spec = known or demos.spec
        self.log: list[Mapping[str, Any]] = []
        """Lines of metrics, each with its `step`."""
        self.cloning: Cloning | None = Cloning(
            self.spec, demos, self.config, self.log.append, terms=terms
        )
        self.policy = self.cloning.policy(self._facts())

    def learn(self, steps: int | None = None) -> Self:
        """Learn, and keep the last weights, or the best ones where `config.weights` says.

        Args:
            steps: Updates; by default `config.steps`.

        Raises:
            UnderstudyError: It has learned already, or was loaded without demonstrations.
        """
        cloning = self.cloning
        if cloning is None or cloning.progress.done:
            raise UnderstudyError(
                "this policy has learned already; make another BC with the demonstrations"
            )
        cloning.progress.total = self.config.steps if steps is None else steps
        cloning.learn()
        cloning.use(cloning.kept)
        self.policy = cloning.policy(self._facts())
        return self

    def report(self) -> HeldOutReport | None:
        """How like what was shown it acts on held-out episodes, beside two baselines."""
        return None if self.cloning is None else self.cloning.report()

    def rest(self) -> None:
        """See `Agent.rest`."""
        self.spec, self.cloning = self.policy.spec, None
        self.config, self.log = BCConfig(net=self.policy.net), []

    def _facts(self) -> dict[str, Any]:
        return {
            "method": "bc",
            "env": self.config.env,
            "seed": self.config.seed,
            "steps": self.cloning.progress.steps if self.cloning else 0,
        }


class PPO(Agent):
    """Proximal policy optimization with the shape that users of Stable-Baselines know.

    Example:
        `agent = PPO("CartPole-v1", steps=50_000).learn()` and then `agent.predict(obs)`.
    """

    def __init__(
        self,
        env: Any,
        *,
        seed: int | None = None,
        slots: int = 8,
        config: OnPolicyConfig | None = None,
        terms: Mapping[str, LossTerm] | None = None,
        **changes: Any,
    ) -> None:
        """Make the environment, and be ready to learn.

        Args:
            env: A Gymnasium id or environment, or one of our `Env`s.
            seed: Of everything random; None: the config's.
            slots: How many environments run side by side, where `env` is an id.
            config: All settings; by default those of `OnPolicyConfig`.
            terms: Further losses of the policy, by name, such as `Clone` of demonstrations.
            changes: Single fields of the config, such as `steps=50_000`.

        Raises:
            ConfigError, EnvError: Something does not fit; says what and what to do.
        """
        if seed is not None:
            changes["seed"] = seed
        if isinstance(env, str):
            changes["env"] = env
        self.config = _changed(config or OnPolicyConfig(), changes)
        self.log: list[Mapping[str, Any]] = []
        """Lines of metrics, each with its `step`."""
        world = as_env(env, slots if isinstance(env, str) else 1)
        self.run: OnPolicy | None = OnPolicy(world, self.config, self.log.append, terms)
        self.policy = self.run.policy(self._facts())

    def learn(self, steps: int | None = None) -> Self:
        """Act and learn.

        Args:
            steps: Steps of the environment; by default `config.steps`.

        Raises:
            UnderstudyError: It has learned already, or was loaded without an environment.
        """
        if self.run is None or self.run.progress.done:
            raise UnderstudyError(
                "this policy has learned already; make another PPO with the environment"
            )
        self.run.progress.total = self.config.steps if steps is None else steps
        self.run.learn()
        self.policy = self.run.policy(self._facts())
        return self

    def rest(self) -> None:
        """See `Agent.rest`."""
        self.run, self.log = None, []
        self.config = OnPolicyConfig(net=self.policy.net)

    def _facts(self) -> dict[str, Any]:
        return {
            "method": "ppo",
            "env": self.config.env,
            "seed": self.config.seed,
            "steps": self.run.progress.steps if self.run else 0,
        }


def record(
    env: Any, actor: Actor | str = "scripted", *, episodes: int, seed: int = 0, slots: int = 1
) -> Demos:
    """Demonstrations of an actor, in memory (`understudy.data.formats.native` writes them).

    Args:
        env: A Gymnasium id or environment, or one of our `Env`s.
        actor: Who acts: `scripted`, `random`, or an object with `act`.
        episodes: How many.
        seed: Of the environment and the actor.
        slots: How many run side by side.
    """
    with _opened(env, slots) as world:
        spec = one(world.behaviors)
        kept = InMemory(spec)
        record_episodes(world, as_actor(actor, world, seed), episodes, kept.begin, seed)
    name = actor if isinstance(actor, str) else type(actor).__name__
    provenance = Provenance(
        format="memory", env_id=world.env_id, versions=world.versions, actor=name
    )
    return Demos(spec, kept.episodes, provenance)


def evaluate(
    agent: Any,
    env: Any,
    *,
    episodes: int = 100,
    seed: int = EVALUATION_SEED,
    deterministic: bool = True,
    slots: int = 10,
) -> Evaluation:
    """Returns of an agent, a policy, an actor, `scripted` or `random` in an environment.

    Args:
        agent: Who plays.
        env: A Gymnasium id or environment, or one of our `Env`s.
        episodes: How many, a fixed number in every slot.
        seed: Of the environment; the same seed shows every agent the same starts.
        deterministic: A policy takes its likeliest action instead of drawing one.
        slots: How many run side by side, at most.

    Raises:
        ConfigError: The agent sees or does something else than the environment.
    """
    with _opened(env, max(1, min(slots, episodes))) as world:
        policy = agent.policy if isinstance(agent, Agent) else agent
        if isinstance(policy, Policy):
            check_fit(policy, world)
            policy = policy.actor(None if deterministic else seed)
        return play(world, as_actor(policy, world, seed), episodes, seed)


def check_fit(policy: Policy, env: Env) -> None:
    """Check that a policy can act in an environment.

    Raises:
        ConfigError: It sees or does something else; says what.
    """
    if difference := policy.spec.difference(one(env.behaviors)):
        raise ConfigError(
            f"the policy does not fit {env.env_id}: {difference} "
            "(here: the policy, there: the environment)"
        )


@contextmanager
def _opened(env: Any, slots: int) -> Iterator[Env]:
    """Our contract around what was given, which is closed again only if it was made here.

    A Gymnasium environment that exists already fills one slot.
    """
    made_elsewhere = not isinstance(env, str) and not callable(env)
    world = as_env(env, 1 if made_elsewhere else slots)
    try:
        yield world
    finally:
        if not made_elsewhere:
            world.close()


def as_env(env: Any, slots: int, **options: Any) -> Env:
    """Our contract around whatever was given."""
    return env if hasattr(env, "behaviors") else GymEnv(env, slots, **options)


def as_actor(actor: Actor | str, env: Env, seed: int) -> Actor:
    """The actor that a word stands for, or the actor itself.

    Raises:
        ConfigError: An unknown word.
    """
    if not isinstance(actor, str):
        return actor
    if actor == "scripted":
        return scripted(env.env_id, one(env.behaviors))
    if actor == "random":
        return random_actor(one(env.behaviors), seed)
    raise ConfigError(f"actor '{actor}': expected scripted, random or an object with act()")


def spec_of_env(env: Any) -> Spec:
    """What an environment sees and does; a spec is its own."""
    if isinstance(env, Spec):
        return env
    world = as_env(env, 1)
    spec = one(world.behaviors)
    if world is not env and isinstance(env, str):
        world.close()
    return spec


def _changed(config: Config, changes: Mapping[str, Any]) -> Config:
    try:
        return settings.check(dataclasses.replace(config, **changes))
    except TypeError as error:
        raise ConfigError(f"{type(config).__name__}: {error}") from None
