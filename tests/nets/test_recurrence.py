"""Cells by hand and torch's own cells agree, forward and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from understudy.nets.flat import F32
from understudy.nets.recurrence import CELLS, gru, lstm

KINDS = {
    "lstm": (lstm, nn.LSTM, nn.LSTMCell, 4, 2),
    "gru": (gru, nn.GRU, nn.GRUCell, 3, 1),
}
ROWS, SLOTS, SEEN, WIDTH = 7, 3, 5, 4


def drawn(kind: str, rows: int = ROWS, seed: int = 0):
    """Inputs, weights and a start, as numpy arrays."""
    _, _, _, gates, memories = KINDS[kind]
    rng = np.random.default_rng(seed)

    def normal(*shape: int):
        return rng.standard_normal(shape, F32)

    x = normal(rows, SLOTS, SEEN)
    into, weight = normal(gates * WIDTH, SEEN), normal(gates * WIDTH, WIDTH)
    bias = normal(gates * WIDTH)
    return x, into, weight, bias, [normal(SLOTS, WIDTH) for _ in range(memories)]


def fresh_rows(rows: int = ROWS):
    fresh = np.random.default_rng(3).random((rows, SLOTS)) < 0.3
    assert fresh[1:].any()
    assert not fresh.all(1).all()
    return fresh


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_is_that_of_torch(kind):
    walk, whole, _, _, memories = KINDS[kind]
    x, into, weight, bias, start = drawn(kind)
    net = whole(SEEN, WIDTH)
    with torch.no_grad():
        net.weight_ih_l0.copy_(torch.from_numpy(into))
        net.weight_hh_l0.copy_(torch.from_numpy(weight))
        net.bias_ih_l0.zero_()
        net.bias_hh_l0.copy_(torch.from_numpy(bias))
    given = torch.from_numpy(x).requires_grad_()
    begins = [torch.from_numpy(s)[None].requires_grad_() for s in start]
    y, last = net(given, tuple(begins) if memories > 1 else begins[0])
    gradient = np.random.default_rng(1).standard_normal(y.shape, F32)
    y.backward(torch.from_numpy(gradient))

    traced = walk(x @ into.T, weight.T, bias, start, np.zeros((ROWS, SLOTS), bool))
    np.testing.assert_allclose(traced.trace[0][1:], y.detach(), atol=1e-5)
    for mine, theirs in zip(traced.trace, last if memories > 1 else [last], strict=True):
        np.testing.assert_allclose(mine[-1], theirs[0].detach(), atol=1e-5)
    at_trace = np.concatenate([np.zeros_like(gradient[:1]), gradient])
    found = traced.back([at_trace, None][:memories])
    np.testing.assert_allclose(found.said @ into, _grad(given), atol=1e-5)
    np.testing.assert_allclose(found.weight.T, _grad(net.weight_hh_l0), atol=1e-4)
    np.testing.assert_allclose(found.bias, _grad(net.bias_hh_l0), atol=1e-4)
    said = found.said.reshape(-1, found.said.shape[-1])
    into_gradient = said.T @ x.reshape(-1, SEEN)
    np.testing.assert_allclose(into_gradient, _grad(net.weight_ih_l0), atol=1e-4)
    for mine, theirs in zip(found.start, begins, strict=True):
        np.testing.assert_allclose(mine, _grad(theirs)[0], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_where_episodes_begin_it_is_torchs_cell_that_forgets(kind):
    walk, _, one, _, memories = KINDS[kind]
    x, into, weight, bias, start = drawn(kind)
    fresh = fresh_rows()
    cell = one(SEEN, WIDTH)
    with torch.no_grad():
        cell.weight_ih.copy_(torch.from_numpy(into))
        cell.weight_hh.copy_(torch.from_numpy(weight))
        cell.bias_ih.zero_()
        cell.bias_hh.copy_(torch.from_numpy(bias))
    begins = [torch.from_numpy(s).requires_grad_() for s in start]
    states, traces = list(begins), [[s] for s in begins]
    for row, forgets in zip(torch.from_numpy(x), torch.from_numpy(fresh), strict=True):
        states = [s * ~forgets[:, None] for s in states]
        after = cell(row, tuple(states) if memories > 1 else states[0])
        states = list(after) if memories > 1 else [after]
        for trace, state in zip(traces, states, strict=True):
            trace.append(state)
    expected = [torch.stack(trace) for trace in traces]
    # A gradient at every memory of every row, those before the first and after the last too.
    rng = np.random.default_rng(2)
    gradients = [rng.standard_normal(t.shape, F32) for t in expected]
    torch.autograd.backward(expected, [torch.from_numpy(g) for g in gradients])

    traced = walk(x @ into.T, weight.T, bias, start, fresh)
    for mine, theirs in zip(traced.trace, expected, strict=True):
        np.testing.assert_allclose(mine, theirs.detach(), atol=1e-5)
    found = traced.back(gradients)
    np.testing.assert_allclose(found.weight.T, _grad(cell.weight_hh), atol=1e-4)
    np.testing.assert_allclose(found.bias, _grad(cell.bias_hh), atol=1e-4)
    for mine, theirs in zip(found.start, begins, strict=True):
        np.testing.assert_allclose(mine, _grad(theirs), atol=1e-5)
    again = traced.back(gradients)
    np.testing.assert_array_equal(found.weight, again.weight)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_is_its_rows_one_by_one(kind):
    walk = KINDS[kind][0]
    x, into, weight, bias, start = drawn(kind)
    said, fresh = x @ into.T, fresh_rows()
    whole = walk(said, weight.T, bias, start, fresh)
    state = start
    for t in range(ROWS):
        row = walk(said[t : t + 1], weight.T, bias, state, fresh[t : t + 1])
        step = CELLS[kind].steps(SLOTS, WIDTH)
        acting = step(said[t], weight.T.copy(), bias, state, fresh[t])
        state = [trace[1] for trace in row.trace]
        for mine, acted in zip(state, acting, strict=True):
            np.testing.assert_allclose(acted, mine, atol=1e-6)
        for mine, trace in zip(state, whole.trace, strict=True):
            np.testing.assert_allclose(mine, trace[t + 1], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_flows_back_past_the_beginning_of_an_episode(kind):
    walk = KINDS[kind][0]
    x, into, weight, bias, start = drawn(kind)
    fresh = np.zeros((ROWS, SLOTS), bool)
    fresh[4, 1] = True
    traced = walk(x @ into.T, weight.T, bias, start, fresh)
    gradients = [np.zeros_like(trace) for trace in traced.trace]
    gradients[0][-1] = 1
    found = traced.back(gradients)
    assert not found.said[:4, 1].any()
    assert found.said[:4, [0, 2]].all()
    for gradient in found.start:
        assert not gradient[1].any()
        assert gradient[[0, 2]].all()


def test_a_row_of_an_lstm_by_hand():
    # Gates say 0 (0.5 open) but for the cell's, which says 1; forget gate: 1.
    said = np.array([[[0, 1, 1, 0]]], F32)
    keep = 1 / (1 + math.exp(-1))
    traced = lstm(said, np.zeros((1, 4), F32), np.zeros(4, F32), _ones(2), np.zeros((1, 1), bool))
    cell = keep * 1 + 0.5 * math.tanh(1)
    assert traced.trace[1][1, 0, 0] == pytest.approx(cell)
    assert traced.trace[0][1, 0, 0] == pytest.approx(0.5 * math.tanh(cell))
    forgetful = lstm(said, np.zeros((1, 4), F32), np.zeros(4, F32), _ones(2), np.ones((1, 1), bool))
    assert forgetful.trace[1][1, 0, 0] == pytest.approx(0.5 * math.tanh(1))
    assert forgetful.trace[1][0, 0, 0] == 1, "the memory before a row is told as it was"


def test_a_row_of_a_gru_by_hand():
    # Reset gate 0.5 on what the memory says to the new one (2 * 1 + 1), update gate at 1.
    said = np.array([[[0, 1, 0.5]]], F32)
    weight, bias = np.array([[0, 0, 2]], F32), np.array([0, 0, 1], F32)
    traced = gru(said, weight, bias, _ones(1), np.zeros((1, 1), bool))
    new, update = math.tanh(0.5 + 0.5 * 3), 1 / (1 + math.exp(-1))
    assert traced.trace[0][1, 0, 0] == pytest.approx((1 - update) * new + update * 1)


def _ones(count: int):
    return [np.ones((1, 1), F32)] * count


def _grad(x: torch.Tensor):
    assert x.grad is not None
    return x.grad.numpy()
