"""Outputs that torch worked out: the way back is its tape. Imported only where torch is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from understudy.ops.cost import Cost, Out, Seed


class Taped(Out):
    """An output of a torch network. On the CPU its numbers are shown as a numpy array.

    Attributes:
        tensor: The output with its graph.
    """

    __slots__ = ("tensor",)

    def __init__(self, tensor: torch.Tensor) -> None:
        """Args: tensor: `[..., P]`, with a graph behind it."""
        shown = tensor.detach()
        super().__init__(shown.numpy() if shown.device.type == "cpu" else shown, self._alone)
        self.tensor = tensor

    def _alone(self, gradient: Any) -> None:
        type(self).pull_all([(self, gradient)])

    @classmethod
    def pull_all(cls, seeds: Sequence[Seed]) -> None:
        """One pass over the tape for all of them, so that shared trunks are walked once."""
        tensors = [out.tensor for out, _ in seeds if isinstance(out, Taped)]
        for out, gradient in seeds:
            out.check(gradient)
        gradients = [
            torch.as_tensor(gradient, dtype=tensor.dtype, device=tensor.device)
            for tensor, (_, gradient) in zip(tensors, seeds, strict=True)
        ]
        _Join.apply(gradients, *tensors).backward()  # type: ignore[no-untyped-call]


def taped_scalar(scalar: torch.Tensor) -> Cost:
    """A scalar tensor as a cost whose gradient at itself is one.

    Raises:
        ValueError: It is not a scalar, or nothing leads back from it.
    """
    if scalar.ndim or not scalar.requires_grad:
        raise ValueError(
            f"expected a scalar tensor with a graph, found shape {tuple(scalar.shape)}"
            f"{'' if scalar.requires_grad else ' without a graph'}"
        )
    return Cost(lambda: float(scalar.detach()), [(Taped(scalar), np.ones((), np.float32))])


def tensor_of(out: Out) -> torch.Tensor:
    """The output as a tensor with a graph behind it, for a loss written in torch.

    What torch's `backward` finds at the tensor is pulled into the parameters behind the output.
    """
    if isinstance(out, Taped):
        return out.tensor
    return _Face.apply(torch.zeros((), requires_grad=True), out)  # type: ignore[no-untyped-call]


class _Face(torch.autograd.Function):
    """An output of another kind as one node of torch's graph.

    The first argument is there because a node that needs no gradient of any tensor is left out.
    """

    @staticmethod
    def forward(ctx: Any, _: torch.Tensor, out: Out) -> torch.Tensor:  # type: ignore[override]
        ctx.out = out
        return torch.from_numpy(out.array)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, None]:  # type: ignore[override]
        ctx.out.pull(gradient.numpy())
        return None, None


class _Join(torch.autograd.Function):
    """A zero whose backward hands out gradients that are already known.

    `torch.autograd.backward(tensors, gradients)` would do the same, but its first call imports
    sympy (0.25 s, 35 MiB); the backward of a scalar does not.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, gradients: list[torch.Tensor], *tensors: torch.Tensor
    ) -> torch.Tensor:
        ctx.gradients = gradients
        return tensors[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        return None, *ctx.gradients
