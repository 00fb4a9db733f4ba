"""What a discriminator is given to look at."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import ConfigError
from understudy.nets.discriminator import Discriminator, DiscriminatorConfig
from understudy.nets.flat import F32
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct

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


@pytest.mark.parametrize(
    ("kind", "shape", "dtype"), [("image", (8, 8, 3), "uint8"), ("entities", (3, 2), "float32")]
)
def test_what_is_no_vector_is_refused(kind, shape, dtype):
    spec = Spec(obs={"eye": Obs(kind=kind, shape=shape, dtype=dtype)}, action=SPEC.action)
    with pytest.raises(ConfigError, match=f"vectors alone, and here are {kind} 'eye'"):
        made(spec)
