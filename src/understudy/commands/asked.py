"""The settings that the words of a command ask for: the same words for `learn` and `config`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from understudy.commands.demos import add_alignment
from understudy.commands.options import positive, whole
from understudy.errors import ConfigError
from understudy.run.methods import METHODS

_SUFFIXES = (".demo", ".demos", ".npz", ".h5", ".hdf5", ".pkl", ".csv", ".parquet")
"""Of files of demonstrations; no environment's name ends so."""


def add_settings(verb: argparse.ArgumentParser) -> None:
    """Add everything that becomes a setting."""
    verb.add_argument(
        "words",
        nargs="*",
        metavar="ENV|FILE|NAME=VALUE",
        help="an environment, demonstrations, and settings such as net.hidden=[64,64]",
    )
    verb.add_argument(
        "--demos", nargs="+", default=[], metavar="FILE", help="demonstrations (files, folders)"
    )
    verb.add_argument(
        "--with",
        dest="method",
        choices=METHODS,
        help="how: bc clones; gail, dac and others imitate by acting; ppo and sac learn from "
        "reward; dagger asks an expert; by default what suits what was shown",
    )
    verb.add_argument(
        "-c",
        "--config",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="settings from a YAML file, see 'understudy config'",
    )
    verb.add_argument("--seed", type=whole, metavar="N", help="of everything random (0)")
    verb.add_argument(
        "--steps",
        type=positive,
        metavar="N",
        help="of bc updates in all (4000), of others steps of the environment; dagger has rounds "
        "and updates instead",
    )
    verb.add_argument("--best", metavar="SHARE", help="learn from the best episodes only: 10%%")
    add_alignment(verb)


def asked(args: argparse.Namespace, begun: Any = None) -> Any:
    """The settings that words, files and options ask for, the last of these winning.

    A method's recipe holds before anything else is said, and what was tuned for the environment
    with it; see `understudy.run.methods.recipes`.

    Args:
        args: The words.
        begun: What holds where nothing is said; by default the method's defaults.

    Returns:
        A config of the class that `config_class` has for the method.

    Raises:
        ConfigError: A setting is unknown or wrong, or there are several environments.
    """
    from understudy import settings
    from understudy.run.methods import config_class, recipes

    base: dict[str, Any] = {} if begun is None else settings.as_tree(begun)
    words = named(args)
    if len(words.envs) > 1:
        raise ConfigError(f"one environment at a time, found {' and '.join(words.envs)}")
    method = method_said(args) or base.get("method", METHODS[0])
    if begun is not None and method != base["method"]:
        raise ConfigError(f"the run was begun with {base['method']}, not {method}")
    if words.envs:
        base["env"] = words.envs[0]
    if words.demos:
        base["demos"] = words.demos
    known = recipes(method, base.get("env")) if begun is None else []
    files = [*known, *args.config]
    return settings.read(config_class(method), base=base, files=files, overrides=words.settings)


class Named(NamedTuple):
    """What words are.

    Attributes:
        envs: Environments.
        demos: Files and folders of demonstrations.
        settings: What was set, each as `name=value`.
    """

    envs: list[str]
    demos: list[str]
    settings: list[str]


def named(args: argparse.Namespace) -> Named:
    """What the words name; where several files were listed, a setting may stand behind them."""
    places = [word for word in args.words if not _is_setting(word)]
    demos = [word for word in args.demos if not _is_setting(word)]
    demos += [place for place in places if _is_file(place)]
    envs = [place for place in places if not _is_file(place)]
    flags = {name: getattr(args, name) for name in ("seed", "steps", "alignment")}
    said = [word for word in (*args.words, *args.demos) if _is_setting(word)]
    said += [f"{name}={value}" for name, value in flags.items() if value is not None]
    if args.best is not None:
        said.append(f"best={_share(args.best)}")
    return Named(envs, demos, said)


def method_said(args: argparse.Namespace) -> str | None:
    """The method that the words or files name."""
    return args.method or _method_in(args.config)


def kept_config(path: Path) -> Any:
    """The settings that a run's folder was begun with.

    Raises:
        ConfigError: They cannot be read, or are of a method that is not known here.
    """
    from understudy import settings
    from understudy.run.folder import CONFIG
    from understudy.run.methods import config_class

    file = path / CONFIG
    return settings.read(config_class(_method_in([file]) or METHODS[0]), files=[file])


def _method_in(files: Sequence[Path]) -> str | None:
    """The method that the last of these files names which names one."""
    from understudy import settings

    found = [settings.said(file, "method") for file in files]
    return next((str(method) for method in reversed(found) if method is not None), None)


def differences(here: Any, there: Any) -> list[str]:
    """The settings that are not the same, each as `name: VALUE, not VALUE`."""
    from understudy import settings

    a, b = (_flat(settings.as_tree(config)) for config in (here, there))
    return [f"{name} is {a[name]}, not {b[name]}" for name in a if a[name] != b[name]]


def _flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= (
            _flat(value, f"{path}{name}.") if isinstance(value, Mapping) else {path + name: value}
        )
    return found


def _is_setting(word: str) -> bool:
    return "=" in word and not Path(word).exists()


def _is_file(word: str) -> bool:
    """Whether a word names a file or folder, or looks as if it should."""
    looks = word.startswith((".", "/", "~")) or word.lower().endswith(_SUFFIXES)
    return looks or Path(word).exists()


def _share(text: str) -> str:
    """`10%` as `0.1`; anything else as it is, for the settings to judge."""
    try:
        return str(float(text[:-1]) / 100) if text.endswith("%") else text
    except ValueError:
        return text
