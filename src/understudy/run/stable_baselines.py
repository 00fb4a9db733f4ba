"""Policies that Stable-Baselines3 saved, as actors: their weights read without unpickling anything.

A zip of Stable-Baselines3 holds `policy.pth`, the network's tensors in a zip of torch, and `data`,
JSON whose fields say everything twice: as a pickle, which is never looked at, and as text. From the
text come the kind of policy and its activation, from the tensors' shapes the widths.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.episode import ActedBy, Tree
from understudy.data.formats.pickled.state_dict import BROKEN, read_state_dict
from understudy.data.formats.wire import WireError
from understudy.data.spec import Spec
from understudy.errors import CheckpointError, ConfigError

SUPPORTED = "supported is the MlpPolicy of PPO, A2C, SAC, TD3, DDPG and DQN on vectors"
LONGEST_DATA, LONGEST_POLICY = 64 << 20, 1 << 30
_HARMLESS = {
    "activation_fn",
    "log_std_init",
    "n_critics",
    "net_arch",
    "normalize_images",
    "optimizer_class",
    "optimizer_kwargs",
    "ortho_init",
    "share_features_extractor",
}
"""Of `policy_kwargs`: what changes no action, or is read off the weights. Anything else is refused
unless it is off."""

Weights = Mapping[str, NDArray[Any]]


def _elu(x: NDArray[Any]) -> NDArray[Any]:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _relu(x: NDArray[Any]) -> NDArray[Any]:
    return np.maximum(x, 0)


_ACTIVATIONS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "Tanh": np.tanh,
    "ReLU": _relu,
    "ELU": _elu,
}


class _Kind(NamedTuple):
    """How one family of policies names its layers, and what they bring forth.

    Attributes:
        hidden: Where the layers with an activation are, numbered.
        last: The layer after them; empty where it is the last of `hidden`.
        activation: The default.
        gives: `value` of an action, `unit` interval to be stretched, or `choices`.
    """

    hidden: str
    last: str
    activation: str
    gives: str


_ON_POLICY = _Kind("mlp_extractor.policy_net", "action_net", "Tanh", "value")
_SAC = _Kind("actor.latent_pi", "actor.mu", "ReLU", "unit")
_TD3 = _Kind("actor.mu", "", "ReLU", "unit")
_DQN = _Kind("q_net.q_net", "", "ReLU", "choices")


def stable_baselines_actor(path: str | Path, spec: Spec) -> Fixed:
    """A policy of Stable-Baselines3 that takes its likeliest action.

    What `VecNormalize` knows is kept in a file of its own and is not applied: a policy that learned
    from normalized observations acts wrongly without it.

    Args:
        path: The zip.
        spec: What the environment sees and does.

    Raises:
        CheckpointError: The file is not there, damaged, or holds another kind of policy.
        ConfigError: The policy sees or does something else than the environment.
    """
    about, weights = _read(Path(path))
    try:
        kind = _kind(about, weights)
        activation = _activation(about, kind)
        layers = _layers(kind, weights)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}; {SUPPORTED}") from None
    _check_fit(path, spec, layers, kind)
    name = next(iter(spec.obs))

    def choose(obs: Tree) -> Action:
        x = obs[name].reshape(len(obs[name]), -1).astype(np.float32)
        for weight, bias in layers[:-1]:
            x = activation(x @ weight.T + bias)
        weight, bias = layers[-1]
        return _action(spec, x @ weight.T + bias, unit=kind.gives == "unit")

    return Fixed(choose, ActedBy.POLICY)


def _read(path: Path) -> tuple[Mapping[str, Any], Weights]:
    """What the zip says about its policy, and the tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(_taken(archive, "data", LONGEST_DATA))
            weights = read_state_dict(_taken(archive, "policy.pth", LONGEST_POLICY))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except WireError as error:
        raise CheckpointError(
            f"{path}, policy.pth: {error.found}; expected {error.expected}"
        ) from None
    except (*BROKEN, RecursionError) as error:
        text = " ".join(str(error).strip("'\"").split())[:120]
        raise CheckpointError(
            f"{path}: {text}; expected what a model of Stable-Baselines3 saves"
        ) from None
    if not isinstance(about, dict):
        raise CheckpointError(f"{path}: its data are no JSON object")
    return about, weights


def _taken(archive: zipfile.ZipFile, name: str, longest: int) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > longest:
        raise ValueError(f"{name} has {info.file_size} bytes, more than {longest}")
    return archive.read(info)


def _kind(about: Mapping[str, Any], weights: Weights) -> _Kind:
    """Which family of policies it is.

    Raises:
        ValueError: None that is known.
    """
    said = about.get("policy_class")
    module = str(said.get("__module__", "")) if isinstance(said, dict) else ""
    if not module.startswith("stable_baselines3."):
        raise ValueError(f"its policy is a class of {module or 'an unknown module'}")
    odd = [name for name in weights if "features_extractor" in name or "lstm" in name]
    if odd:
        raise ValueError(f"its policy has {odd[0]}, which is no MlpPolicy")
    sde = about.get("use_sde") is True
    if sde or "actor.log_std" in weights:
        raise ValueError("its policy explores in dependence on the state (use_sde)")
    found = {
        "action_net.weight": _ON_POLICY,
        "actor.latent_pi.0.weight": _SAC,
        "actor.mu.0.weight": _TD3,
        "q_net.q_net.0.weight": _DQN,
    }
    for name, kind in found.items():
        if name in weights:
            return kind
    raise ValueError(f"its policy has none of {', '.join(found)}")


def _activation(about: Mapping[str, Any], kind: _Kind) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What stands between the layers.

    Raises:
        ValueError: Something unknown was asked for when it was made.
    """
    said = about.get("policy_kwargs")
    said = said if isinstance(said, dict) else {}
    for name, value in said.items():
        if (
            not name.startswith(":")
            and name not in _HARMLESS
            and str(value) not in ("False", "None")
        ):
            raise ValueError(f"its policy was made with {name}={str(value)[:60]}")
    text = str(said.get("activation_fn", kind.activation))
    name = re.sub(r"^<class 'torch\.nn\.modules\.activation\.(\w+)'>$", r"\1", text)
    if name not in _ACTIVATIONS:
        raise ValueError(f"its activation is {text[:80]}, expected {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def _layers(kind: _Kind, weights: Weights) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Weights `[out, in]` and biases `[out]` of all layers in order, float32.

    Raises:
        ValueError: They do not follow from one another.
    """
    pattern = re.compile(re.escape(kind.hidden) + r"\.(\d+)\.weight")
    places = sorted(int(match[1]) for name in weights if (match := pattern.fullmatch(name)))
    names = [f"{kind.hidden}.{place}" for place in places]
    if places != [2 * i for i in range(len(places))]:
        # Between two layers is their activation, and nothing else.
        raise ValueError(f"its layers are {', '.join(names)}")
    names += [kind.last] if kind.last else []
    layers: list[tuple[NDArray[Any], NDArray[Any]]] = []
    for name in names:
        weight, bias = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
        if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ValueError(f"{name} is no layer with weights and biases")
        if layers and len(layers[-1][0]) != weight.shape[1]:
            raise ValueError(f"{name} takes {weight.shape[1]} numbers, {len(layers[-1][0])} come")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ValueError(f"{name} holds numbers that are not finite")
        layers.append((weight.astype(np.float32), bias.astype(np.float32)))
    return layers


def _check_fit(
    path: str | Path, spec: Spec, layers: list[tuple[NDArray[Any], NDArray[Any]]], kind: _Kind
) -> None:
    seen = list(spec.obs.values())
    if len(seen) != 1 or seen[0].kind != "vector":
        raise ConfigError(f"{path}: the environment {spec.describe()}; {SUPPORTED}")
    done = spec.action
    takes, gives = layers[0][0].shape[1], len(layers[-1][0])
    if takes != seen[0].size:
        raise ConfigError(
            f"{path}: the policy sees {takes} numbers, the environment gives {seen[0].size}"
        )
    choices = kind.gives == "choices" and (done.continuous or len(done.branches) != 1)
    mixed = done.continuous and done.branches
    stretched = kind.gives == "unit" and (done.branches or not done.bounded)
    if choices or mixed or stretched or gives != done.continuous + _outputs(spec):
        raise ConfigError(
            f"{path}: the policy's last layer gives {gives} numbers, which do not fit an "
            f"environment that {spec.describe()}"
        )


def _outputs(spec: Spec) -> int:
    """How many numbers a policy gives for the choices of the environment."""
    return len(spec.action.branches) if _binary(spec) else spec.action.num_choices


def _binary(spec: Spec) -> bool:
    """Whether choices are bits: these policies say one number for each."""
    return spec.action_space is not None and '"MultiBinary"' in spec.action_space


def _action(spec: Spec, out: NDArray[Any], *, unit: bool) -> Action:
    done = spec.action
    if done.continuous:
        low, high = np.array(done.low, np.float32), np.array(done.high, np.float32)
        value = low + 0.5 * (np.tanh(out) + 1) * (high - low) if unit else out
        clipped = np.clip(value, low, high).astype(done.dtype)
        return Action(clipped, np.zeros((len(out), 0), np.int64))
    if _binary(spec):
        chosen = (out > 0).astype(np.int64)
    else:
        ends = np.cumsum(done.branches)
        parts = [out[:, e - n : e].argmax(1) for n, e in zip(done.branches, ends, strict=True)]
        chosen = np.stack(parts, 1).astype(np.int64)
    return Action(np.zeros((len(out), 0), done.dtype), chosen)
