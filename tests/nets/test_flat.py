from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.errors import NonFiniteError
from understudy.nets.flat import F32, Adam, Flat


def test_parameters_are_views_of_one_buffer():
    flat = Flat(10)
    w, dw = flat.take("w", 2, 3)
    b, db = flat.take("b", 4)
    flat.value[:] = np.arange(10)
    flat.grad[:] = -np.arange(10)
    np.testing.assert_array_equal(w, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(b, [6, 7, 8, 9])
    np.testing.assert_array_equal(dw, -w)
    b += 1
    assert flat.value[-1] == 10
    np.testing.assert_array_equal(flat.named(flat.grad)["b"], db)


def test_a_name_is_taken_once_and_a_full_buffer_says_so():
    flat = Flat(4)
    flat.take("w", 3)
    with pytest.raises(ValueError, match="'w' exists"):
        flat.take("w", 1)
    with pytest.raises(ValueError, match="no room for parameter 'b'"):
        flat.take("b", 2)


def test_a_saved_buffer_is_a_copy_and_loads_exactly():
    flat = Flat(5)
    flat.take("w", 2, 2)
    flat.take("b", 1)
    flat.value[:] = np.random.default_rng(0).standard_normal(5)
    kept, saved = flat.value.copy(), flat.state_dict()
    flat.value[:] = 0
    flat.load_state_dict(saved)
    np.testing.assert_array_equal(flat.value, kept)


@pytest.mark.parametrize(
    "state", [{"w": np.zeros((2, 2))}, {"v": np.zeros(4)}, {"w": np.zeros(4), "b": np.zeros(1)}]
)
def test_parameters_of_another_network_are_refused(state):
    flat = Flat(4)
    flat.take("w", 4)
    with pytest.raises(ValueError, match="parameter"):
        flat.load_state_dict(state)


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("max_norm", [None, 0.5])
def test_adam_steps_as_torchs_adam_does(decay, max_norm):
    rng = np.random.default_rng(0)
    flat = Flat(200)
    flat.take("matrix", 20, 10)
    flat.value[:] = rng.standard_normal(200)
    theirs = torch.nn.Parameter(torch.from_numpy(flat.value.copy()))
    adam = Adam(flat, eps=1e-5, max_norm=max_norm, decay=decay)
    # Without decay AdamW is Adam.
    peer = torch.optim.AdamW([theirs], lr=1e-3, eps=1e-5, weight_decay=decay, foreach=False)
    for step in range(50):
        gradient = (rng.standard_normal(200) * 10.0 ** rng.integers(-3, 1)).astype(F32)
        learning_rate = 1e-2 / (1 + step)
        flat.grad += gradient
        theirs.grad = torch.from_numpy(gradient.copy())
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_([theirs], max_norm)
        peer.param_groups[0]["lr"] = learning_rate
        adam.step(learning_rate)
        peer.step()
        assert not flat.grad.any()
    np.testing.assert_allclose(flat.value, theirs.detach(), rtol=1e-5, atol=2e-6)


def test_only_matrices_decay():
    flat = Flat(7)
    flat.take("weight", 2, 2)
    flat.take("bias", 3)
    flat.value[:] = 1
    Adam(flat, decay=0.5).step(0.1)
    np.testing.assert_allclose(flat.value, [0.95] * 4 + [1] * 3)


def test_adam_without_decay_is_torchs_plain_adam():
    flat = Flat(3)
    flat.value[:] = [1, -2, 3]
    theirs = torch.nn.Parameter(torch.from_numpy(flat.value.copy()))
    adam, peer = Adam(flat), torch.optim.Adam([theirs], lr=0.1, foreach=False)
    for _ in range(50):
        flat.grad += 2 * flat.value
        theirs.grad = 2 * theirs.detach()
        adam.step(0.1)
        peer.step()
    np.testing.assert_allclose(flat.value, theirs.detach(), rtol=1e-5, atol=1e-6)


def test_the_first_step_has_the_length_of_the_learning_rate():
    # After one step mean / root of square is the sign of the gradient, whatever its size.
    flat = Flat(2)
    flat.grad[:] = [1e-3, -1e3]
    Adam(flat, eps=0.0).step(0.1)
    np.testing.assert_allclose(flat.value, [-0.1, 0.1], rtol=1e-5)


def test_adam_goes_on_from_where_it_was_saved():
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((6, 4)).astype(F32)
    a = Flat(4)
    adam = Adam(a, max_norm=1.0, decay=0.1)
    for g in gradients[:3]:
        a.grad += g
        adam.step(0.1)
    b = Flat(4)
    b.value[:] = a.value
    again = Adam(b, max_norm=1.0, decay=0.1)
    again.load_state_dict(adam.state_dict())
    for g in gradients[3:]:
        a.grad += g
        b.grad += g
        adam.step(0.1)
        again.step(0.1)
    np.testing.assert_array_equal(a.value, b.value)


@pytest.mark.parametrize(
    ("bad", "said"),
    [(np.nan, "not finite"), (-np.inf, "not finite"), (-1e30, "as large as 1e\\+30")],
)
@pytest.mark.parametrize("max_norm", [None, 0.5])
def test_a_gradient_that_is_not_finite_is_named_and_changes_nothing(bad, said, max_norm):
    flat = Flat(7)
    flat.take("policy.0.weight", 2, 2)
    flat.take("policy.0.bias", 3)
    adam = Adam(flat, max_norm=max_norm, decay=0.1)
    flat.grad += 1
    adam.step(0.1)
    before, moments = flat.value.copy(), adam.state_dict()
    flat.grad[5] = bad
    with pytest.raises(NonFiniteError, match=rf"policy\.0\.bias is {said}, loss/policy is 2.5;"):
        adam.step(0.1, {"loss/policy": 2.5})
    np.testing.assert_array_equal(flat.value, before)
    for name, x in adam.state_dict().items():
        np.testing.assert_array_equal(x, moments[name])
