from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.ops.cost import Cost, Out
from understudy.ops.tape import Taped, tensor_of


def out(*shape: int) -> tuple[Out, list[np.ndarray]]:
    pulled: list[np.ndarray] = []
    return Out(np.zeros(shape), pulled.append), pulled


def test_no_cost_is_zero_and_pulls_nothing():
    assert Cost().value == 0
    Cost().backward()


def test_costs_add_and_scale_values_and_gradients():
    (a, at_a), (b, at_b) = out(2), out(3)
    cost = 2 * Cost(lambda: 5.0, [(a, np.ones(2))]) + 0.5 * Cost(lambda: 4.0, [(b, np.ones(3))])
    cost = Cost() + 3 * cost
    assert cost.value == 36
    cost.backward()
    np.testing.assert_array_equal(at_a[0], [6, 6])
    np.testing.assert_array_equal(at_b[0], [1.5, 1.5, 1.5])


def test_a_value_is_worked_out_when_it_is_read():
    read = []
    cost = 2 * Cost(lambda: read.append(1) or 1.0) + Cost()
    assert not read
    assert cost.value == 2
    assert read


def test_gradients_at_one_output_are_added_and_pulled_once():
    a, at_a = out(2)
    (Cost(seeds=[(a, np.ones(2))]) + Cost(seeds=[(a, np.array([1.0, 2.0]))])).backward()
    assert len(at_a) == 1
    np.testing.assert_array_equal(at_a[0], [2, 3])


def test_a_numpy_weight_keeps_gradients_in_float32():
    a, at_a = out(2)
    cost = np.float64(0.5) * Cost(lambda: 4.0, [(a, np.ones(2, np.float32))])
    assert isinstance(cost, Cost)
    assert cost.value == 2
    cost.backward()
    assert at_a[0].dtype == np.float32


@pytest.mark.parametrize("shape", [(3,), (1, 2), (2, 1), ()])
def test_a_gradient_of_another_shape_is_refused(shape):
    a, _ = out(2)
    wrong = np.ones(shape)
    for use in (a.pull, a.back, lambda g: Cost(seeds=[(a, g), (a, np.ones(2))]).backward()):
        with pytest.raises(ValueError, match=r"gradient .* at an output"):
            use(wrong)
    with pytest.raises(ValueError, match=r"gradient .* at an output"):
        a.through(np.zeros(2), lambda g: g).pull(wrong)


def test_an_output_without_a_way_back_says_so():
    a, _ = out(2)
    with pytest.raises(ValueError, match="nothing leads"):
        a.back(np.ones(2))


def test_an_output_made_from_another_hands_its_gradient_on():
    pulled = []
    a = Out(np.ones(2), pulled.append, lambda g: 10 * g)
    b = a.through(3 * a.array, lambda g: 3 * g).through(6 * a.array, lambda g: 2 * g)
    Cost(seeds=[(b, np.ones(2)), (a, np.ones(2))]).backward()
    b.pull(np.ones(2))
    np.testing.assert_array_equal(pulled, [[7, 7], [6, 6]])
    np.testing.assert_array_equal(b.back(np.ones(2)), [60, 60])


def trunk() -> tuple[torch.Tensor, Taped, Taped, list[int]]:
    """A parameter, two outputs that share a trunk, and how often the trunk was walked."""
    walks: list[int] = []
    parameter = torch.ones(3, requires_grad=True)
    shared = parameter.tanh()
    shared.register_hook(lambda _: walks.append(1))
    return parameter, Taped(shared * 2), Taped(shared.sum(-1, keepdim=True)), walks


def test_taped_outputs_are_joined_in_one_pass():
    parameter, a, b, walks = trunk()
    slope = 1 - np.tanh(1) ** 2
    Cost(seeds=[(a, np.array([1, 2, 3], np.float32)), (b, np.array([4.0]))]).backward()
    np.testing.assert_allclose(np.asarray(parameter.grad), slope * np.array([6, 8, 10]), rtol=1e-6)
    assert len(walks) == 1


def test_what_is_made_from_taped_outputs_stays_in_that_pass():
    parameter, a, b, walks = trunk()
    made = a.through(a.array * 5, lambda g: 5 * g)
    cost = Cost(seeds=[(made, np.ones(3, np.float32)), (b, np.ones(1)), (a, np.ones(3))])
    (cost + Cost.of((parameter**2).sum())).backward()
    slope = 1 - np.tanh(1) ** 2
    np.testing.assert_allclose(np.asarray(parameter.grad), slope * np.full(3, 13) + 2, rtol=1e-6)
    assert len(walks) == 1


def test_taped_gradients_of_another_shape_are_refused():
    _, a, b, _ = trunk()
    with pytest.raises(ValueError, match="gradient"):
        Cost(seeds=[(a, np.ones(3)), (b, np.ones(3))]).backward()
    with pytest.raises(ValueError, match="gradient"):
        a.pull(np.ones((1, 3)))


def test_a_torch_scalar_joins_other_costs():
    parameter, a, _, _ = trunk()
    cost = 0.5 * Cost.of((parameter * 4).sum()) + Cost(seeds=[(a, np.zeros(3))])
    assert cost.value == pytest.approx(6)
    cost.backward()
    np.testing.assert_allclose(np.asarray(parameter.grad), [2, 2, 2])


@pytest.mark.parametrize("tensor", [torch.ones(2, requires_grad=True), torch.ones(())])
def test_only_a_scalar_with_a_graph_is_a_cost(tensor):
    with pytest.raises(ValueError, match="scalar tensor with a graph"):
        Cost.of(tensor)


def test_costs_of_both_kinds_pull_in_one_backward():
    parameter, a, _, _ = trunk()
    b, at_b = out(2)
    (Cost(seeds=[(b, np.ones(2))]) + Cost(seeds=[(a, np.ones(3))])).backward()
    assert len(at_b) == 1
    assert parameter.grad is not None


def test_an_output_of_another_kind_has_a_torch_face():
    pulled = []
    a = Out(np.arange(3, dtype=np.float32), pulled.append)
    (tensor_of(a) ** 2).sum().backward()
    np.testing.assert_array_equal(pulled[0], [0, 2, 4])
    _, taped, _, _ = trunk()
    assert tensor_of(taped) is taped.tensor


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_the_first_rows_pull_into_theirs_and_nothing_into_the_others(kind):
    pulled = []
    whole = Out(kind(np.arange(6.0).reshape(3, 2)), pulled.append)
    first = whole.first(2)
    assert np.asarray(first.array).tolist() == [[0, 1], [2, 3]]
    first.pull(kind(np.ones((2, 2))))
    assert np.asarray(pulled[0]).tolist() == [[1, 1], [1, 1], [0, 0]]
