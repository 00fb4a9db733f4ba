"""The ways to learn, by name: their settings, and how a run that acts is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from understudy.errors import ConfigError

if TYPE_CHECKING:
    from understudy.data.demos import Demos
    from understudy.envs.env import Env
    from understudy.run.reinforcement import Reinforcement
    from understudy.run.watch import Note
    from understudy.terms.term import LossTerm

METHODS = ("bc", "ppo", "sac")


def config_class(method: str) -> type[Any]:
    """The class of a method's settings.

    Raises:
        ConfigError: There is no such method.
    """
    if method == "bc":
        from understudy.run.cloning import BCConfig

        return BCConfig
    if method == "ppo":
        from understudy.run.on_policy import OnPolicyConfig

        return OnPolicyConfig
    if method == "sac":
        from understudy.run.off_policy import OffPolicyConfig

        return OffPolicyConfig
    raise ConfigError(f"method '{method}': expected one of {', '.join(METHODS)}")


def make_run(
    env: Env,
    config: Any,
    note: Note,
    *,
    demos: Demos | None = None,
    terms: Mapping[str, LossTerm] | None = None,
) -> Reinforcement:
    """A run that acts, from its settings.

    Args:
        env: Where to act; it has one behavior.
        config: Of class `config_class(method)`, a method that acts.
        note: Takes lines for the log.
        demos: What was shown, to lean on.
        terms: Further losses of the policy, by name.

    Raises:
        ConfigError: The method cannot do what the environment asks for; says what.
        DemoError: The demonstrations do not fit, or are empty.
    """
    if config.method == "sac":
        from understudy.run.off_policy import off_policy as make
    else:
        from understudy.run.on_policy import on_policy as make
    try:
        return make(env, config, note, demos=demos, terms=terms)
    except ValueError as error:
        raise ConfigError(f"{config.method} in {env.env_id}: {error}") from error
