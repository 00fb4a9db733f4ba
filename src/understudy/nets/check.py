"""Whether something is a `Model`: the contract as a test that anybody can run on their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.spec import Obs, Spec, present
from understudy.nets.model import Model, start_state
from understudy.ops.cost import Cost
from understudy.ops.product import FORBIDDEN

WIDE = 0.5 * FORBIDDEN
"""Logits below this are forbidden, and say nothing."""


def check_model(
    model: Model, rng: np.random.Generator, *, num_rows: int = 5, slots: int = 3
) -> None:
    """Raise unless the model keeps what `Model` promises.

    Shapes; that looking, acting step by step and learning see the same; that slots do not see each
    other; that memory is forgotten where an episode begins; that entities have no order, and those
    who are absent, whatever is stored in their place, say nothing; that gradients are those of
    numeric differences; that a saved model is the same model. The model's parameters, gradients and
    normalizers are afterwards as before.

    Args:
        model: Whom to check.
        rng: Draws observations, and parameters that are not all small.
        num_rows: Rows of the windows that are tried.
        slots: How many windows side by side.

    Raises:
        AssertionError: Says which promise is broken.
    """
    before = model.state_dict()
    noise = rng.standard_normal(len(model.flat.value)).astype(np.float32)
    # A fresh policy's last layer is nearly zero, which would hide what is wrong below it.
    model.flat.value += 0.1 * noise
    obs = random_obs(model.spec, rng, num_rows, slots)
    fresh = rng.random((num_rows, slots)) < 0.3
    state = {n: 0.5 * rng.standard_normal(x.shape, np.float32) for n, x in _start(model, slots)}
    try:
        _check_shapes(model, obs, state, fresh)
        _check_look(model, obs, state, fresh)
        _check_rows(model, obs, state, fresh)
        _check_slots(model, obs, state, fresh)
        _check_actor(model, obs, state, fresh)
        _check_fresh(model, obs, state)
        _check_order(model, obs, state, fresh, rng)
        _check_absent(model, obs, state, fresh)
        _check_gradients(model, _nan_where_absent(model.spec, obs), state, fresh, rng)
        _check_observe(model, obs, state, fresh)
    finally:
        model.load_state_dict(before)
        model.flat.grad.fill(0)
    _check_same(before, model.state_dict(), "state_dict after load_state_dict")


def random_obs(spec: Spec, rng: np.random.Generator, *lead: int) -> Tree:
    """Observations of a spec: entities come and go, and a mask leaves every branch a choice."""
    tree: Tree = {}
    for name, obs in spec.obs.items():
        tree[name] = _random(obs, rng, lead)
        if obs.kind == "entities":
            tree[present(name)] = rng.random((*lead, obs.shape[0])) < 0.6
        if obs.kind == "mask":
            ends = np.cumsum((0, *spec.action.branches))
            for start, size in zip(ends[:-1], spec.action.branches, strict=True):
                kept = start + rng.integers(0, size, lead)
                np.put_along_axis(tree[name], kept[..., None], 1, -1)
    return tree


def _random(obs: Obs, rng: np.random.Generator, lead: tuple[int, ...]) -> NDArray[np.generic]:
    shape, dtype = (*lead, *obs.shape), np.dtype(obs.dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    high = 256 if obs.kind == "image" else 2
    return rng.integers(0, high, shape).astype(dtype)


def _start(model: Model, slots: int) -> list[tuple[str, NDArray[np.float32]]]:
    return list(start_state(model, slots).items())


def _check_shapes(model: Model, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> None:
    head, value, after = model(model.place(obs), model.place(state), fresh)
    width = model.dist.width + model.dist.free
    _shape("head", head.array, (*fresh.shape, width))
    assert value.array.shape[:2] == fresh.shape, f"values are {value.array.shape}"
    assert np.isfinite(head.array).all(), "the head is not finite"
    assert np.isfinite(value.array).all(), "values are not finite"
    for name, shape in model.memory.items():
        _shape(f"memory '{name}'", after[name], (fresh.shape[1], *shape))


def _check_look(model: Model, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> None:
    head, value, after = model(obs, state, fresh)
    alone, after_alone = model.policy(obs, state, fresh)
    seen, worth, before = model.look(obs, state, fresh)
    _near("the head of look", seen, head.array)
    _near("the values of look", worth, value.array)
    _near("the head of policy", alone.array, head.array)
    assert set(before) == set(model.memory), f"look tells the memory of {sorted(before)}"
    for name, x in before.items():
        _shape(f"memory '{name}' before every row", x, (*fresh.shape, *model.memory[name]))
        _near(f"memory '{name}' before the first row", x[0], state[name])
        # From the memory before the last row, one more row must lead to the memory afterwards.
    last = {name: x[-1] for name, x in before.items()}
    _, _, again = model({n: x[-1:] for n, x in obs.items()}, last, fresh[-1:])
    for name in model.memory:
        _near(f"memory '{name}' after the last row", again[name], after[name])
    assert set(after_alone) == set(after), "policy and model remember different things"


def _check_rows(model: Model, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> None:
    head, value, before = model.look(obs, state, fresh)
    held = state
    for t in range(len(fresh)):
        for name in model.memory:
            _near(f"memory '{name}' before row {t}, step by step", held[name], before[name][t])
        row = slice(t, t + 1)
        out, worth, held = model({n: x[row] for n, x in obs.items()}, held, fresh[row])
        _near(f"the head of row {t} alone", out.array, head[row])
        _near(f"the values of row {t} alone", worth.array, value[row])


def _check_slots(model: Model, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> None:
    head, value, _ = model.look(obs, state, fresh)
    last = slice(fresh.shape[1] - 1, None)
    alone = {name: x[last] for name, x in state.items()}
    seen, worth, _ = model.look({n: x[:, last] for n, x in obs.items()}, alone, fresh[:, last])
    _near("the head of a slot without the others", seen, head[:, last])
    _near("the values of a slot without the others", worth, value[:, last])


def _check_actor(model: Model, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> None:
    act = model.actor(fresh.shape[1])
    seen, _, before = model.look(obs, state, fresh)
    held = dict(state)
    for t in range(len(fresh)):
        for name in held:
            # What only the critic remembers is not looked at by the actor.
            if name.startswith("policy."):
                _near(f"memory '{name}' of the actor at row {t}", held[name], before[name][t])
        head, held = act({name: x[t] for name, x in obs.items()}, held, fresh[t])
        _near(f"the head of the actor at row {t}", head, seen[t])


def _check_fresh(model: Model, obs: Tree, state: Tree) -> None:
    lead = next(iter(obs.values())).shape[:2]
    fresh = np.zeros(lead, bool)
    fresh[lead[0] // 2] = True
    half = slice(lead[0] // 2, None)
    nothing = start_state(model, lead[1])
    later = {name: x[half] for name, x in obs.items()}
    for start in (state, nothing):
        whole, _, _ = model.look(obs, start, fresh)
        new, _, _ = model.look(later, nothing, fresh[half] & False)
        _near("the head after an episode began", whole[half], new)


def _check_order(
    model: Model, obs: Tree, state: Tree, fresh: NDArray[np.bool_], rng: np.random.Generator
) -> None:
    moved = dict(obs)
    for name, kind in model.spec.obs.items():
        if kind.kind == "entities":
            order = rng.permutation(kind.shape[0])
            for each in (name, present(name)):
                moved[each] = obs[each].take(order, 2)
    _same_answer("when entities change places", model, (obs, moved), state, fresh)


def _check_absent(model: Model, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> None:
    filled = _nan_where_absent(model.spec, obs)
    _same_answer("when nan is stored for absent entities", model, (obs, filled), state, fresh)


def _nan_where_absent(spec: Spec, obs: Tree) -> Tree:
    filled = dict(obs)
    for name, kind in spec.obs.items():
        if kind.kind == "entities" and obs[name].dtype.kind == "f":
            there = obs[present(name)][..., None]
            filled[name] = np.where(there, obs[name], np.nan).astype(obs[name].dtype)
    return filled


def _same_answer(
    when: str, model: Model, seen: tuple[Tree, Tree], state: Tree, fresh: NDArray[np.bool_]
) -> None:
    (head, value, _), (other, worth, _) = (model.look(obs, state, fresh) for obs in seen)
    _near(f"the head {when}", other, head)
    _near(f"the values {when}", worth, value)


def _check_gradients(
    model: Model, obs: Tree, state: Tree, fresh: NDArray[np.bool_], rng: np.random.Generator
) -> None:
    head, value, _ = model(obs, state, fresh)
    wanted = np.where(head.array > WIDE, rng.standard_normal(head.array.shape), 0)
    valued = rng.standard_normal(value.array.shape)

    def loss() -> float:
        seen, worth, _ = model.look(obs, state, fresh)
        return float((wanted * seen).sum(dtype=np.float64) + (valued * worth).sum(dtype=np.float64))

    model.flat.grad.fill(0)
    # Together, as a cost does: outputs may share their way back.
    seeds = [(head, wanted.astype(np.float32)), (value, valued.astype(np.float32))]
    Cost(seeds=seeds).backward()
    gradient = model.flat.grad.copy()
    assert np.isfinite(gradient).all(), "gradients are not finite"
    scale = float(np.abs(gradient).max())
    assert scale > 0, "no gradient reaches the parameters"
    for name, (place, _) in model.flat.names.items():
        if place.stop > place.start:
            index = place.start + int(np.abs(gradient[place]).argmax())
            _check_derivative(loss, model.flat.value, index, float(gradient[index]), scale, name)


def _check_derivative(
    loss: Callable[[], float],
    value: NDArray[np.float32],
    index: int,
    derivative: float,
    scale: float,
    name: str,
) -> None:
    found, kept = [], value[index].copy()
    # Several widths: a wide difference may step over a kink, a narrow one drowns in rounding.
    for width in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4):
        value[index] = kept + width
        high, up = loss(), float(value[index])
        value[index] = kept - width
        found.append((high - loss()) / (up - float(value[index])))
        value[index] = kept
        if abs(found[-1] - derivative) <= 0.03 * abs(derivative) + 3e-3 * scale:
            return
    raise AssertionError(
        f"parameter '{name}': the gradient is {derivative:.5g}, differences say {found}"
    )


def _check_observe(model: Model, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> None:
    model.observe(obs)
    saved = model.state_dict()
    head, _, _ = model.look(obs, state, fresh)
    assert np.isfinite(head).all(), "the head is not finite after observe"
    model.flat.value *= 1.5
    model.observe({name: x[:1] for name, x in obs.items()})
    model.load_state_dict(saved)
    again, _, _ = model.look(obs, state, fresh)
    assert np.array_equal(again, head), "a saved model says something else when it is loaded"
    _check_same(saved, model.state_dict(), "state_dict after load_state_dict")


def _check_same(a: object, b: object, where: str) -> None:
    if isinstance(a, dict) and isinstance(b, dict):
        assert set(a) == set(b), f"{where}: {sorted(a)} and {sorted(b)}"
        for name in a:
            _check_same(a[name], b[name], f"{where}: {name}")
        return
    assert np.array_equal(np.asarray(a), np.asarray(b)), f"{where} has changed"


def _shape(what: str, x: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    assert x.shape == shape, f"{what} is {x.shape}, expected {shape}"


def _near(what: str, x: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    assert x.shape == expected.shape, f"{what} is {x.shape}, expected {expected.shape}"
    assert np.allclose(x, expected, rtol=1e-4, atol=1e-5), (
        f"{what} differs by {np.abs(x - expected).max()}"
    )
