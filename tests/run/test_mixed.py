"""Demonstrations beside what was lived, in one batch."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.nets.model import NetConfig, make_model
from understudy.ops.soft_product import SoftProduct
from understudy.run.mixed import Mixed
from understudy.run.replay import Replay, replay_of
from worlds import toy_demos


def both(memory=0, kind="vector"):
    """What was lived, with memories of 7, and what was shown, with rewards above 5."""
    demos = toy_demos(kind, "hybrid", 5, 8, np.random.default_rng(0))
    net = NetConfig(hidden=(4,), memory=memory)
    rng = np.random.default_rng(0)
    model = make_model(demos.spec, SoftProduct(demos.spec.action), net, rng)
    shown = replay_of(demos)
    lived = Replay(demos.spec, shown.rows, 1, model.memory)
    state = shown.state_dict()
    recorded = {f"state/{n}": np.full((shown.rows, 1, *s), 7) for n, s in model.memory.items()}
    lived.load_state_dict(state | {"rows": state["rows"] | recorded})
    shown.reward += 10 * shown.acted
    return model, lived, shown


@pytest.mark.parametrize(("ratio", "count"), [(0, 0), (0.25, 16), (0.5, 32), (1, 64)])
def test_demonstrations_are_mixed_in_at_a_ratio(ratio, count):
    model, lived, shown = both()
    batch = Mixed(lived, shown, ratio).sample(model, np.random.default_rng(0), 64, 2)
    assert batch.shown.tolist() == [0] * (64 - count) + [1] * count
    np.testing.assert_array_equal(batch.reward[0] > 5, batch.shown == 1)
    assert batch.obs["vector"].shape == (3, 64, 4)
    assert batch.acted.shape == batch.fresh.shape == (3, 64)
    assert batch.code.shape == (2, 64, 4)


@pytest.mark.parametrize("ratio", [0, 0.25, 1])
def test_windows_are_as_long_on_both_sides_and_shown_ones_begin_with_an_empty_memory(ratio):
    model, lived, shown = both(memory=3, kind="all")
    rng = np.random.default_rng(0)
    batch = Mixed(lived, shown, ratio).sample(model, rng, 16, 2, burn_in=3, n_step=4)
    assert (batch.burn_in, batch.length, batch.n_step) == (3, 2, 4)
    assert {x.shape[:2] for x in batch.obs.values()} == {(9, 16)}
    assert batch.code.shape[:2] == batch.reward.shape == (8, 16)
    for state in batch.state.values():
        np.testing.assert_array_equal(state, np.where(batch.shown[:, None], 0, 7) + 0 * state)


def test_a_ratio_is_a_share():
    _, lived, shown = both()
    with pytest.raises(ValueError, match="share"):
        Mixed(lived, shown, 1.5)
