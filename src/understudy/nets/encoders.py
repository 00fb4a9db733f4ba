"""What a camera saw, as a few hundred numbers: three encoders, from light to deep."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from understudy.data.spec import Obs
from understudy.errors import ConfigError
from understudy.nets.layers import conv, linear


class Camera(nn.Module):
    """Images `[..., C, H, W]` in [0, 1] -> `[..., width]`."""

    def __init__(
        self, kind: str, name: str, obs: Obs, width: int, rng: np.random.Generator
    ) -> None:
        """Draw the weights.

        Args:
            kind: A key of `CAMERAS`.
            name: Of the observation, for the message.
            obs: What an image looks like.
            width: Numbers per image.
            rng: Draws the weights.

        Raises:
            ConfigError: The image is smaller than the encoder's windows.
        """
        super().__init__()
        channels, height, width_px = image_shape(obs)
        check_side(kind, name, height, width_px)
        self.body = CAMERAS[kind].make(channels, rng)
        with torch.no_grad():
            size = self.body(torch.zeros(1, channels, height, width_px)).numel()
        self.out = linear(rng, size, width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """See the class."""
        lead = images.shape[:-3]
        features = self.body(images.reshape(-1, *images.shape[-3:]))
        return self.out(features.flatten(1)).relu().reshape(*lead, -1)


class CameraKind(NamedTuple):
    """How to make an encoder's convolutions, and the smallest side of an image it can see."""

    make: Callable[[int, np.random.Generator], nn.Module]
    min_side: int


class Residual(nn.Module):
    """Two convolutions beside a straight way (Espeholt et al., 2018, fig. 3, arXiv:1802.01561)."""

    def __init__(self, channels: int, rng: np.random.Generator) -> None:
        """Args: channels: in and out. rng: draws the weights."""
        super().__init__()
        self.first = conv(rng, channels, channels, 3, padding=1)
        self.second = conv(rng, channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, C, H, W] -> [B, C, H, W]`."""
        return x + self.second(self.first(x.relu()).relu())


def _simple(channels: int, rng: np.random.Generator) -> nn.Module:
    """Two convolutions, as ML-Agents' `simple` encoder has them."""
    return nn.Sequential(
        conv(rng, channels, 16, 8, 4), nn.ReLU(), conv(rng, 16, 32, 4, 2), nn.ReLU()
    )


def _nature(channels: int, rng: np.random.Generator) -> nn.Module:
    """Mnih et al. (2015), methods, "Model architecture"; doi:10.1038/nature14236."""
    return nn.Sequential(
        *(conv(rng, channels, 32, 8, 4), nn.ReLU()),
        *(conv(rng, 32, 64, 4, 2), nn.ReLU()),
        *(conv(rng, 64, 64, 3), nn.ReLU()),
    )


def _resnet(channels: int, rng: np.random.Generator) -> nn.Module:
    """The deep network of Espeholt et al. (2018), figure 3, arXiv:1802.01561."""
    layers: list[nn.Module] = []
    for width in (16, 32, 32):
        layers += [
            conv(rng, channels, width, 3, padding=1),
            nn.MaxPool2d(3, stride=2, padding=1),
            Residual(width, rng),
            Residual(width, rng),
        ]
        channels = width
    return nn.Sequential(*layers, nn.ReLU())


CAMERAS = {
    "simple": CameraKind(_simple, 20),
    "nature": CameraKind(_nature, 36),
    "resnet": CameraKind(_resnet, 4),
}
"""Encoders by the name that `NetConfig.camera` gives them."""


def image_shape(obs: Obs) -> tuple[int, int, int]:
    """Channels, height and width of an image however it is stored."""
    a, b, c = obs.shape
    return (a, b, c) if obs.channels_first else (c, a, b)


def check_side(kind: str, name: str, height: int, width: int) -> None:
    """Raise unless this encoder can see images of this size.

    Raises:
        ConfigError: Names the smallest side allowed, and what can be done.
    """
    side = min(height, width)
    if side >= CAMERAS[kind].min_side:
        return
    others = [f"'{k}' from {c.min_side}" for k, c in CAMERAS.items() if c.min_side <= side]
    instead = f"choose camera {' or '.join(others)} pixels" if others else "record it as a vector"
    raise ConfigError(
        f"image '{name}' is {height}x{width}; camera '{kind}' sees images from "
        f"{CAMERAS[kind].min_side} pixels a side on: {instead}"
    )
