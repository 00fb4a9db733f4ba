"""Entities: who is there is told by a flag, never by numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.nets.attention import Entities


def made(context: int = 0) -> Entities:
    net = Entities([2], context, 8, np.random.default_rng(0))
    with torch.no_grad():
        # As after some learning: at first an entity of zeros is embedded as zeros.
        net.get_parameter("embed.0.bias").copy_(torch.linspace(0.1, 1, 8))
    return net


def answer(net: Entities, rows: list[list[float]], there: list[bool], context: int = 0):
    x = torch.tensor(rows, dtype=torch.float32)[None]
    with torch.no_grad():
        return net([(x, torch.tensor(there)[None])], torch.ones(1, context))[0]


@pytest.mark.parametrize("context", [0, 3])
def test_an_entity_of_zeros_that_is_there_counts(context):
    net = made(context)
    one = answer(net, [[1, 2], [0, 0]], [True, False], context)
    both = answer(net, [[1, 2], [0, 0]], [True, True], context)
    assert (one - both).abs().max() > 1e-2
    alone = answer(net, [[0, 0], [0, 0]], [False, True], context)
    assert alone.abs().max() > 1e-2


def test_nobody_is_zero():
    assert not answer(made(), [[1, 2], [3, 4]], [False, False]).any()


def test_one_alone_is_what_it_is_whatever_is_stored_beside_it():
    net = made()
    expected = answer(net, [[1, 2]], [True])
    for other in ([0.0, 0.0], [1e6, -1e6]):
        torch.testing.assert_close(answer(net, [other, [1, 2]], [False, True]), expected)


def test_no_gradient_reaches_the_absent():
    net, x = made(), torch.randn(1, 3, 2, requires_grad=True)
    net([(x, torch.tensor([[True, False, True]]))], torch.zeros(1, 0)).sum().backward()
    assert x.grad is not None
    assert not x.grad[0, 1].any()
    assert x.grad[0, [0, 2]].all()


@pytest.mark.parametrize("width", [1, 2, 6, 7, 8])
def test_any_width_has_heads(width):
    net = Entities([2], 0, width, np.random.default_rng(0))
    assert answer(net, [[1, 2]], [True]).shape == (width,)
    assert width % net.heads == 0
