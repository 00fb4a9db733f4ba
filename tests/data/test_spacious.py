"""Demonstrations that are larger than what is kept in memory."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.data import spacious
from understudy.data.demos import Demos
from understudy.data.formats.native import read_demos, write_demos
from understudy.data.spacious import room
from understudy.errors import DemoError
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.run.source import Offline, OfflineConfig
from worlds import toy_demos


def test_little_lies_in_memory_and_much_in_files(monkeypatch):
    small = room([((3, 2), np.float32)])
    monkeypatch.setattr(spacious, "MEMORY_BYTES", 100)
    large = room([((30, 2), np.float64), ((30, 0), np.uint8)])
    assert not isinstance(small[0].base, np.memmap)
    assert isinstance(large[0].base, np.memmap)
    assert [x.shape for x in large] == [(30, 2), (30, 0)]
    large[0][:] = 7
    assert (large[0] == 7).all()


def test_where_the_disk_is_full_too_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setattr(spacious, "MEMORY_BYTES", 100)

    def full(**words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spacious.tempfile, "TemporaryFile", full)
    with pytest.raises(DemoError, match="No space left on device; set TMPDIR"):
        room([((1000,), np.float64)])


@pytest.mark.parametrize("memory", [0, 4])
@pytest.mark.parametrize("kind", ["vector", "image", "entities"])
def test_the_same_is_learned_from_a_disk(monkeypatch, kind, memory):
    demos = toy_demos(kind, "hybrid", 6, 9, np.random.default_rng(0))
    net = NetConfig(hidden=(8,), entity_width=8, memory=memory)

    def batches():
        model = make_model(demos.spec, Product(demos.spec.action), net, np.random.default_rng(1))
        rows = demos.rows()
        for seen in rows.seen(4):
            model.observe(seen)
        source = Offline(rows, model, OfflineConfig(batch_size=16), np.random.default_rng(2))
        return rows, [source.draw() for _ in range(5)]

    _, ours = batches()
    monkeypatch.setattr(spacious, "MEMORY_BYTES", 10)
    monkeypatch.setattr("understudy.run.source.MEMORY_BYTES", 10)
    rows, theirs = batches()
    assert any(isinstance(x.base, np.memmap) for x in rows.obs.values())
    for one, other in zip(ours, theirs, strict=True):
        assert (one.code == other.code).all()
        assert all((np.asarray(one.obs[n]) == np.asarray(other.obs[n])).all() for n in one.obs)


def test_what_was_picked_is_read_when_it_is_asked_for(tmp_path):
    write_demos(tmp_path / "toy", toy_demos("vector", "discrete", 5, 6, np.random.default_rng(0)))
    demos = read_demos(tmp_path / "toy")
    read = []

    class Watched:
        lengths, returns = demos.lengths, demos.returns

        def __len__(self):
            return len(demos)

        def __getitem__(self, index):
            read.append(index)
            return demos.episodes[index]

    picked = Demos(demos.spec, Watched()).pick([3, 1])  # type: ignore[arg-type]
    assert picked.lengths.tolist() == demos.lengths[[3, 1]].tolist()
    assert picked.returns.tolist() == demos.returns[[3, 1]].tolist()
    assert not read
    assert (picked.episodes[0].obs["vector"] == demos.episodes[3].obs["vector"]).all()
    assert read == [3]
    assert [len(e) for e in picked] == picked.lengths.tolist()
    assert len(picked.pick([1]).episodes[0]) == demos.lengths[1]
