"""What a discriminator is given to look at."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.bounded import bound
from understudy.nets.discriminator import (
    Discriminator,
    DiscriminatorConfig,
    Sees,
    make_discriminator,
)
from understudy.nets.flat import F32, Adam
from understudy.nets.torch_discriminator import TorchDiscriminator
from understudy.ops.discriminate import slope_penalty
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct
from worlds import toy_demos, toy_spec

SPEC = Spec(
    obs={
        "place": Obs(kind="vector", shape=(2,)),
        "speed": Obs(kind="vector", shape=()),
        "allowed": Obs(kind="mask", shape=(3,), dtype="bool"),
    },
    action=ActionSpec(continuous=2, low=(-1, 0), high=(1, np.inf), branches=(3,)),
)


def made(spec=SPEC, dist=Product, **changes):
    config = DiscriminatorConfig(hidden=(8,), normalize=False, **changes)
    return Discriminator(spec, dist(spec.action), config, np.random.default_rng(0))


def seen(value, *lead):
    return {
        "place": np.full((*lead, 2), value, F32),
        "speed": np.full(lead, 10 * value, F32),
        "allowed": np.ones((*lead, 3), bool),
    }


def code(continuous, choice):
    action = Action(np.array([continuous], F32), np.array([[choice]], np.int64))
    return Product(SPEC.action).encode(action)


@pytest.mark.parametrize(
    ("sees", "expected"),
    [
        ("actions", [1, 1, 10, 0.5, 4, 0, 1, 0]),
        ("states", [1, 1, 10]),
        ("pairs", [1, 1, 10, 2, 2, 20]),
    ],
)
def test_it_sees_what_it_is_told_to(sees, expected):
    net = made(sees=sees)
    x = net.see(seen(1, 1), code([0.5, 4], 1), seen(2, 1))
    assert x[0].tolist() == expected
    assert net.width == len(expected)
    assert x.dtype == net(x).array.dtype == F32
    assert net(x).array.shape == (1, 1)
    assert net.slope(x).array.shape == x.shape


def test_numbers_beyond_the_bounds_are_seen_as_they_are_executed():
    net = made()
    x = net.see(seen(1, 1), code([7, -3], 2), seen(2, 1))
    assert x[0, 3:].tolist() == [1, 0, 0, 0, 1]
    x = net.see(seen(1, 1), code([-7, 99], 2), seen(2, 1))
    assert x[0, 3:].tolist() == [-1, 99, 0, 0, 1], "there is no bound above the second"


@pytest.mark.parametrize("dist", [Product, SoftProduct])
def test_any_number_of_leading_axes_is_taken(dist):
    spec = Spec(obs=dict(SPEC.obs), action=ActionSpec(branches=(3,)))
    net = made(spec, dist)
    rng = np.random.default_rng(1)
    done = rng.random((4, 5, 3)).astype(F32)
    x = net.see(seen(1, 4, 5), done, seen(2, 4, 5))
    flat = net.see(seen(1, 20), done.reshape(20, 3), seen(2, 20))
    assert (x.reshape(20, -1) == flat).all()
    np.testing.assert_allclose(net(x).array.reshape(20, 1), net(flat).array, rtol=1e-6)


def test_observations_are_measured_once_they_have_been_observed():
    config = DiscriminatorConfig(hidden=(8,), sees="pairs")
    net = Discriminator(SPEC, Product(SPEC.action), config, np.random.default_rng(0))
    some = seen(0, 50)
    some["place"][:] = np.random.default_rng(1).normal(3, 2, (50, 2))
    net.observe(some)
    x = net.see(some, np.zeros((50, 5), F32), some)
    np.testing.assert_allclose(x[:, :2].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(x[:, :2].std(0), 1, atol=1e-5)
    assert (x[:, :3] == x[:, 3:]).all(), "before and after in the same unit"
    other = Discriminator(SPEC, Product(SPEC.action), config, np.random.default_rng(9))
    other.load_state_dict(net.state_dict())
    assert (other.see(some, np.zeros((50, 5), F32), some) == x).all()
    assert (other(x).array == net(x).array).all()


def test_vectors_alone_need_no_torch_and_all_else_does():
    config = DiscriminatorConfig(hidden=(8,))
    for kind, expected in (("vector", Discriminator), ("all", TorchDiscriminator)):
        spec = toy_spec(kind, "discrete")
        dist, rng = Product(spec.action), np.random.default_rng(0)
        assert isinstance(make_discriminator(spec, dist, config, rng), expected)


KINDS = ["vector", "image", "entities", "all"]


def pictured(kind: str, sees: Sees = "actions", seed=0, **changes):
    """A discriminator of torch modules, and rows of demonstrations as it is given them."""
    demos = toy_demos(kind, "discrete", 4, 6, np.random.default_rng(1))
    config = DiscriminatorConfig(hidden=(16,), entity_width=8, sees=sees, **changes)
    dist = Product(demos.spec.action)
    net = TorchDiscriminator(demos.spec, dist, config, np.random.default_rng(seed))
    rows = demos.rows()
    at = np.flatnonzero(rows.acted)
    obs, after = ({n: x[i] for n, x in rows.obs.items()} for i in (at, at + 1))
    return net, (obs, dist.encode(rows.action.at(at)), after)


@pytest.mark.parametrize("sees", ["actions", "states", "pairs"])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_seen_is_a_row_of_numbers_and_a_logit(kind, sees):
    net, rows = pictured(kind, sees)
    net.observe(rows[0])
    x = net.see(*rows)
    assert x.shape == (len(rows[1]), net.width)
    assert x.dtype == np.float32
    assert net(x).array.shape == (len(x), 1)
    assert net.slope(x).array.shape == x.shape


@pytest.mark.parametrize("kind", KINDS)
def test_the_slope_is_that_of_everything_it_was_told(kind):
    # Small steps along the slope itself; of a few rows a relu on the way changes its mind.
    net, rows = pictured(kind, activation="tanh")
    x = net.see(*rows)
    slope = net.slope(x).array
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    step = (3e-3 * slope / length * (x != 0)).astype(F32)
    found = (net(x + step).array - net(x - step).array)[:, 0]
    expected = 2 * (slope * step).sum(1)
    assert (length > 0).all()
    assert np.isclose(found, expected, rtol=0.05, atol=1e-5).mean() >= 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_penalty_of_the_slope_reaches_the_weights(kind):
    net, rows = pictured(kind)
    x = net.see(*rows)
    before = slope_penalty(net.slope(x), np.full(len(x), 1 / len(x), F32), 0.0).value
    adam = Adam(net.flat)
    for _ in range(20):
        slope_penalty(net.slope(x), np.full(len(x), 1 / len(x), F32), 0.0).backward()
        adam.step(1e-2)
    assert slope_penalty(net.slope(x), np.full(len(x), 1 / len(x), F32), 0.0).value < before / 2


def test_whoever_is_not_there_says_nothing():
    net, (obs, code, after) = pictured("entities")
    x = net.see(obs, code, after)
    strange = {name: values.copy() for name, values in obs.items()}
    (name,) = [n for n in obs if n.endswith(".present")]
    listed = name.removesuffix(".present")
    strange[listed][~obs[name].astype(bool)] = 99
    assert (~obs[name].astype(bool)).any()
    assert (net.see(strange, code, after) == x).all()


def test_little_gets_through_a_bottleneck_that_costs_much():
    net, rows = pictured("vector", bottleneck=4)
    x, rng, adam = net.see(*rows), np.random.default_rng(0), Adam(net.flat)
    _, before = net.tell(x, rng)
    for _ in range(300):
        _, nats = net.tell(x, rng)
        nats.backward()
        adam.step(1e-2)
    assert nats.value < 0.05 < before.value
    assert net(x).array.std() < 0.05, "who is told nothing cannot tell rows apart"


def test_it_goes_on_from_its_state():
    net, rows = pictured("all")
    net.observe(rows[0])
    other, _ = pictured("all", seed=5)
    x = net.see(*rows)
    other.load_state_dict(net.state_dict())
    assert (other.see(*rows) == x).all()
    assert (other(x).array == net(x).array).all()


def test_no_matrix_stretches_by_more_than_it_may():
    net = made()
    bound(net.flat, 0.5)
    for matrix in net.flat.matrices():
        assert np.linalg.norm(matrix, 2) == pytest.approx(0.5, rel=1e-4)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 200, net.width)).astype(F32)
    far = np.linalg.norm(a - b, axis=1)
    assert (abs(net(a).array - net(b).array)[:, 0] <= 0.25 * far + 1e-6).all()
    kept = [m.copy() for m in net.flat.matrices()]
    bound(net.flat, 5.0)
    assert all((m == k).all() for m, k in zip(net.flat.matrices(), kept, strict=True))
