"""The store: rows of slots that speak when they like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.envs.env import one
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.run.rollouts import Cast
from understudy.run.store import Store
from worlds import CountingActor, TinyEnv


def filled(env: TinyEnv, rows: int, rolls: int = 0) -> list[Store]:
    """Copies of a store each time it was full, `rolls` times rolled over."""
    actor = CountingActor(one(env.behaviors))
    cast = Cast(env, {"agent": actor})
    store = Store(one(env.behaviors), rows, env.slots["agent"])
    seen: list[Store] = []
    moments = env.reset(0)
    while len(seen) <= rolls:
        if moments:
            store.see(one(moments))
            if store.full:
                seen.append(snapshot(store))
                store.roll()
        actions = cast.act(moments)
        for name, action in actions.items():
            store.do(moments[name].slots, action)
        moments = env.step(actions)
    return seen


def snapshot(store: Store) -> Store:
    copy = Store.__new__(Store)
    copy.__dict__.update({k: _copied(v) for k, v in vars(store).items()})
    return copy


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: v.copy() for k, v in value.items()}
    if hasattr(value, "continuous"):
        return type(value)(value.continuous.copy(), value.discrete.copy())
    return value.copy() if isinstance(value, np.ndarray) else value


def column(x: NDArray[Any], store: Store, slot: int) -> list[Any]:
    return x[: store.at[slot] + 1, slot].tolist()


def test_a_row_is_what_was_seen_then_done_then_received() -> None:
    (store,) = filled(TinyEnv({"agent": [[3]]}), 5)
    # Slot 0 lives 3 steps (4 rows, the last one idle), then begins again.
    assert column(store.obs["obs"][..., 2], store, 0) == [0, 1, 2, 3, 0, 1]
    assert column(store.acted, store, 0)[:5] == [True, True, True, False, True]
    assert column(store.fresh, store, 0) == [True, False, False, False, True, False]
    assert column(store.reward, store, 0)[:5] == [1, 1, 1, 0, 1]
    assert column(store.terminated, store, 0)[:5] == [False, False, True, False, False]


def test_a_time_limit_is_no_termination() -> None:
    (store,) = filled(TinyEnv({"agent": [[2]]}), 8)
    # Episodes of this world are terminated and truncated in turn.
    assert column(store.terminated, store, 0)[:6] == [False, True, False, False, False, False]
    assert column(store.truncated, store, 0)[:6] == [False, False, False, False, True, False]


def test_the_row_after_is_what_truly_followed_for_slots_of_any_pace() -> None:
    env = TinyEnv({"agent": [[3, 1], [4], [2]]}, {"agent": [1, 2, 3]})
    for store in filled(env, 12, rolls=3):
        for slot in range(3):
            t = np.flatnonzero(store.acted[: store.at[slot], slot])
            here, there = store.obs["obs"][t, slot], store.obs["obs"][t + 1, slot]
            assert (there[:, 1] == here[:, 1]).all(), "the same episode"
            assert (there[:, 2] == here[:, 2] + 1).all(), "a step later"


def test_a_slot_that_does_not_speak_writes_no_row() -> None:
    env = TinyEnv({"agent": [[50], [50]]}, {"agent": [1, 5]})
    (store,) = filled(env, 20)
    assert store.at.tolist() == [20, 4]
    assert column(store.obs["obs"][..., 2], store, 1) == [0, 1, 2, 3, 4]
    assert not store.acted[5:, 1].any()


def test_every_action_that_counted_is_in_a_row_and_no_other() -> None:
    env = TinyEnv({"agent": [[3, 2], [5]]})
    stores = filled(env, 7, rolls=4)
    stored = [
        (slot, *store.obs["obs"][t, slot, 1:].astype(int), int(store.action.discrete[t, slot, 0]))
        for store in stores
        for t, slot in np.argwhere(store.acted)
    ]
    lived = [(slot, e, t, int(a.discrete[0])) for slot, e, t, a in env.received["agent"]]
    assert len(set(stored)) == len(stored)
    assert set(stored) <= set(lived)
    assert len(lived) - len(stored) < 7 * len(stores), "only what the last store still awaits"


def test_an_action_whose_outcome_is_awaited_waits_for_the_next_batch() -> None:
    env = TinyEnv({"agent": [[50], [50]]}, {"agent": [1, 5]})
    spec = one(env.behaviors)
    first, second = filled(env, 13, rolls=1)
    model = make_model(spec, Product(spec.action), NetConfig(hidden=(4,)), np.random.default_rng(0))
    row = first.at[1]
    assert first.acted[row, 1], "it has acted on its newest row"
    assert first.batch(model, {}).acted[row, 1] == 0, "and nothing is known of that"
    assert second.acted[0, 1]
    assert second.action.discrete[0, 1] == first.action.discrete[row, 1]
    assert second.reward[0, 1] == 1
    assert second.batch(model, {}).acted[0, 1] == 1


def test_rolling_keeps_the_newest_row_and_forgets_the_rest() -> None:
    first, second = filled(TinyEnv({"agent": [[3], [5]]}), 6, rolls=1)
    n = np.arange(2)
    assert (second.obs["obs"][0] == first.obs["obs"][first.at, n]).all()
    assert (second.fresh[0] == first.fresh[first.at, n]).all()


def test_a_batch_weighs_only_rows_that_were_acted_on() -> None:
    env = TinyEnv({"agent": [[3], [5]]})
    (store,) = filled(env, 6)
    spec = one(env.behaviors)
    model = make_model(spec, Product(spec.action), NetConfig(hidden=(4,)), np.random.default_rng(0))
    batch = store.batch(model, {})
    assert batch.obs["obs"].shape == (7, 2, 3)
    assert batch.code.shape == (6, 2, 100)
    assert (batch.share > 0).tolist() == store.acted[:6].tolist()
    assert np.isclose(batch.share.sum(), 1)
