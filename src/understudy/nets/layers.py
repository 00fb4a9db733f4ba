"""Torch layers whose weights are drawn by numpy, as those of `Dense` are."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from understudy.nets.dense import Activation, orthogonal

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)
RecurrentCell = TypeVar("RecurrentCell", nn.LSTMCell, nn.GRUCell)
SQRT2 = 2**0.5
ACTIVATIONS: dict[Activation, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


def linear(rng: np.random.Generator, i: int, o: int, gain: float = SQRT2) -> nn.Linear:
    """`[..., i] -> [..., o]` with orthogonal weights times `gain` and no offset."""
    return _drawn(nn.Linear(i, o), rng, gain)


def conv(
    rng: np.random.Generator, i: int, o: int, side: int, stride: int = 1, padding: int = 0
) -> nn.Conv2d:
    """`[B, i, H, W] -> [B, o, H', W']`, weights as in `linear`."""
    return _drawn(nn.Conv2d(i, o, side, stride, padding), rng, SQRT2)


def recurrent_cell(
    rng: np.random.Generator, kind: type[RecurrentCell], i: int, o: int
) -> RecurrentCell:
    """A cell whose gates are orthogonal each; that of an LSTM remembers at first.

    The forget gate's offset is 1 (Jozefowicz et al., 2015, section 2.2).
    """
    cell = kind(i, o)
    with torch.no_grad():
        for start in range(0, len(cell.bias_ih), o):
            rows = slice(start, start + o)
            _fill(cell.weight_ih[rows], rng, 1.0)
            _fill(cell.weight_hh[rows], rng, 1.0)
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        if isinstance(cell, nn.LSTMCell):
            cell.bias_ih[o : 2 * o] = 1.0  # gates come as input, forget, cell, output
    return cell


def stack(
    rng: np.random.Generator, i: int, hidden: tuple[int, ...], activation: Activation
) -> nn.Sequential:
    """Linear layers of these widths, each with its activation."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [linear(rng, i, width), ACTIVATIONS[activation]()]
        i = width
    return nn.Sequential(*layers)


def _drawn(layer: Layer, rng: np.random.Generator, gain: float) -> Layer:
    with torch.no_grad():
        _fill(layer.weight, rng, gain)
        if layer.bias is not None:
            layer.bias.zero_()
    return layer


def _fill(weight: torch.Tensor, rng: np.random.Generator, gain: float) -> None:
    drawn = orthogonal(rng, weight.shape[0], math.prod(weight.shape[1:]), gain)
    weight.copy_(torch.from_numpy(drawn).reshape(weight.shape))
