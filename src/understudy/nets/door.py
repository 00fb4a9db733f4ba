"""Observations as they are stored, as networks want them: floats in the unit they like."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from understudy.data.episode import Tree
from understudy.data.spec import Spec, present
from understudy.errors import ConfigError
from understudy.nets.normalizer import LIMIT, Normalizer

Tensors = dict[str, torch.Tensor]


class Seen(NamedTuple):
    """One observation of every kind.

    Attributes:
        vectors: `[..., V]` all vectors side by side, normalized; goals are vectors like others.
        images: `[..., C, H, W]` each, in [0, 1] if they were stored as bytes.
        entities: `[..., N, D]` each, normalized, 0 where nobody is; `[..., N]` bool who is there.
    """

    vectors: torch.Tensor
    images: list[torch.Tensor]
    entities: list[tuple[torch.Tensor, torch.Tensor]]


class Door(nn.Module):
    """From stored observations to `Seen`. Its normalizers belong to the model's state.

    The module reads the same memory as its numpy normalizers write, so nothing has to be copied
    and an export contains them.

    Attributes:
        width: `V`.
        normalizers: `vectors` for all vectors together, `entities/NAME` for every list.
    """

    def __init__(self, spec: Spec, normalize: bool) -> None:
        """Make a normalizer for everything that is measured.

        Args:
            spec: What is seen.
            normalize: Whether vectors and entities are normalized.

        Raises:
            ConfigError: Entities without room or without features.
        """
        super().__init__()
        self.spec = spec
        self.sizes = {n: o.size for n, o in spec.obs.items() if o.kind == "vector" and o.size}
        self.images = [n for n, o in spec.obs.items() if o.kind == "image"]
        self.entities = [n for n, o in spec.obs.items() if o.kind == "entities"]
        self.width = sum(self.sizes.values())
        self.normalizers: dict[str, Normalizer] = {}
        self._number: dict[str, int] = {}
        for name in self.entities:
            if not spec.obs[name].size:
                raise ConfigError(
                    f"entities '{name}' are {list(spec.obs[name].shape)}: expected room for one at "
                    "least, of one number at least; leave the observation out"
                )
        if normalize:
            widths = {f"entities/{name}": spec.obs[name].shape[-1] for name in self.entities}
            if self.width:
                widths = {"vectors": self.width, **widths}
            for key, width in widths.items():
                self._add(key, Normalizer(width))

    def _add(self, key: str, made: Normalizer) -> None:
        # Numbered, because not every observation's name can be a buffer's.
        number = self._number[key] = len(self.normalizers)
        self.normalizers[key] = made
        self.register_buffer(f"mean{number}", torch.from_numpy(made.mean), persistent=False)
        self.register_buffer(f"inverse{number}", torch.from_numpy(made.inverse), persistent=False)

    def forward(self, obs: Tensors, lead: tuple[int, ...]) -> Seen:
        """Args: obs: named tensors `[*lead, ...]`. lead: the axes before an observation's own."""
        rows = [obs[n].reshape(*lead, size).float() for n, size in self.sizes.items()]
        vectors = torch.cat(rows, -1) if rows else torch.zeros(*lead, 0)
        return Seen(
            self._normal("vectors", vectors),
            [self._image(name, obs[name]) for name in self.images],
            [self._entities(name, obs) for name in self.entities],
        )

    def _normal(self, key: str, x: torch.Tensor) -> torch.Tensor:
        if key not in self.normalizers:
            return x
        number = self._number[key]
        mean, inverse = self.get_buffer(f"mean{number}"), self.get_buffer(f"inverse{number}")
        return ((x - mean) * inverse).clamp(-float(LIMIT), float(LIMIT))

    def _image(self, name: str, x: torch.Tensor) -> torch.Tensor:
        if not self.spec.obs[name].channels_first:
            x = x.movedim(-1, -3)
        return x.float() / 255 if x.dtype == torch.uint8 else x.float()

    def _entities(self, name: str, obs: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
        there = obs[present(name)].bool()
        # Whatever is stored where nobody is, even a nan, must not get any further.
        x = self._normal(f"entities/{name}", obs[name].float())
        return torch.where(there[..., None], x, 0.0), there

    def observe(self, obs: Tree) -> None:
        """Let the normalizers take in these observations: numpy arrays `[..., ...]`."""
        for key, normalizer in self.normalizers.items():
            if key == "vectors":
                rows = [obs[n].reshape(-1, size) for n, size in self.sizes.items()]
                normalizer.update(np.concatenate(rows, -1, dtype=np.float64))
            else:
                name = key.removeprefix("entities/")
                normalizer.update(obs[name][obs[present(name)].astype(bool)])
