"""Ready-made imitation of an expert that can be asked: DAgger and its family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from understudy.agent import Agent, changed
from understudy.data.actor import Actor
from understudy.data.demos import Demos
from understudy.envs.env import Env, one
from understudy.envs.opening import open_env
from understudy.errors import CheckpointError, ConfigError
from understudy.human.door import is_person, person_in, seen_env
from understudy.presets import check_fit, settings_for
from understudy.run import dagger
from understudy.run.dagger import DAggerConfig
from understudy.run.folder import policy_of
from understudy.run.policy import Policy
from understudy.run.saying import Saying
from understudy.run.stable_baselines import stable_baselines_actor
from understudy.terms.term import LossTerm
from understudy.worlds.experts import scripted


class DAgger(Agent):
    """Dataset aggregation (Ross et al., 2011): acts, asks an expert, learns, and acts again.

    Example:
        `agent = DAgger("LunarLander-v3", "scripted", labels=600).learn()` and then
        `agent.predict(obs)`; `agent.labels()` is everything that the expert said.
    """

    method = "dagger"
    config: DAggerConfig
    run: dagger.DAgger | None

    def __init__(
        self,
        env: Any,
        expert: Any = None,
        *,
        demos: Demos | str | Path | Sequence[str | Path] | None = None,
        seed: int | None = None,
        config: DAggerConfig | None = None,
        terms: Mapping[str, LossTerm] | None = None,
        **changes: Any,
    ) -> None:
        """Make the environment, and be ready to ask.

        Args:
            env: A Gymnasium id or environment, or one of our `Env`s.
            expert: Who is asked, see `expert_of`; None: the config's.
            demos: What is known before anybody is asked, or where it is.
            seed: Of everything random; None: the config's.
            config: All settings; by default those tuned for the environment, else the method's.
            terms: Losses of your own that join cloning, by name.
            changes: Single fields of the config, such as `rounds=5` or `labels=200`.

        Raises:
            ConfigError, DemoError, EnvError: Something does not fit; says what and what to do.
        """
        known = config or settings_for(self.method, env)
        said = {**changes, **({"env": env} if isinstance(env, str) else {})}
        said |= {} if seed is None else {"seed": seed}
        said |= {} if expert is None else {"expert": name_of(expert)}
        self.config = changed(known, said)
        world = asking_env(env, self.config)
        asked = expert_of(self.config.expert if expert is None else expert, world)
        if demos is not None and not isinstance(demos, Demos):
            from understudy.data.formats.door import load_demos

            demos = load_demos(demos, spec=one(world.behaviors))
        self.log = []
        self.run = dagger.DAgger(
            world, asked, self.config, self.log.append, demos=demos, terms=terms
        )
        self.policy = self.run.policy()

    def settle(self) -> None:
        """Keep the moving average of the last round's weights."""
        assert self.run is not None, "it has just learned"
        self.run.use()

    def labels(self) -> Demos:
        """All that was done while it learned, with what the expert said about it.

        Raises:
            ConfigError: It was loaded, and only its policy is known.
        """
        if self.run is None:
            raise ConfigError("a loaded policy has no labels; they are in its run's folder")
        return self.run.labels.demos()


def asking_env(env: Any, config: DAggerConfig) -> Env:
    """Our contract around where a run acts and asks, in this process.

    Raises:
        EnvError: It cannot be made.
    """
    slots = config.slots if isinstance(env, str) or callable(env) else 1
    if is_person(config.expert):
        return seen_env(env, slots)
    return open_env(env, slots, workers=0)


def expert_of(expert: Any, env: Env, results_dir: str | Path = "results") -> Actor:
    """Who is asked.

    Args:
        expert: `scripted`; `human`, or `human:FILE` with a file of keys, who takes over; a run's id
            or folder, or a policy's; `FILE.zip`, which Stable-Baselines3 saved; `module:name`,
            which is found by import; an agent or a policy, which does its likeliest; an actor,
            which may be `understudy.run.taught.Sparing`; or a function from an observation of the
            environment's space to an action of its space, or to None where it has nothing to say.
        env: Where.
        results_dir: Where runs are.

    Raises:
        ConfigError: There is no such expert, or it does not fit the environment.
        CheckpointError: There is no such run.
        EnvError: No script is known for the environment.
    """
    spec = one(env.behaviors)
    if isinstance(expert, str | Path):
        expert = _named(str(expert), env, results_dir)
    expert = expert.policy if isinstance(expert, Agent) else expert
    if isinstance(expert, Policy):
        check_fit(expert, env)
        return expert.actor()
    if isinstance(expert, type):
        raise ConfigError(f"expert {expert.__name__}: expected an object, not its class")
    if hasattr(expert, "act"):
        return expert if hasattr(expert, "start") else Saying(expert.act, spec)
    if callable(expert):
        return Saying(expert, spec)
    raise ConfigError(
        f"expert {expert!r}: expected scripted, a run, module:name, a policy, an actor with act() "
        "and start(), or a function of an observation"
    )


def _named(word: str, env: Env, results_dir: str | Path) -> Any:
    """The expert, or what makes one, that a word means."""
    if word == "scripted":
        return scripted(env.env_id, one(env.behaviors))
    if is_person(word):
        return person_in(env, word)
    if word.endswith(".zip"):
        return stable_baselines_actor(word, one(env.behaviors))
    if ":" in word and not Path(word).exists():
        return _imported(word)
    return policy_named(word, results_dir)


def policy_named(word: str, results_dir: str | Path) -> Policy:
    """The policy of a run, by a word that may have been meant for another kind of actor.

    Raises:
        CheckpointError: There is none, or it cannot be read.
    """
    try:
        return policy_of(word, results_dir)
    except CheckpointError as error:
        if Path(word).exists() or (Path(results_dir) / word).exists():
            raise
        raise CheckpointError(
            f"{error}; expected scripted, human, a run's id or folder, a FILE.zip of "
            "Stable-Baselines3, or module:name"
        ) from None


def name_of(expert: Any) -> str:
    """What settings call an expert; a word is its own name."""
    if isinstance(expert, str | Path):
        return str(expert)
    return str(getattr(expert, "__qualname__", type(expert).__qualname__))


def _imported(word: str) -> Any:
    module, _, name = word.partition(":")
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        raise ConfigError(f"expert '{word}': {error}; is {module}.py here?") from None
    except (AttributeError, ValueError):
        raise ConfigError(f"expert '{word}': there is no '{name}' in {module}") from None
    except Exception as error:
        text = " ".join(str(error).split())
        said = f"{type(error).__name__}: {text}"
        raise ConfigError(f"expert '{word}': {module} cannot be imported: {said}") from error
