"""The ways to learn, by name: their settings, and how a run that acts is made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.errors import ConfigError
from understudy.run.tuned import tuned

if TYPE_CHECKING:
    from understudy.data.demos import Demos
    from understudy.envs.env import Env
    from understudy.run.reinforcement import Reinforcement
    from understudy.run.watch import Note
    from understudy.terms.term import LossTerm

FOLDER = Path(__file__).parent / "recipes"
"""What makes a method of a class of settings, one YAML file each."""

_CLASSES = {
    "bc": ("understudy.run.cloning", "BCConfig"),
    "ppo": ("understudy.run.on_policy", "OnPolicyConfig"),
    "sac": ("understudy.run.off_policy", "OffPolicyConfig"),
    "gail": ("understudy.run.on_policy", "OnPolicyConfig"),
    "guided": ("understudy.run.on_policy", "OnPolicyConfig"),
    "airl": ("understudy.run.on_policy", "OnPolicyConfig"),
    "pwil": ("understudy.run.on_policy", "OnPolicyConfig"),
    "dac": ("understudy.run.off_policy", "OffPolicyConfig"),
    "sqil": ("understudy.run.off_policy", "OffPolicyConfig"),
    "lsiq": ("understudy.run.off_policy", "OffPolicyConfig"),
    "rlpd": ("understudy.run.off_policy", "OffPolicyConfig"),
    "dagger": ("understudy.run.dagger", "DAggerConfig"),
}
METHODS = tuple(_CLASSES)
"""Each is a class of settings, and a recipe where it is not the class's defaults."""


def config_class(method: str) -> type[Any]:
    """The class of a method's settings.

    Raises:
        ConfigError: There is no such method.
    """
    if method not in _CLASSES:
        raise ConfigError(f"method '{method}': expected one of {', '.join(METHODS)}")
    from importlib import import_module

    module, name = _CLASSES[method]
    return getattr(import_module(module), name)


def recipes(method: str, env_id: str | None) -> list[Path]:
    """The files that hold before anything is said: the method's own, and that for an environment.

    Args:
        method: Such as `dac`.
        env_id: A Gymnasium id, with or without a module in front.
    """
    own, file = FOLDER / f"{method}.yaml", tuned(method, env_id)
    return [path for path in (own, file) if path is not None and path.is_file()]


def fields(method: str) -> set[str]:
    """The names of a method's settings, the outermost ones."""
    return {field.name for field in dataclasses.fields(config_class(method))}


def length_of(method: str) -> str:
    """The setting that says how long a run is, and that may be another when it is resumed."""
    return "rounds" if method == "dagger" else "steps"


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
    _, name = _CLASSES[config.method]
    if name == "OffPolicyConfig":
        from understudy.run.off_policy import off_policy as make
    else:
        from understudy.run.on_policy import on_policy as make
    try:
        return make(env, config, note, demos=demos, terms=terms)
    except ValueError as error:
        raise ConfigError(f"{config.method} in {env.env_id}: {error}") from error
