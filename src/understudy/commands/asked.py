"""The settings that the words of a command ask for: the same words for `learn` and `config`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.commands.demos import add_alignment
from understudy.commands.options import positive, whole
from understudy.errors import ConfigError

if TYPE_CHECKING:
    from understudy.run.cloning import BCConfig


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
    verb.add_argument("--with", dest="method", choices=("bc",), default="bc", help="how: bc")
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
    verb.add_argument("--steps", type=positive, metavar="N", help="updates in all (4000)")
    verb.add_argument("--best", metavar="SHARE", help="learn from the best episodes only: 10%%")
    add_alignment(verb)


def asked(args: argparse.Namespace, begun: BCConfig | None = None) -> BCConfig:
    """The settings that words, files and options ask for, the last of these winning.

    Args:
        args: The words.
        begun: What holds where nothing is said; by default the defaults.

    Raises:
        ConfigError: A setting is unknown or wrong, or there are several environments.
    """
    from understudy import settings
    from understudy.run.cloning import BCConfig

    base: dict[str, Any] = {} if begun is None else settings.as_tree(begun)
    places = [word for word in args.words if not _is_setting(word)]
    demos = [word for word in args.demos if not _is_setting(word)]
    demos += [place for place in places if _is_file(place)]
    envs = [place for place in places if not _is_file(place)]
    if len(envs) > 1:
        raise ConfigError(f"one environment at a time, found {' and '.join(envs)}")
    if envs:
        base["env"] = envs[0]
    if demos:
        base["demos"] = demos
    flags = {name: getattr(args, name) for name in ("seed", "steps", "alignment")}
    # Where several files were listed, a setting may stand behind them.
    overrides = [word for word in (*args.words, *args.demos) if _is_setting(word)]
    overrides += [f"{name}={value}" for name, value in flags.items() if value is not None]
    if args.best is not None:
        overrides.append(f"best={_share(args.best)}")
    return settings.read(BCConfig, base=base, files=args.config, overrides=overrides)


def differences(here: BCConfig, there: BCConfig) -> list[str]:
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
    suffixes = (".demo", ".demos", ".npz", ".h5", ".hdf5")
    looks = word.startswith((".", "/", "~")) or word.lower().endswith(suffixes)
    return looks or Path(word).exists()


def _share(text: str) -> str:
    """`10%` as `0.1`; anything else as it is, for the settings to judge."""
    try:
        return str(float(text[:-1]) / 100) if text.endswith("%") else text
    except ValueError:
        return text
