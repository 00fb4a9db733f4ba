"""Memory as a layer: what was seen earlier in the episode, forgotten where another begins."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from understudy.nets.layers import recurrent_cell
from understudy.nets.recurrence import CELLS, Cell, Gradients, Traced


class Memory(nn.Module):
    """A recurrent cell over time-major rows, with the parameters of torch's own cell.

    Gradients can be taken once: asking for their graph raises NotImplementedError.

    Attributes:
        names: Of what is remembered; `h` is what is shown.
    """

    def __init__(self, kind: Cell, size: int, width: int, rng: np.random.Generator) -> None:
        """Args: kind: of cell. size: numbers per row. width: of the memory. rng: draws weights."""
        super().__init__()
        self.names, self._walk = CELLS[kind].names, CELLS[kind].walk
        self.cell = recurrent_cell(rng, kind, size, width)

    def forward(
        self, x: torch.Tensor, state: dict[str, torch.Tensor], fresh: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """What is remembered after every row.

        Args:
            x: `[L, B, D]`.
            state: `[B, width]` each memory before the first row.
            fresh: `[L, B]` bool, an episode begins here: what came before is forgotten.

        Returns:
            y: `[L, B, width]` the answers.
            trace: `[L + 1, B, width]` each memory before every row, and after the last.
        """
        cell = self.cell
        said = nn.functional.linear(x, cell.weight_ih, cell.bias_ih)
        start = [state[name] for name in self.names]
        found = _Walk.apply(self._walk, fresh, said, cell.weight_hh, cell.bias_hh, *start)
        trace: dict[str, torch.Tensor] = dict(zip(self.names, found, strict=True))
        return trace["h"][1:], trace


class _Walk(torch.autograd.Function):
    """A walk through a sequence as one node of torch's graph."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, walk: Any, fresh: torch.Tensor, *inputs: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        said, weight, bias, *start = (x.detach().numpy() for x in inputs)
        traced: Traced = walk(said, weight.T, bias, start, fresh.numpy())
        ctx.back = traced.back
        ctx.set_materialize_grads(False)
        return tuple(map(torch.from_numpy, traced.trace))

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: torch.Tensor | None
    ) -> tuple[Any, ...]:
        if torch.is_grad_enabled():  # someone wants a graph of this pass (`create_graph=True`)
            raise NotImplementedError(
                "a memory's gradient has no gradient of its own: leave `create_graph` out, or take "
                "the penalty at a network without memory"
            )
        found: Gradients = ctx.back([None if g is None else g.numpy() for g in gradients])
        arrays = (found.said, found.weight.T, found.bias, *found.start)
        return None, None, *map(torch.from_numpy, arrays)
