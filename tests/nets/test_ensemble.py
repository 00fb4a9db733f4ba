from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from understudy.nets.dense import Activation
from understudy.nets.ensemble import Ensemble
from understudy.nets.flat import F32, Flat

SIZES = (5, 16, 12, 4)


def made(copies=3, activation: Activation = "relu", layer_norm=False, sizes=SIZES):
    rng = np.random.default_rng(0)
    flat = Flat(Ensemble.count(sizes, copies, layer_norm))
    net = Ensemble(
        sizes, copies, flat, rng, name="net", activation=activation, layer_norm=layer_norm
    )
    flat.value += (0.1 * rng.standard_normal(len(flat.value))).astype(F32)
    return net, flat, rng


def twins(net: Ensemble) -> list[nn.Sequential]:
    """The same networks of torch modules in float64."""

    def tensor(x):
        return nn.Parameter(torch.from_numpy(x.astype(np.float64)))

    out = []
    for n in range(net.copies):
        layers = []
        for k, ((w, _), (b, _)) in enumerate(zip(net.weights, net.biases, strict=True)):
            linear = nn.Linear(*w.shape[1:], dtype=torch.float64)
            linear.weight, linear.bias = tensor(w[n].T), tensor(b[n, 0])
            layers.append(linear)
            if k < len(net.gains):
                norm = nn.LayerNorm(w.shape[-1], dtype=torch.float64)
                norm.weight, norm.bias = (
                    tensor(net.gains[k][0][n, 0]),
                    tensor(net.shifts[k][0][n, 0]),
                )
                layers.append(norm)
            layers.append(nn.ReLU() if net.activation == "relu" else nn.Tanh())
        out.append(nn.Sequential(*layers[:-1]))
    return out


@pytest.mark.parametrize("lead", [(7,), (2, 6), (1, 1)], ids=str)
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize(("copies", "sizes"), [(1, SIZES), (3, SIZES), (2, (3, 8, 1)), (2, (3, 2))])
def test_every_network_is_that_of_torch_modules(copies, sizes, activation, layer_norm, lead):
    net, flat, rng = made(copies, activation, layer_norm, sizes)
    modules = twins(net)
    x = rng.standard_normal((*lead, sizes[0])).astype(F32)
    tensor = torch.from_numpy(x.astype(np.float64)).requires_grad_()
    expected = torch.stack([module(tensor) for module in modules])
    out = net(x)
    np.testing.assert_allclose(out.array, expected.detach(), rtol=1e-4, atol=1e-5)

    gradient = rng.standard_normal(out.array.shape).astype(F32)
    expected.backward(torch.from_numpy(gradient.astype(np.float64)))
    np.testing.assert_allclose(out.back(gradient), np.asarray(tensor.grad), rtol=1e-3, atol=1e-4)
    assert not flat.grad.any(), "the way into the input leaves the parameters alone"
    out.pull(gradient)
    scale = np.abs(flat.grad).max()
    for n, module in enumerate(modules):
        linears = [layer for layer in module if isinstance(layer, nn.Linear)]
        norms = [layer for layer in module if isinstance(layer, nn.LayerNorm)]
        mine = [g[n].T for _, g in net.weights] + [g[n, 0] for _, g in net.biases]
        mine += [g[n, 0] for _, g in net.gains] + [g[n, 0] for _, g in net.shifts]
        theirs = [layer.weight.grad for layer in linears] + [layer.bias.grad for layer in linears]
        theirs += [norm.weight.grad for norm in norms] + [norm.bias.grad for norm in norms]
        for grad, wanted in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(grad, np.asarray(wanted), rtol=1e-3, atol=1e-5 * scale)


def test_every_parameter_has_its_place():
    _, flat, _ = made(2, "relu", True)
    used = sum(value.size for value in flat.named().values())
    assert used == len(flat.value)


def test_networks_begin_different_from_each_other():
    net, _, _ = made(3)
    assert not np.allclose(net.weights[0][0][0], net.weights[0][0][1])


def test_pulling_twice_adds():
    net, flat, rng = made()
    out = net(rng.standard_normal((4, 5)).astype(F32))
    gradient = np.ones_like(out.array)
    out.pull(gradient)
    once = flat.grad.copy()
    out.pull(gradient)
    np.testing.assert_allclose(flat.grad, 2 * once, rtol=1e-5)


def test_a_gradient_of_another_shape_is_refused():
    net, _, rng = made()
    out = net(rng.standard_normal((4, 5)).astype(F32))
    with pytest.raises(ValueError, match="gradient"):
        out.pull(np.ones((3, 1, 4), F32))
