"""Pieces that are written once, and are there as long as a checkpoint refers to them."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.errors import CheckpointError
from understudy.run import checkpoint
from understudy.run.blocks import Blocks


def piece(number: float):
    return {
        "numbers": np.full((3, 2), number, np.float32),
        "bytes": np.arange(4, dtype=np.uint8),
        "flags": np.array([True, False]),
        "none": np.zeros((3, 0), np.int64),
    }


@pytest.fixture
def blocks(tmp_path):
    return Blocks(tmp_path / "rows", tmp_path / "checkpoints")


def test_what_comes_back_is_what_was_put(blocks):
    name = blocks.put(piece(1.5))
    for key, x in blocks.get(name).items():
        expected = piece(1.5)[key]
        assert x.dtype == expected.dtype
        np.testing.assert_array_equal(x, expected)


def test_the_same_is_written_once(blocks):
    name = blocks.put(piece(1))
    path = blocks.folder / f"{name}.safetensors"
    before = path.stat().st_mtime_ns, path.stat().st_ino
    assert blocks.put(piece(1)) == name != blocks.put(piece(2))
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


@pytest.mark.parametrize("harm", ["cut", "flipped", "gone"])
def test_damage_is_seen(harm, blocks):
    name = blocks.put(piece(1))
    path = blocks.folder / f"{name}.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-3] if harm == "cut" else data)
    with pytest.raises(CheckpointError, match=r"cannot be read|damaged"):
        blocks.get(name)


def test_what_a_checkpoint_refers_to_stays_and_nothing_else(blocks):
    old, kept, new = (blocks.put(piece(number)) for number in range(3))
    checkpoint.save(blocks.checkpoints, 1, {"rows": [kept]})
    # A process that is killed leaves what it was writing; somebody else's file is not ours.
    (blocks.folder / f".tmp-{new}.safetensors-1-1").write_bytes(b"half")
    (blocks.folder / "notes.txt").write_text("mine")
    blocks.sweep([new])
    there = {path.name for path in blocks.folder.iterdir()}
    assert there == {f"{kept}.safetensors", f"{new}.safetensors", "notes.txt"}
    assert old not in there


def test_nothing_that_is_not_finite_is_kept(blocks):
    with pytest.raises(CheckpointError, match="'numbers' of the replay"):
        blocks.put(piece(np.nan))
    assert not blocks.folder.exists()
