"""Making Gymnasium environments: what went wrong in one line, and what they run on."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from understudy.errors import EnvError

# Module of a simulator -> the extra of understudy that installs it.
_SIMULATORS = {"Box2D": "box2d", "mujoco": "mujoco"}


def make_envs(
    source: Any, count: int, render_mode: str | None, kwargs: Mapping[str, Any]
) -> list[Any]:
    """Makes `count` Gymnasium environments.

    Args:
        source: An id (`CartPole-v1`, `module:Name-v0`), an environment, or a callable that makes
            one.
        count: How many; an environment that exists already is only one.
        render_mode: For the first; the others have none.
        kwargs: For each.

    Raises:
        EnvError: It cannot be made; says why in one line, and what to do.
    """
    import gymnasium

    if isinstance(source, gymnasium.vector.VectorEnv):
        raise EnvError("a vector environment has its own resets; pass the id and slots= instead")
    if isinstance(source, gymnasium.Env):
        if count != 1:
            raise EnvError(
                f"{name_of(source)} is one environment, {count} slots were asked for; pass its id "
                "or a function that makes it"
            )
        return [source]
    envs: list[Any] = []
    try:
        for index in range(count):
            mode = {"render_mode": render_mode} if index == 0 and render_mode is not None else {}
            envs.append(_make(source, {**kwargs, **mode}))
        if len({id(env) for env in envs}) < count:
            raise EnvError("the function that makes environments returned the same one twice")
    except BaseException:
        for env in envs:
            env.close()
        raise
    return envs


def name_of(env: Any) -> str:
    """The id of an environment, or its class where it was never registered."""
    spec = getattr(env, "spec", None)
    return spec.id if spec is not None else type(env.unwrapped).__name__


def registered(source: Any, env_id: str) -> Any:
    """What makes an environment where the module that registered it was not imported.

    Args:
        source: An id of an environment that was made already, or something else, which is returned.
        env_id: Its id without a module.
    """
    if not isinstance(source, str):
        return source
    import gymnasium

    return gymnasium.spec(env_id)


def most_entities(metadata: Mapping[str, Any], asked: int | None) -> int:
    """How many entities an observation of variable length has at most.

    Args:
        metadata: The environment's, which may say `max_entities`.
        asked: What the user said, which goes before; None if nothing.

    Raises:
        EnvError: The environment says no whole number above 0.
    """
    most = metadata.get("max_entities", 32) if asked is None else asked
    if not isinstance(most, int) or most < 1:
        raise EnvError(f"max_entities is {most!r}: expected a whole number above 0")
    return most


def versions_of(env: Any) -> dict[str, str]:
    """Name to version of Gymnasium, the simulator and the package that an environment is from."""
    names = {"gymnasium"}
    for cls in type(env.unwrapped).__mro__:
        names.add(cls.__module__.partition(".")[0])
        # Classes of extension modules may name a module that nobody can import.
        inside = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
        used = {v.__name__ for v in inside.values() if isinstance(v, ModuleType)}
        names |= {name.partition(".")[0] for name in used} & _SIMULATORS.keys()
    found = {name: _version(name) for name in sorted(names)}
    return {name: version for name, version in found.items() if version is not None}


def _version(name: str) -> str | None:
    # Only here: it loads all of `email`, which takes 14 ms.
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _make(source: Any, kwargs: Mapping[str, Any]) -> Any:
    import gymnasium
    from gymnasium.envs.registration import EnvSpec

    if not isinstance(source, str | EnvSpec):
        return _call(source, kwargs)
    name = source if isinstance(source, str) else source.id
    # What Gymnasium warns about while it fails says the same as its error.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # Our own checks run on every step, Gymnasium's only on the first of each method.
            env = gymnasium.make(source, disable_env_checker=True, **kwargs)
        except Exception as error:
            raise EnvError(_sentence(name, error)) from error
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return env


def _call(source: Callable[..., Any], kwargs: Mapping[str, Any]) -> Any:
    import gymnasium

    if not callable(source):
        raise EnvError(
            f"{type(source).__name__} is no Gymnasium environment, id or function that makes one"
        )
    name = getattr(source, "__name__", type(source).__name__)
    try:
        env = source(**kwargs)
    except Exception as error:
        raise EnvError(_sentence(name, error)) from error
    if not isinstance(env, gymnasium.Env):
        raise EnvError(f"{name} returned {type(env).__name__}, expected a gymnasium.Env")
    return env


def _sentence(name: str, error: Exception) -> str:
    """Why an environment could not be made and what to do, in one line."""
    from gymnasium import error as kinds

    text = " ".join(str(error).split()) or type(error).__name__
    cause = error.__cause__ or error
    missing = (getattr(cause, "name", None) or "").partition(".")[0]
    if missing in _SIMULATORS:
        return (
            f"{name} needs {missing}, which is not installed: "
            f'pip install "understudy[{_SIMULATORS[missing]}]"'
        )
    unknown = isinstance(error, kinds.NameNotFound | kinds.NamespaceNotFound)
    if unknown and "Did you mean" not in text and ":" not in name:
        text += f" An environment of another package is named with its module: 'module:{name}'"
    known = isinstance(error, kinds.Error | ImportError)
    return f"cannot make {name}: {text if known else f'{type(error).__name__}: {text}'}"
