from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from understudy.nets.dense import Dense, orthogonal
from understudy.nets.flat import F32, Flat

SIZES = [(5, 3), (4, 8, 2), (3, 16, 16, 5), (1, 1, 1, 1)]


def made(sizes, activation, free, seed=0):
    rng = np.random.default_rng(seed)
    flat = Flat(Dense.count(sizes, free))
    net = Dense(sizes, flat, rng, name="net", activation=activation, free=free, gain=0.5)
    flat.value += (0.1 * rng.standard_normal(len(flat.value))).astype(F32)
    return net, flat, rng


def twin(net: Dense, sizes, activation, free) -> tuple[nn.Sequential, torch.Tensor]:
    """The same network of torch modules in float64, and its constants."""
    layers = []
    for k, (i, o) in enumerate(pairwise(sizes)):
        layer = nn.Linear(i, o).double()
        layer.weight.data = torch.from_numpy(net.weights[k][0].T.astype(np.float64))
        layer.bias.data = torch.from_numpy(net.biases[k][0][:o].astype(np.float64))
        layers += [layer, nn.ReLU() if activation == "relu" else nn.Tanh()]
    constants = torch.from_numpy(net.biases[-1][0][sizes[-1] :].astype(np.float64))
    return nn.Sequential(*layers[:-1]), constants.requires_grad_()


@pytest.mark.parametrize("lead", [(7,), (1, 6), (3, 4), (1, 1), (70, 80)], ids=str)
@pytest.mark.parametrize("free", [0, 2])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_forward_and_backward_are_those_of_torch_modules(sizes, activation, free, lead):
    net, flat, rng = made(sizes, activation, free)
    module, constants = twin(net, sizes, activation, free)
    x = rng.standard_normal((*lead, sizes[0])).astype(F32)
    tensor = torch.from_numpy(x.astype(np.float64)).requires_grad_()
    expected = torch.cat([module(tensor), constants.expand(*lead, free)], -1)
    out = net(x)
    np.testing.assert_allclose(out.array, expected.detach(), rtol=1e-5, atol=1e-5)

    gradient = rng.standard_normal(out.array.shape).astype(F32)
    expected.backward(torch.from_numpy(gradient.astype(np.float64)))
    np.testing.assert_allclose(out.back(gradient), np.asarray(tensor.grad), rtol=1e-4, atol=1e-4)
    assert not flat.grad.any(), "the way into the input leaves the parameters alone"
    out.pull(gradient)
    scale = np.abs(flat.grad).max()
    for k, layer in enumerate(list(module)[::2]):
        mine = net.weights[k][1], net.biases[k][1][: sizes[k + 1]]
        np.testing.assert_allclose(
            mine[0].T, np.asarray(layer.weight.grad), rtol=1e-4, atol=1e-5 * scale
        )
        np.testing.assert_allclose(
            mine[1], np.asarray(layer.bias.grad), rtol=1e-4, atol=1e-5 * scale
        )
    mine = net.biases[-1][1][sizes[-1] :]
    np.testing.assert_allclose(
        mine, np.asarray(constants.grad)[:free], rtol=1e-4, atol=1e-5 * scale
    )


def test_gradients_add_up_until_they_are_cleared():
    net, flat, rng = made((3, 4, 2), "tanh", 0)
    out = net(rng.standard_normal((5, 3)).astype(F32))
    g = rng.standard_normal((5, 2)).astype(F32)
    out.pull(g)
    once = flat.grad.copy()
    out.pull(g)
    np.testing.assert_allclose(flat.grad, 2 * once, rtol=1e-6)


def test_a_float64_gradient_is_taken():
    net, flat, rng = made((3, 4, 2), "tanh", 1)
    out = net(rng.standard_normal((5, 3)).astype(F32))
    g = rng.standard_normal((5, 3))
    out.pull(g)
    wide = flat.grad.copy()
    flat.grad.fill(0)
    out.pull(g.astype(F32))
    np.testing.assert_array_equal(wide, flat.grad)
    assert out.back(g).dtype == F32


@pytest.mark.parametrize("free", [0, 2])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("rows", [1, 4, 33])
def test_the_runner_says_what_forward_says(rows, activation, free):
    net, flat, rng = made((3, 16, 16, 5), activation, free)
    run = net.runner(rows)
    for _ in range(3):
        x = rng.standard_normal((rows, 3)).astype(F32)
        np.testing.assert_allclose(run(x), net(x).array, rtol=1e-6, atol=1e-6)
        flat.value *= 1.1  # as an optimizer does: the runner reads the parameters as they are


def test_a_runner_of_one_layer_runs():
    net, _, rng = made((3, 2), "relu", 1)
    x = rng.standard_normal((4, 3)).astype(F32)
    np.testing.assert_allclose(net.runner(4)(x), net(x).array, rtol=1e-6)


@pytest.mark.parametrize("width", [3, 700])
@pytest.mark.parametrize("rows", [2, 300])
def test_relu_cuts_at_zero_however_large_the_batch(rows, width):
    net, _, rng = made((2, width, 1), "relu", 0)
    x = rng.standard_normal((rows, 2)).astype(F32)
    hidden = np.maximum(x @ net.weights[0][0] + net.biases[0][0], 0)
    expected = hidden @ net.weights[1][0] + net.biases[1][0]
    np.testing.assert_allclose(net(x).array, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (5, 5), (1, 4)])
def test_orthogonal_weights_keep_lengths(shape):
    w = orthogonal(np.random.default_rng(0), shape[0], shape[1], 2.0).astype(np.float64)
    small = w @ w.T if shape[0] <= shape[1] else w.T @ w
    np.testing.assert_allclose(small, 4 * np.eye(min(shape)), atol=1e-5)
    again = orthogonal(np.random.default_rng(0), shape[0], shape[1], 2.0)
    np.testing.assert_array_equal(w.astype(F32), again)


def test_weights_start_orthogonal_and_biases_at_zero():
    flat = Flat(Dense.count((4, 6, 2), 3))
    net = Dense((4, 6, 2), flat, np.random.default_rng(0), name="p", free=3, gain=0.01)
    assert np.linalg.norm(net.weights[0][0], 2) == pytest.approx(2**0.5, rel=1e-4)
    assert np.linalg.norm(net.weights[1][0], 2) == pytest.approx(0.01, rel=1e-4)
    assert not any(b.any() for b, _ in net.biases)
    assert list(flat.names) == ["p.0.weight", "p.0.bias", "p.1.weight", "p.1.bias"]


@pytest.mark.parametrize("lead", [(5,), (4, 3)], ids=str)
@pytest.mark.parametrize("free", [0, 2])
def test_the_first_rows_have_the_same_ways_back(lead, free):
    net, flat, rng = made((3, 8, 2), "tanh", free)
    x = rng.standard_normal((*lead, 3)).astype(F32)
    first, alone = net(x).first(2), net(x[:2])
    np.testing.assert_allclose(first.array, alone.array, rtol=1e-6)
    gradient = rng.standard_normal(first.array.shape).astype(F32)
    np.testing.assert_allclose(first.back(gradient), alone.back(gradient), rtol=1e-5)
    alone.pull(gradient)
    expected = flat.grad.copy()
    flat.grad.fill(0)
    first.pull(gradient)
    np.testing.assert_allclose(flat.grad, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(net(x).first(2).first(1).array, first.array[:1])


@pytest.mark.parametrize("lead", [(7,), (1, 6), (3, 4)], ids=str)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("sizes", [(5, 1), (4, 8, 1), (3, 16, 12, 1), (2, 6, 5, 7, 1)], ids=str)
def test_a_slope_and_its_way_back_are_those_of_differentiating_twice(sizes, activation, lead):
    net, flat, rng = made(sizes, activation, 0)
    module, _ = twin(net, sizes, activation, 0)
    x = rng.standard_normal((*lead, sizes[0])).astype(F32)
    tensor = torch.from_numpy(x.astype(np.float64)).requires_grad_()
    (expected,) = torch.autograd.grad(module(tensor).sum(), tensor, create_graph=True)
    slope = net.slope(x)
    np.testing.assert_allclose(slope.array, expected.detach(), rtol=1e-4, atol=1e-5)
    assert not flat.grad.any()

    u = rng.standard_normal(x.shape).astype(F32)
    slope.pull(u)
    (expected * torch.from_numpy(u.astype(np.float64))).sum().backward()
    scale = max(np.abs(flat.grad).max(), 1e-3)
    for k, layer in enumerate(list(module)[::2]):
        for mine, theirs in ((net.weights[k][1].T, layer.weight), (net.biases[k][1], layer.bias)):
            # A slope does not depend on the last bias, nor, between rectifiers, on any.
            found = np.zeros(mine.shape) if theirs.grad is None else np.asarray(theirs.grad)
            np.testing.assert_allclose(mine, found, rtol=1e-4, atol=1e-5 * scale)
    assert np.abs(net.weights[0][1]).max() > 1e-3, "there was something to compare"


def test_a_slope_at_the_input_is_that_of_the_way_back_from_the_output():
    net, _, rng = made((3, 16, 12, 1), "tanh", 0)
    x = rng.standard_normal((5, 3)).astype(F32)
    np.testing.assert_allclose(
        net.slope(x).array, net(x).back(np.ones((5, 1), F32)), rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize(("sizes", "free"), [((3, 4, 2), 0), ((3, 4, 1), 1)])
def test_several_outputs_have_no_slope(sizes, free):
    net, _, _ = made(sizes, "relu", free)
    with pytest.raises(ValueError, match="the slope of 2 outputs"):
        net.slope(np.zeros((1, 3), F32))
