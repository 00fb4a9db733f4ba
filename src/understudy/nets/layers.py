"""Torch layers whose weights are drawn by numpy, as those of `Dense` are."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from understudy.nets.dense import Activation, orthogonal
from understudy.nets.recurrence import CELLS, Cell

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)
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
    rng: np.random.Generator, kind: Cell, i: int, o: int
) -> nn.LSTMCell | nn.GRUCell:
    """A cell whose gates are orthogonal each; that of an LSTM remembers at first."""
    cell = nn.LSTMCell(i, o) if kind == "lstm" else nn.GRUCell(i, o)
    with torch.no_grad():
        for start in range(0, len(cell.bias_ih), o):
            rows = slice(start, start + o)
            _fill(cell.weight_ih[rows], rng, 1.0)
            _fill(cell.weight_hh[rows], rng, 1.0)
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        gate = CELLS[kind].open
        if gate is not None:
            cell.bias_ih[gate * o : (gate + 1) * o] = 1.0
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
