from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from understudy.data.spec import ActionSpec, Obs, Spec, present
from understudy.nets.check import check_model
from understudy.nets.model import DenseModel, NetConfig, make_model
from understudy.nets.modules import TorchModel, make_torch_model
from understudy.nets.remembering import RecurrentModel
from understudy.ops.cost import Out
from understudy.ops.product import Product

ACTION = ActionSpec(continuous=1, branches=(3,))
SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(3,))}, action=ACTION)


def dense(kind: type[DenseModel] = DenseModel) -> DenseModel:
    return kind(SPEC, Product(ACTION), NetConfig(hidden=(8,)), np.random.default_rng(0), 1)


def recurrent() -> TorchModel:
    config = NetConfig(hidden=(8,), memory=4)
    return make_torch_model(SPEC, Product(ACTION), config, np.random.default_rng(0), 1)


def test_a_checked_model_is_as_it_was():
    model = dense()
    kept = model.flat.value.copy()
    check_model(model, np.random.default_rng(0))
    np.testing.assert_array_equal(model.flat.value, kept)
    assert not model.flat.grad.any()
    assert model.normalizer is not None
    assert model.normalizer.count == 0


class OneRowLate(DenseModel):
    def actor(self, slots):
        act = super().actor(slots)
        last = []

        def late(obs, state, fresh):
            last.append(act(obs, state, fresh)[0].copy())
            return last[max(0, len(last) - 2)], state

        return late


class HalfGradient(DenseModel):
    def __call__(self, obs, state, fresh):
        head, value, state = super().__call__(obs, state, fresh)
        return Out(head.array, lambda g: head.pull(0.5 * g)), value, state


class Forgetful(DenseModel):
    def load_state_dict(self, state):
        super().load_state_dict({**state, "normalizer": dense().state_dict()["normalizer"]})


class Unlike(DenseModel):
    def look(self, obs, state, fresh):
        head, value, before = super().look(obs, state, fresh)
        return head, value + 1, before


class Narrow(DenseModel):
    def __call__(self, obs, state, fresh):
        head, value, state = super().__call__(obs, state, fresh)
        return Out(head.array[..., 1:], head.pull), value, state


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (OneRowLate, "the head of the actor at row 1"),
        (HalfGradient, "the gradient is"),
        (Forgetful, "a saved model"),
        (Unlike, "the values of look"),
        (Narrow, "head is"),
    ],
)
def test_a_broken_promise_is_found(kind, says):
    with pytest.raises(AssertionError, match=says):
        check_model(dense(kind), np.random.default_rng(0))


class Outliving(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, obs, state, fresh):
        return self.inner(obs, state, fresh & False)


def test_a_memory_that_outlives_its_episode_is_found():
    model = recurrent()
    model = TorchModel(Outliving(model.module), SPEC, model.dist, memory=model.memory)
    with pytest.raises(AssertionError, match="after an episode began"):
        check_model(model, np.random.default_rng(0))


def test_a_memory_that_is_not_handed_on_is_found():
    model = recurrent()
    act = model.actor
    model.actor = lambda slots: lambda obs, state, fresh: (act(slots)(obs, state, fresh)[0], state)
    with pytest.raises(AssertionError, match="of the actor at row 1"):
        check_model(model, np.random.default_rng(0))


class OfEntities(nn.Module):
    """Sees entities in a way that each test chooses."""

    def __init__(self, dist: Product, see: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.see, self.head = see, nn.Linear(6, dist.width + dist.free)

    def forward(self, obs, state, fresh):
        seen = self.see(obs["e"], obs[present("e")][..., None])
        head = self.head(seen.flatten(-2))
        return head, head.new_zeros(*fresh.shape, 0), {}


def of_entities(see: Callable[..., torch.Tensor]) -> TorchModel:
    spec = Spec(obs={"e": Obs(kind="entities", shape=(3, 2))}, action=ACTION)
    dist = Product(ACTION)
    return TorchModel(OfEntities(dist, see), spec, dist)


def _sum(e):
    return e.sum(-2, keepdim=True).expand_as(e)


def _present(e, there):
    return _sum(torch.where(there, e, 0.0))


def test_a_model_of_entities_passes_and_one_that_breaks_a_law_of_theirs_is_found():
    rng = np.random.default_rng(0)
    check_model(of_entities(_present), rng)
    with pytest.raises(AssertionError, match="the head when entities change places"):
        check_model(of_entities(lambda e, there: torch.where(there, e, 0.0)), rng)
    with pytest.raises(AssertionError, match="the head when nan is stored for absent entities"):
        check_model(of_entities(lambda e, there: _sum(e * there)), rng)


def test_slots_that_see_each_other_are_found():
    with pytest.raises(AssertionError, match="the head of a slot without the others"):
        check_model(
            of_entities(
                lambda e, there: _present(e, there) - _present(e, there).mean(1, keepdim=True)
            ),
            np.random.default_rng(0),
        )


class Counting(nn.Module):
    """Adds to the values how many rows came in the same call."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, obs, state, fresh):
        head, value, trace = self.inner(obs, state, fresh)
        return head, value + len(fresh), trace


def test_rows_that_depend_on_how_they_are_cut_are_found():
    model = recurrent()
    model = TorchModel(Counting(model.module), SPEC, model.dist, memory=model.memory)
    with pytest.raises(AssertionError, match="the values of row 0 alone"):
        check_model(model, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (NetConfig(hidden=(8,)), DenseModel),
        (NetConfig(hidden=(8,), memory=4), RecurrentModel),
        (NetConfig(hidden=(8,), memory=4, shared=True), TorchModel),
    ],
)
def test_a_model_of_vectors_is_made_in_numpy_where_that_can_be(config, kind):
    assert isinstance(make_model(SPEC, Product(ACTION), config, np.random.default_rng(0)), kind)
