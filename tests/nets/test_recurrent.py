"""Memory as a layer of torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from understudy.nets.recurrence import CELLS
from understudy.nets.recurrent import Memory


@pytest.mark.parametrize("kind", CELLS)
def test_parameters_and_answers_are_those_of_torchs_layer(kind):
    memory = Memory(kind, 5, 4, np.random.default_rng(0))
    net = (nn.LSTM if kind == "lstm" else nn.GRU)(5, 4)
    net.load_state_dict({f"{n}_l0": p for n, p in memory.cell.named_parameters()})
    x = torch.randn(6, 3, 5)
    state = {name: torch.zeros(3, 4) for name in memory.names}
    y, trace = memory(x, state, torch.zeros(6, 3, dtype=torch.bool))
    torch.testing.assert_close(y, net(x)[0])
    assert set(trace) == set(memory.names)
    seed = torch.randn_like(y)
    mine = torch.autograd.grad(y, [*memory.cell.parameters()], seed)
    theirs = torch.autograd.grad(net(x)[0], [*net.parameters()], seed)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_an_lstm_remembers_at_first():
    cell = Memory("lstm", 3, 4, np.random.default_rng(0)).cell
    np.testing.assert_array_equal(cell.bias_ih.detach(), [0] * 4 + [1] * 4 + [0] * 8)


@pytest.mark.parametrize("kind", CELLS)
def test_every_gate_is_drawn_orthogonal(kind):
    cell = Memory(kind, 4, 4, np.random.default_rng(0)).cell
    for weight in (cell.weight_ih, cell.weight_hh):
        for gate in weight.detach().split(4):
            torch.testing.assert_close(gate @ gate.T, torch.eye(4))


def test_a_gradient_of_a_gradient_is_refused():
    memory = Memory("gru", 3, 4, np.random.default_rng(0))
    x = torch.randn(2, 1, 3, requires_grad=True)
    y, _ = memory(x, {"h": torch.zeros(1, 4)}, torch.zeros(2, 1, dtype=torch.bool))
    with pytest.raises(NotImplementedError, match="a memory's gradient has no gradient"):
        torch.autograd.grad(y.sum(), x, create_graph=True)
