"""Shown rows in random order, every one once per epoch."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.data.demos import Demos
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.acting import ModelActor
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.run.source import Offline, OfflineConfig, remembered, runs_of
from worlds import episode_of, toy_demos

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(1,))}, action=ActionSpec(branches=(50,)))


def numbered(*lengths):
    """Episode e sees 1000 e + t at row t, and does t."""
    made = [
        episode_of(SPEC, [1000 * e + t for t in range(n + 1)], discrete=list(range(n)))
        for e, n in enumerate(lengths)
    ]
    return Demos(SPEC, made)


class Remembering:
    """Stands in for a model with memory: after a row it remembers the number that it saw there."""

    def __init__(self, spec=SPEC):
        self.spec, self.dist = spec, Product(spec.action)
        self.memory = {"last": (1,)}

    def place(self, tree):
        return tree

    def look(self, obs, state, fresh):
        last, before = state["last"], []
        for row, first in zip(obs["obs"], fresh, strict=True):
            before.append(np.where(first[:, None], 0, last))
            last = row
        head = np.zeros((*fresh.shape, self.dist.width), np.float32)
        return head, np.zeros((*fresh.shape, 0)), {"last": np.array(before)}


def remembering() -> Any:
    return Remembering()


def dense(spec=SPEC):
    return make_model(spec, Product(spec.action), NetConfig(hidden=(4,)), np.random.default_rng(0))


def offline(demos, model=None, seed=0, **config):
    config = OfflineConfig(**{"batch_size": 4, "noise": 0.0, "turn": 3, **config})
    model = dense(demos.spec) if model is None else model
    return Offline(demos.rows(), model, config, np.random.default_rng(seed))


def epoch(source):
    """The batches of one whole epoch."""
    batches = [source.draw()]
    while source._cursor < len(source._order):
        batches.append(source.draw())
    return batches


def served(batches):
    """Every number that was seen on rows that weigh something."""
    return [int(x) for b in batches for x in b.obs["obs"][b.acted > 0][:, 0]]


def shown(demos):
    return [int(x) for e in demos for x in e.obs["obs"][:-1, 0]]


@pytest.mark.parametrize("model", [dense, remembering])
@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any),
    batch_size=st.integers(1, 12),
    length=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_every_step_is_served_exactly_once_per_epoch(model, lengths, batch_size, length, seed):
    demos = numbered(*lengths)
    source = offline(demos, model(), seed, batch_size=batch_size, length=length)
    for number in (1, 2):
        batches = epoch(source)
        assert source.num_epochs == number
        assert sorted(served(batches)) == shown(demos)
        assert sum(b.acted.sum() for b in batches) == demos.num_steps


def test_another_epoch_has_another_order_and_the_same_seed_has_the_same():
    demos = numbered(20)
    source = offline(demos)
    first, second = served(epoch(source)), served(epoch(source))
    assert first != second
    assert served(epoch(offline(demos))) == first
    assert served(epoch(offline(demos, seed=1))) != first


def test_a_code_is_what_was_done_on_the_row_that_is_seen():
    for model in (dense(), remembering()):
        for batch in epoch(offline(numbered(7, 5), model)):
            there = batch.acted > 0
            done = batch.code[there].argmax(-1)
            assert done.tolist() == (batch.obs["obs"][there][:, 0] % 1000).tolist()


def test_without_memory_a_batch_is_one_row_deep_and_the_last_may_be_smaller():
    batches = epoch(offline(numbered(10)))
    assert [b.code.shape for b in batches] == [(1, 4, 50), (1, 4, 50), (1, 2, 50)]
    assert batches[0].state == {}


def test_a_batch_of_windows_has_about_as_many_steps():
    source = offline(numbered(*[8] * 10), remembering(), batch_size=8, length=4)
    assert source.draw().code.shape == (4, 2, 50)
    one = offline(numbered(*[8] * 10), remembering(), batch_size=2, length=4)
    assert one.draw().code.shape == (4, 1, 50), "at least one window"


def test_windows_never_cross_the_end_of_an_episode_and_padding_weighs_nothing():
    source = offline(numbered(5, 3, 1), remembering(), batch_size=100, length=4)
    (batch,) = epoch(source)
    assert batch.acted.sum() == 9
    for seen, acted in zip(batch.obs["obs"][..., 0].T, batch.acted.T, strict=True):
        assert len(set(seen // 1000)) == 1, "one episode"
        count = int(acted.sum())
        assert acted.tolist() == [1] * count + [0] * (4 - count), "padding comes last"
        assert np.diff(seen[:count]).tolist() == [1] * (count - 1), "consecutive rows"
        assert (seen[count:] == seen[count - 1]).all(), "padding repeats the last row"
    assert batch.share[batch.acted == 0].sum() == 0


def test_an_episode_begins_only_in_its_first_window():
    (batch,) = epoch(offline(numbered(9), remembering(), batch_size=100, length=4))
    for seen, fresh in zip(batch.obs["obs"][..., 0].T, batch.fresh.T, strict=True):
        assert fresh.tolist() == [seen[0] == 0, False, False, False]


def test_a_window_is_given_what_was_remembered_before_it():
    source = offline(numbered(9, 6), remembering(), batch_size=100, length=4)
    (batch,) = epoch(source)
    first = batch.obs["obs"][0, :, 0]
    before = batch.state["last"][:, 0]
    middle = first % 1000 > 0
    assert middle.sum() == 3
    assert (before[middle] == first[middle] - 1).all()
    assert (before[~middle] == 0).all()


def test_memory_is_worked_out_again_when_an_epoch_begins():
    model = remembering()
    source = offline(numbered(8), model, batch_size=100, length=4)
    source.draw()
    model.look = lambda obs, state, fresh: (
        None,
        None,
        {"last": np.full((*fresh.shape, 1), 7, np.float32)},
    )
    (batch,) = epoch(source)
    assert (batch.state["last"] == 7).all()


@pytest.mark.parametrize("most", [1, 9, 10_000])
def test_what_is_remembered_does_not_depend_on_how_many_rows_are_looked_at(monkeypatch, most):
    monkeypatch.setattr("understudy.run.source.BLOCK_ROWS", most)
    demos = numbered(3, 40, 0, 17, 1, 40)
    rows = demos.rows()
    before = remembered(remembering(), rows.obs, rows.fresh, runs_of(rows))["last"][:, 0]
    seen = rows.obs["obs"][:, 0]
    assert before.tolist() == np.where(rows.fresh, 0, np.roll(seen, 1)).tolist()


def test_one_long_episode_among_short_ones_is_not_padded_to_a_rectangle():
    widest = 0

    class Measured(Remembering):
        def look(self, obs, state, fresh) -> Any:
            nonlocal widest
            widest = max(widest, fresh.size)
            return super().look(obs, state, fresh)

    rows = numbered(20_000, *[2] * 1000).rows()
    measured: Any = Measured()
    remembered(measured, rows.obs, rows.fresh, runs_of(rows))
    assert widest < 10_000, "a rectangle would have 20 million rows"


def test_a_window_starts_with_the_memory_that_the_policy_has_there():
    demos = toy_demos("vector", "discrete", 5, 30, np.random.default_rng(1), memory_task=True)
    config = NetConfig(hidden=(8,), memory=6)
    model = make_model(demos.spec, Product(demos.spec.action), config, np.random.default_rng(2))
    actor, before = ModelActor(model), []
    for episode in demos:
        state = actor.start(1)
        for t in range(len(episode) + 1):
            before.append({name: s[0] for name, s in state.items()})
            obs = {name: x[t : t + 1] for name, x in episode.obs.items()}
            _, state = actor.act(obs, state, np.array([t == 0]))
    source = offline(demos, model, batch_size=10_000, length=4)
    batch = source.draw()
    firsts = source.windows[0, source._order]
    assert len(firsts) > 20
    assert set(batch.state) == set(model.memory)
    for name, state in batch.state.items():
        expected = np.stack([before[row][name] for row in firsts])
        np.testing.assert_allclose(state, expected, atol=1e-6)
        assert np.abs(expected).max() > 1e-3, "there is something to remember"


def test_noise_is_a_share_of_the_spread_and_leaves_flags_alone():
    spec = Spec(obs={"obs": Obs(kind="vector", shape=(4,))}, action=ActionSpec(branches=(2,)))
    rng = np.random.default_rng(0)
    n = 4000
    obs = np.stack(
        [rng.normal(5, 3, n), rng.integers(0, 2, n), np.full(n, 2.5), np.zeros(n)], 1
    ).astype(np.float32)
    demos = Demos(spec, [episode_of(spec, obs, discrete=[0] * (n - 1))])
    source = offline(demos, noise=0.1, batch_size=n)
    rows = source.draw().obs["obs"][0] - obs[source.windows[0, source._order]]
    assert rows[:, 0].std() == pytest.approx(0.3, rel=0.05)
    assert abs(rows[:, 0].mean()) < 0.03
    assert not rows[:, 1:].any(), "flags and constants stay as they were"
    assert (source._obs["obs"] == obs).all(), "what was shown is not changed"


def test_only_vectors_are_blurred():
    demos = toy_demos("all", "masked", 3, 10, np.random.default_rng(0))

    class Sees(Remembering):
        def __init__(self):
            super().__init__(demos.spec)
            self.memory = {}

    source = offline(demos, Sees(), noise=5.0, batch_size=1000)
    batch = source.draw()
    rows, index = demos.rows(), source.windows[0, source._order]
    changed = {name for name, x in batch.obs.items() if (x[0] != rows.obs[name][index]).any()}
    assert changed == {"vector"}


def test_double_precision_is_served_in_single():
    spec = Spec(obs={"obs": Obs(kind="vector", shape=(1,), dtype="float64")}, action=SPEC.action)
    demos = Demos(spec, [episode_of(spec, [0, 1, 2], discrete=[0, 1])])
    assert offline(demos, noise=0.1).draw().obs["obs"].dtype == np.float32


def test_a_turn_that_was_interrupted_is_taken_up_where_it_stopped():
    source = offline(numbered(50))
    turn = source.batches()
    next(turn)
    assert len(list(source.batches())) == 2
    assert len(list(source.batches())) == 3


@pytest.mark.parametrize("model", [dense, remembering])
def test_a_source_goes_on_with_the_very_same_batches(model):
    demos = numbered(9, 14, 3)
    one = offline(demos, model(), length=3, noise=0.5)
    for _ in range(7):
        one.draw()
    other = offline(demos, model(), seed=99, length=3, noise=0.5)
    other.load_state_dict(one.state_dict())
    for _ in range(25):
        a, b = one.draw(), other.draw()
        for x, y in ((a.code, b.code), (a.acted, b.acted), (a.fresh, b.fresh)):
            assert x.tobytes() == y.tobytes()
        assert a.obs["obs"].tobytes() == b.obs["obs"].tobytes()
        assert {n: s.tolist() for n, s in a.state.items()} == {
            n: s.tolist() for n, s in b.state.items()
        }
    assert (one.num_batches, one.num_epochs) == (other.num_batches, other.num_epochs)


def test_a_saved_state_does_not_change_when_the_source_goes_on():
    source = offline(numbered(20), remembering(), length=4)
    source.draw()
    state = source.state_dict()
    before = (state["order"].tolist(), state["cursor"], str(state["rng"]), state["state"]["last"])
    before = (*before[:3], before[3].tolist())
    epoch(source)
    epoch(source)
    after = (state["order"].tolist(), state["cursor"], str(state["rng"]))
    assert (*after, state["state"]["last"].tolist()) == before
