"""Ready-made learners, recording and evaluation: what most programs need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy import settings
from understudy.agent import Agent, changed
from understudy.data.actor import Actor
from understudy.data.demos import Demos, Provenance
from understudy.data.spec import Spec
from understudy.envs.actors import random_actor
from understudy.envs.env import Env, one
from understudy.envs.opening import open_env
from understudy.errors import ConfigError
from understudy.run.evaluate import Evaluation, play
from understudy.run.methods import config_class, make_run, recipes
from understudy.run.policy import Policy
from understudy.run.record import InMemory, record_episodes
from understudy.run.reinforcement import Reinforcement
from understudy.terms.term import LossTerm
from understudy.worlds.experts import scripted

# Whoever learns one way need not wait for the others to load.
if TYPE_CHECKING:
    from understudy.run.cloning import BCConfig, Cloning
    from understudy.run.held_out import HeldOutReport
    from understudy.run.off_policy import OffPolicyConfig
    from understudy.run.on_policy import OnPolicyConfig

EVALUATION_SEED = 1_000_003
"""Far from the seeds that people give to recordings, so that starts differ."""


class BC(Agent):
    """Behavioral cloning with the shape that users of Stable-Baselines know.

    Example:
        `agent = BC("LunarLander-v3", "demos/lander").learn()` and then `agent.predict(obs)`.
    """

    method = "bc"
    config: BCConfig
    run: Cloning | None

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
        from understudy.run.cloning import BCConfig, Cloning

        known = None if env is None else spec_of_env(env)
        demos = demos if isinstance(demos, Demos) else _loaded(demos, known)
        self.config = changed(config or BCConfig(), _said(env, seed, changes))
        self.log = []
        self.run = Cloning(known or demos.spec, demos, self.config, self.log.append, terms=terms)
        self.policy = self.run.policy()

    def settle(self) -> None:
        """Keep the last weights, or the best ones where `config.weights` says."""
        assert self.run is not None, "it has just learned"
        self.run.use(self.run.kept)

    def report(self) -> HeldOutReport | None:
        """How like what was shown it acts on held-out episodes, beside two baselines."""
        return None if self.run is None else self.run.report()


class ActingAgent(Agent):
    """An agent that learns by acting; `PPO` and `SAC` are such, and those in `imitators`."""

    run: Reinforcement | None

    def __init__(
        self,
        env: Any,
        demos: Demos | str | Path | Sequence[str | Path] | None = None,
        *,
        seed: int | None = None,
        config: Any = None,
        terms: Mapping[str, LossTerm] | None = None,
        **changes: Any,
    ) -> None:
        """Make the environment, and be ready to learn.

        Args:
            env: A Gymnasium id or environment, or one of our `Env`s.
            demos: Demonstrations to lean on or to imitate as `config` says, or where they are.
            seed: Of everything random; None: the config's.
            config: All settings; by default those tuned for the environment, else the method's.
            terms: Further losses of the policy, by name.
            changes: Single fields of the config, such as `steps=50_000` or `slots=4`.

        Raises:
            ConfigError, DemoError, EnvError: Something does not fit; says what and what to do.
        """
        known = config or settings_for(self.method, env)
        self.config = changed(known, _said(env, seed, changes))
        world = acting_env(env, self.config)
        if demos is not None and not isinstance(demos, Demos):
            demos = _loaded(demos, one(world.behaviors))
        self.log = []
        self.run = make_run(world, self.config, self.log.append, demos=demos, terms=terms)
        self.policy = self.run.policy()


class PPO(ActingAgent):
    """Proximal policy optimization with the shape that users of Stable-Baselines know.

    Example:
        `agent = PPO("CartPole-v1", steps=50_000).learn()` and then `agent.predict(obs)`.
    """

    method = "ppo"
    config: OnPolicyConfig


class SAC(ActingAgent):
    """Soft actor-critic with the shape that users of Stable-Baselines know.

    Demonstrations need rewards: they are mixed into every batch.

    Example:
        `agent = SAC("Pendulum-v1", steps=10_000).learn()` and then `agent.predict(obs)`.
    """

    method = "sac"
    config: OffPolicyConfig


def settings_for(method: str, env: Any) -> Any:
    """A method's settings, as they were tuned for an environment where they were.

    Args:
        method: Such as `ppo`.
        env: A Gymnasium id; for anything else nothing is tuned.
    """
    cls = config_class(method)
    files = recipes(method, env if isinstance(env, str) else None)
    return settings.read(cls, files=files) if files else cls()


def _said(env: Any, seed: int | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    """All fields that the arguments of a preset change."""
    named = {"env": env} if isinstance(env, str) else {}
    return {**changes, **named, **({} if seed is None else {"seed": seed})}


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


def _loaded(source: str | Path | Sequence[str | Path], spec: Spec | None) -> Demos:
    # Only here: whoever learns without demonstrations need not wait for all their formats (24 ms).
    from understudy.data.formats.door import load_demos

    return load_demos(source, spec=spec)


def as_env(env: Any, slots: int) -> Env:
    """Our contract around whatever was given, in this process."""
    return open_env(env, slots, workers=0)


def acting_env(env: Any, config: OnPolicyConfig | OffPolicyConfig) -> Env:
    """Our contract around where a run acts, its slots kept as its settings say.

    Raises:
        EnvError: It cannot be made, or not in this way.
    """
    slots = config.slots if isinstance(env, str) or callable(env) else 1
    workers = "auto" if config.workers is None else config.workers
    return open_env(env, slots, workers=workers, steps=config.steps)


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
