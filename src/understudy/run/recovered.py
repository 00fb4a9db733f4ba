"""Rewards that were recovered, as folders of JSON and safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from understudy.data.spec import Spec
from understudy.errors import CheckpointError, ConfigError
from understudy.nets.discriminator import DiscriminatorConfig, Teller, make_discriminator
from understudy.nets.model import Model
from understudy.ops.product import Product
from understudy.rewards.airl import AIRL
from understudy.rewards.signal import RewardSignal
from understudy.run.files import commit_folder, read_folder
from understudy.run.state import pack, unpack
from understudy.settings import as_tree
from understudy.settings import read as read_settings

FORMAT = 1
FILE = "reward.json"
FOLDER = "rewards"
"""Where a run leaves what it has recovered, by the signal's name."""


def save_reward(signal: AIRL, path: str | Path, facts: Mapping[str, Any] | None = None) -> Path:
    """Write what was recovered, without its shaping; what is there is replaced whole.

    Args:
        signal: Who has recovered it.
        path: The folder.
        facts: Where it comes from, as JSON values.
    """
    path, dist = Path(path), signal.model.dist
    about = {
        "format": FORMAT,
        "spec": signal.model.spec.to_json(),
        "net": as_tree(signal.config.net),
        "center": dist.center.tolist(),
        "scale": dist.scale.tolist(),
        "discount": signal.discount,
        "facts": dict(facts or {}),
    }
    files = pack(signal.reward_net.state_dict(), 0, ())
    commit_folder(path, {**files, FILE: json.dumps(about, indent=1).encode()})
    return path


def leave_rewards(
    signals: Mapping[str, RewardSignal], folder: Path, facts: Mapping[str, Any]
) -> None:
    """Write every reward that a run has recovered into its folder."""
    for name, signal in signals.items():
        if isinstance(signal, AIRL):
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
            save_reward(signal, folder / FOLDER / name, facts)


def load_reward(path: str | Path, model: Model) -> Teller:
    """The reward in a folder that `save_reward` wrote.

    Args:
        path: The folder.
        model: Who is to seek it. What is seen must be what was seen there; what is done too where
            the reward looks at it.

    Raises:
        CheckpointError: It is missing, damaged, or of a newer understudy.
        ConfigError: It does not fit.
    """
    path = Path(path)
    if not path.is_dir():
        raise CheckpointError(
            f"{path}: there is no such folder; a run of airl leaves a reward in its own, "
            f"as results/RUN/{FOLDER}/airl"
        )
    files = dict(read_folder(path))
    if FILE not in files:
        raise CheckpointError(
            f"{path}: holds no {FILE}, so it is no recovered reward: a run of airl leaves one in "
            f"its folder, under {FOLDER}"
        )
    try:
        about = json.loads(files.pop(FILE))
        if about["format"] != FORMAT:
            raise CheckpointError(
                f"{path}: a reward of format {about['format']}, this understudy reads {FORMAT}; "
                "use the version that wrote it"
            )
        spec = Spec.from_json(about["spec"])
        config = read_settings(DiscriminatorConfig, base=about["net"])
        dist = Product(spec.action, np.array(about["center"]), np.array(about["scale"]))
        net = make_discriminator(spec, dist, config, np.random.default_rng(0))
        net.load_state_dict(unpack(files, path)[1])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged: not a recovered reward: {error!r}") from None
    _check_fit(path, spec, dist, model, config)
    return net


def _check_fit(
    path: Path, spec: Spec, dist: Product, model: Model, config: DiscriminatorConfig
) -> None:
    here, there = model.spec, spec
    if config.sees == "states":
        # It does not look at what is done, which may have become something else.
        here, there = (
            Spec(obs={n: o for n, o in s.obs.items() if o.kind != "mask"}) for s in (here, there)
        )
    if difference := here.difference(there):
        raise ConfigError(
            f"{path}: that reward was recovered where something else is seen or done: "
            f"{difference} (here: the environment, there: the reward)"
        )
    units = [(d.center.tolist(), d.scale.tolist()) for d in (model.dist, dist)]
    if config.sees == "actions" and units[0] != units[1]:
        raise ConfigError(
            f"{path}: that reward was recovered where numbers had center and scale {units[1]}, "
            f"and here they have {units[0]}: it would take one action for another"
        )
