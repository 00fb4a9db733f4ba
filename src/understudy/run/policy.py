"""A policy that can be asked, saved and loaded: what is left when learning is over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.errors import CheckpointError, EnvError
from understudy.nets.acting import ModelActor
from understudy.nets.model import Model, NetConfig, make_model, start_state
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct
from understudy.run.files import commit_folder, read_folder
from understudy.run.state import pack, unpack
from understudy.settings import as_tree
from understudy.settings import read as read_settings

FORMAT = 1
_DISTRIBUTIONS = {"product": Product, "soft_product": SoftProduct}


class Policy:
    """A model, and how to speak with it in an environment's own words.

    Attributes:
        model: Who is asked.
        net: What it looks like.
        facts: Where it came from (environment, method, steps), as JSON values.
        num_signals: Value heads of the model's critic.
    """

    def __init__(
        self, model: Model, net: NetConfig, facts: Mapping[str, Any], num_signals: int = 0
    ) -> None:
        """Args: see the attributes. The `seed` in the facts, if any, is that of drawn actions."""
        self.model, self.net, self.facts = model, net, dict(facts)
        self.num_signals = num_signals
        self._words = _words_of(model.spec)
        self._actor = ModelActor(model)
        self._drawing = ModelActor(model, np.random.default_rng(self.facts.get("seed", 0)))

    @property
    def spec(self) -> Spec:
        """What it sees and does."""
        return self.model.spec

    def actor(self, seed: int | None = None) -> ModelActor:
        """Acts in environments: draws its actions with a seed, takes the likeliest without."""
        return ModelActor(self.model, None if seed is None else np.random.default_rng(seed))

    def predict(
        self,
        obs: Any,
        state: Tree | None = None,
        episode_start: NDArray[np.bool_] | bool | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Tree]:
        """What to do now, in the environment's own words.

        Args:
            obs: One observation of the environment's space, or a batch of them as Gymnasium's
                vector environments give it. A policy without an environment takes its named arrays.
            state: What the last call returned; None forgets everything.
            episode_start: `[n]` or one bool: who begins an episode now and forgets.
            deterministic: The likeliest action instead of one drawn from the distribution.

        Returns:
            The action of the environment's space (a list of them for a batch of a nested space),
            and the memory to hand to the next call, `{}` without memory.

        Raises:
            EnvError: The observation does not fit.
        """
        tree, single = self._words.read(obs)
        count = len(next(iter(tree.values())))
        if state is None:
            state = start_state(self.model, count)
        fresh = _flags(episode_start, count)
        actor = self._actor if deterministic else self._drawing
        action, state = actor.act(tree, state, fresh)
        return self._words.say(action, single), state

    def save(self, path: str | Path) -> Path:
        """Write the policy as a folder of JSON and safetensors; what is there is replaced whole."""
        path = Path(path)
        dist = self.model.dist
        about = {
            "format": FORMAT,
            "spec": self.spec.to_json(),
            "net": as_tree(self.net),
            "distribution": _name_of(dist),
            "center": dist.center.tolist(),
            "scale": dist.scale.tolist(),
            "signals": self.num_signals,
            "facts": self.facts,
        }
        files = pack(self.model.state_dict(), 0, ())
        commit_folder(path, {**files, "policy.json": json.dumps(about, indent=1).encode()})
        return path

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """The policy in a folder that `save` wrote.

        Raises:
            CheckpointError: It is missing, damaged, or of a newer understudy.
        """
        path = Path(path)
        files = dict(read_folder(path))
        if "policy.json" not in files:
            raise CheckpointError(f"{path}: holds no policy.json, so it is not a saved policy")
        try:
            about = json.loads(files.pop("policy.json"))
            if about["format"] != FORMAT:
                raise CheckpointError(
                    f"{path}: a policy of format {about['format']}, this understudy reads "
                    f"{FORMAT}; use the version that wrote it"
                )
            spec = Spec.from_json(about["spec"])
            net = read_settings(NetConfig, base=about["net"])
            made = _DISTRIBUTIONS[about.get("distribution", "product")]
            dist = made(spec.action, np.array(about["center"]), np.array(about["scale"]))
            signals = int(about.get("signals", 0))
            model = make_model(spec, dist, net, np.random.default_rng(0), signals)
            model.load_state_dict(unpack(files, path)[1])
            return cls(model, net, about["facts"], signals)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path}: damaged: not a policy: {error!r}") from None


def _name_of(dist: Product) -> str:
    return next(name for name, kind in _DISTRIBUTIONS.items() if type(dist) is kind)


class _Native:
    """Speaks in the values of a Gymnasium space."""

    def __init__(self, spec: Spec) -> None:
        from understudy.data.spaces import codecs_of, space_from_json

        self.obs, self.action = codecs_of(spec)
        self.space = space_from_json(str(spec.observation_space))
        first = next(iter(spec.obs.values()))
        self._plain = len(spec.obs) == 1 and self.space.shape == first.shape
        self._name, self._dtype = next(iter(spec.obs)), np.dtype(first.dtype)
        self._shape = first.shape
        self._bounded = spec.action.continuous > 0

    def read(self, obs: Any) -> tuple[Tree, bool]:
        """Named arrays `[n, ...]`, and whether it was a single observation."""
        if self._plain:
            array = _as(obs, self._dtype, self._name)
            if array.shape == self._shape:
                return {self._name: array[None]}, True
            if array.shape[1:] == self._shape and array.ndim:
                return {self._name: array}, False
            raise EnvError(
                f"an observation of shape {list(array.shape)}, expected {list(self._shape)} "
                "or a batch of those"
            )
        if self._single(obs):
            return self.obs.encode_many([obs]), True
        return self.obs.encode_batch(obs), False

    def _single(self, obs: Any) -> bool:
        try:
            return bool(self.space.contains(obs))
        except (AttributeError, TypeError, ValueError):
            return False

    def say(self, action: Action, single: bool) -> Any:
        """Actions of the space, within its bounds."""
        said = self.action.decode_batch(self.action.fit(action) if self._bounded else action)
        if single:
            return said[0]
        return np.asarray(said) if isinstance(said[0], np.ndarray | np.generic) else said


class _Arrays:
    """Speaks in named arrays, for a policy that has never seen an environment."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def read(self, obs: Any) -> tuple[Tree, bool]:
        """Named arrays `[n, ...]`, and whether it was a single observation."""
        fields = self.spec.fields
        if not isinstance(obs, Mapping):
            obs = {next(iter(fields)): obs}
        if set(obs) != set(fields):
            raise EnvError(f"observations {sorted(obs)}, expected {sorted(fields)}")
        tree = {name: _as(obs[name], f.dtype, name) for name, f in fields.items()}
        name, f = next(iter(fields.items()))
        single = tree[name].ndim == len(f.shape)
        tree = {name: x[None] for name, x in tree.items()} if single else tree
        for name, f in fields.items():
            if tree[name].shape[1:] != f.shape:
                raise EnvError(
                    f"observation '{name}' has shape {list(tree[name].shape[1:])}, "
                    f"expected {list(f.shape)}"
                )
        return tree, single

    def say(self, action: Action, single: bool) -> Action:
        """The action as it is, within its bounds."""
        a = self.spec.action
        # numpy clips to the wider type of numbers and bounds.
        within = np.clip(action.continuous, a.low, a.high).astype(a.dtype)
        action = Action(within, action.discrete)
        return action.at(0) if single else action


def _words_of(spec: Spec) -> _Native | _Arrays:
    return _Arrays(spec) if spec.observation_space is None else _Native(spec)


def _as(x: Any, dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """The observation in its own dtype.

    Raises:
        EnvError: Fractions where whole numbers were seen, such as an image in [0, 1] for bytes.
    """
    array = np.asarray(x)
    if array.dtype.kind == "f" and dtype.kind in "iu" and (array != np.floor(array)).any():
        raise EnvError(f"observation '{name}' has fractions, the policy has seen {dtype}")
    return array.astype(dtype, copy=False)


def _flags(flags: Any, count: int) -> NDArray[np.bool_]:
    if flags is None:
        return np.zeros(count, bool)
    return np.broadcast_to(np.asarray(flags, bool), (count,))
