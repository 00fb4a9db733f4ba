from __future__ import annotations

import os
import random
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from failing_disk import FAULTS, each_call_failing
from understudy.errors import CheckpointError
from understudy.run import checkpoint, files, state


def same(a: Any, b: Any) -> bool:
    """Whether two states are the same to the last bit, in type, order of keys and shape."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (np.ndarray, np.generic)):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    return a == b


def example(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "policy": {"weight": rng.normal(size=(8, 16)).astype("f4"), "bias": np.zeros(16, "f4")},
        "optimizer": {"moments": [rng.normal(size=40), rng.random(40)], "count": np.int64(seed)},
        "rng": checkpoint.rng_state(rng),
        "order": rng.permutation(50),
        "best": -float("inf"),
        "name": "ré\u2028sumé",
        "done": (True, None, 3),
        "empty": {},
    }


TYPES = ["?", "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8", ">f4",
         ">i8", "<c8", "<c16", "<f16", "<U3", "S2", "<M8[ns]", "<m8[s]"]  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (0, 4), (2, 3, 1)])
def test_arrays_of_every_type_and_shape_come_back_the_same(
    dtype: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    size = int(np.prod(shape))
    array = np.arange(size).reshape(shape).astype(dtype)
    checkpoint.save(tmp_path, 1, {"a": array})
    got = checkpoint.load(tmp_path).state["a"]
    assert same(array, got)
    assert got.flags.writeable
    assert got.flags.aligned
    assert got.flags.owndata


def test_arrays_whose_dotted_names_are_the_same_stay_apart(tmp_path: Path) -> None:
    held = {"a": {"b": np.array(1)}, "a.b": np.array(2), "": {"a.b": np.array(3)}}
    checkpoint.save(tmp_path, 1, held)
    assert same(checkpoint.load(tmp_path).state, held)


def test_other_programs_find_arrays_by_name_in_their_shape(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    path = checkpoint.save(tmp_path, 1, {"net": {"w": np.zeros((2, 3), "f4")}, "n": np.array(7)})
    found = load_file(path / "state.safetensors")
    assert {name: array.shape for name, array in found.items()} == {"/net.w": (2, 3), "/n": ()}


def test_arrays_that_are_not_contiguous_come_back_the_same(tmp_path: Path) -> None:
    base = np.arange(60, dtype="f4").reshape(3, 4, 5)
    views = {
        "transposed": base.T,
        "strided": base[::2, 1::2],
        "reversed": base[::-1],
        "broadcast": np.broadcast_to(base[0], (2, 4, 5)),
        "fortran": np.asfortranarray(base),
    }
    checkpoint.save(tmp_path, 1, views)
    assert same(checkpoint.load(tmp_path).state, views)


def test_every_bit_of_a_number_survives(tmp_path: Path) -> None:
    bits = [0x7FF8000000000123, 0xFFF8000000000001, 0x7FF0000000000001, 0x8000000000000000, 1]
    doubles = np.array(bits, "u8").view("f8")
    small = np.array([0x7FC00123, 0xFFC00001, 0x80000000, 1], "u4").view("f4")
    held = {
        "doubles": doubles,
        "small": small,
        "nan": struct.unpack("<d", struct.pack("<Q", bits[1]))[0],
        "zero": -0.0,
        "tiny": 5e-324,
        "third": 1 / 3,
        "infinity": float("-inf"),
        "large": 2**128 + 1,
        "scalar": np.float32(-0.0),
    }
    checkpoint.save(tmp_path, 1, held, allow_nan={"doubles", "small"})
    assert same(checkpoint.load(tmp_path).state, held)


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_generator_goes_on_where_the_saved_one_stood(kind: str, tmp_path: Path) -> None:
    rng = np.random.Generator(getattr(np.random, kind)(7))
    rng.integers(5, size=3, dtype=np.int32)  # Leaves half a word in the generator's pocket.
    checkpoint.save(tmp_path, 1, {"rng": checkpoint.rng_state(rng)})
    other = np.random.Generator(getattr(np.random, kind)(8))
    checkpoint.set_rng_state(other, checkpoint.load(tmp_path).state["rng"])
    assert same(rng.random(10), other.random(10))
    assert same(rng.integers(9, size=5, dtype=np.int32), other.integers(9, size=5, dtype=np.int32))


def test_generator_refuses_the_state_of_another_kind() -> None:
    rng = np.random.default_rng(1)
    alien = checkpoint.rng_state(np.random.Generator(np.random.Philox(1)))
    for bad in (alien, {}, {"bit_generator": "PCG64"}):
        with pytest.raises(CheckpointError, match="not the state of a PCG64 generator"):
            checkpoint.set_rng_state(rng, bad)


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
    | st.sampled_from(["$", "$array", "$$array", "__metadata__", "a.b"])
    | arrays.arrays(
        arrays.integer_dtypes(endianness="?") | arrays.boolean_dtypes()
        | arrays.floating_dtypes(endianness="?") | arrays.complex_number_dtypes(endianness="?"),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    )
)  # fmt: skip
keys = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(
    ["$", "$array", "$tuple", "$$x", "__metadata__", "a", "a.b", "b", "/"]
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.dictionaries(keys, inner, max_size=4)
        | st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=10,
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.dictionaries(keys, trees, max_size=4), st.integers(0, 10**12 - 1))
def test_any_state_comes_back_the_same(tree: dict[str, Any], step: int) -> None:
    class Lenient(state._Packer):
        def may_be_nan(self, path: str) -> bool:
            return True

    original, state._Packer = state._Packer, Lenient
    try:
        contents = state.pack(tree, step, ())
    finally:
        state._Packer = original
    got_step, got = state.unpack(contents, Path("x"))
    assert got_step == step
    assert same(got, tree)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"a": {"b": object()}}, "state 'a.b': a builtins.object cannot be saved"),
        ({"a": [np.array([object()])]}, "state 'a.0': arrays of type object cannot be saved"),
        ({"a": {1: 2}}, "state 'a': the key 1 is not text"),
        ({"a": b"x"}, "state 'a': a builtins.bytes cannot be saved"),
        ({"a": "\ud800"}, "not valid text"),
        ({"a": np.zeros(2, "i4,f4")}, "cannot be saved"),
        ({"w": np.array([1.0, np.nan, np.inf])}, "state 'w': 2 of 3 numbers are not finite"),
        ({"g": {"w": np.array(np.inf, "f2")}}, "state 'g.w': 1 of 1 numbers are not finite"),
        ({"s": np.float64("nan")}, "state 's': 1 of 1 numbers are not finite"),
    ],
)
def test_what_cannot_be_saved_is_named_and_nothing_is_written(
    bad: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError) as caught:
        checkpoint.save(tmp_path / "checkpoints", 1, bad)
    assert said in str(caught.value)
    assert not (tmp_path / "checkpoints").exists()


def test_numbers_that_may_be_nan_are_named(tmp_path: Path) -> None:
    held = {"log": {"a": np.array([np.nan]), "b": [np.array(np.inf)]}, "logs": np.array([np.nan])}
    checkpoint.save(tmp_path, 1, held, allow_nan=["log", "logs"])
    assert same(checkpoint.load(tmp_path).state, held)
    with pytest.raises(CheckpointError, match="'logs'"):
        checkpoint.save(tmp_path, 2, held, allow_nan=["log"])


def test_state_that_contains_itself_is_refused(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    with pytest.raises(CheckpointError, match="nested more than"):
        checkpoint.save(tmp_path, 1, loop)


def test_only_the_newest_are_kept_and_none_of_an_abandoned_future(tmp_path: Path) -> None:
    for step in (1, 5, 10, 20, 30):
        checkpoint.save(tmp_path, step, {"step": step}, keep=3)
    assert checkpoint.steps(tmp_path) == [10, 20, 30]
    checkpoint.save(tmp_path, 15, {"step": 15}, keep=3)
    assert checkpoint.steps(tmp_path) == [10, 15]
    checkpoint.save(tmp_path, 15, {"step": "again"}, keep=1)
    assert checkpoint.steps(tmp_path) == [15]
    assert checkpoint.load(tmp_path) == (15, {"step": "again"}, ())
    assert checkpoint.load_step(tmp_path, 15).state == {"step": "again"}
    assert os.listdir(tmp_path) == ["step-000000000015"]


def test_each_of_200_changed_bits_is_noted_and_the_checkpoint_before_is_used(
    tmp_path: Path,
) -> None:
    checkpoint.save(tmp_path, 1, example(1))
    path = checkpoint.save(tmp_path, 2, example(2))
    rng = random.Random(0)
    weights = [os.path.getsize(path / name) for name in sorted(os.listdir(path))]
    for _ in range(200):
        name = rng.choices(sorted(os.listdir(path)), weights)[0]
        held = (path / name).read_bytes()
        changed = bytearray(held)
        changed[rng.randrange(len(held))] ^= 1 << rng.randrange(8)
        (path / name).write_bytes(changed)
        got = checkpoint.load(tmp_path)
        assert got.step == 1
        assert same(got.state, example(1))
        assert len(got.notes) == 1
        assert str(path) in got.notes[0]
        with pytest.raises(CheckpointError, match=r"damaged"):
            checkpoint.load_step(tmp_path, 2)
        (path / name).write_bytes(held)
    assert checkpoint.load(tmp_path).notes == ()


def test_nothing_that_can_be_loaded_is_said_with_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        checkpoint.load(tmp_path / "none")
    with pytest.raises(CheckpointError, match="no checkpoint of step 4; there are: none"):
        checkpoint.load_step(tmp_path, 4)
    path = checkpoint.save(tmp_path, 3, {})
    (path / "state.json").write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(tmp_path)
    assert "no checkpoint can be read" in str(caught.value)
    assert "step-000000000003/state.json: damaged: 0 bytes, expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_renamed_checkpoint_is_refused(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 3, {})
    path.rename(tmp_path / "step-000000000004")
    with pytest.raises(CheckpointError, match="holds step 3"):
        checkpoint.load(tmp_path)


def test_later_state_is_refused_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, 1, {})
    monkeypatch.setattr(state, "FORMAT", 9)
    contents = state.pack({}, 2, ())
    monkeypatch.setattr(state, "FORMAT", 1)
    files.commit_folder(tmp_path / "step-000000000002", contents)
    with pytest.raises(CheckpointError, match="format 9, but this understudy reads format 1"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize(
    "forge",
    [
        lambda rest, arrays: (b"[]", arrays),
        lambda rest, arrays: (b"{}", arrays),
        lambda rest, arrays: (b"[" * 100_000, arrays),
        lambda rest, arrays: (rest.replace(b"<f4", b"|O"), arrays),
        lambda rest, arrays: (rest.replace(b"<f4", b"<f8"), arrays),
        lambda rest, arrays: (rest.replace(b"/a", b"/b"), arrays),
        lambda rest, arrays: (rest.replace(b"[2]", b"[3]"), arrays),
        lambda rest, arrays: (rest.replace(b"$array", b"$pickle"), arrays),
        lambda rest, arrays: (rest, arrays[:-1]),
        lambda rest, arrays: (rest, b"\xff" * 8 + arrays),
        lambda rest, arrays: (rest, b""),
        lambda rest, arrays: (b'{"format":1,"step":1,"state":[]}', arrays),
    ],
)
def test_forged_state_with_a_right_manifest_is_refused_in_one_line(
    forge: Callable[[bytes, bytes], tuple[bytes, bytes]], tmp_path: Path
) -> None:
    contents = state.pack({"a": np.zeros(2, "f4")}, 1, ())
    rest, held = forge(contents["state.json"], contents["state.safetensors"])
    forged = {"state.json": rest, "state.safetensors": held}
    assert forged != contents
    files.commit_folder(tmp_path / "step-000000000001", forged)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(tmp_path)
    assert "step-000000000001" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", [2, 3])
def test_whatever_call_fails_the_last_good_checkpoint_is_loaded(
    fault: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints"

    def begin() -> None:
        for at in (1, 2):
            checkpoint.save(folder, at, {"at": at, "w": np.full(100, at)}, keep=2)

    begin()
    seen = 0
    new = {"at": "new", "w": np.full(100, 7)}
    for done in each_call_failing(
        monkeypatch, FAULTS[fault], lambda: checkpoint.save(folder, step, new, keep=2)
    ):
        for _ in range(2):  # As it was left, and after the next save has tidied up.
            got = checkpoint.load(folder)
            assert got.notes == ()
            assert got.state["at"] in ("new",) if done else (2, "new")
            assert set(got.state["w"]) == {7 if got.state["at"] == "new" else 2}
            files.sweep(folder)
        assert not [name for name in os.listdir(folder) if not name.startswith("step-")]
        for at in checkpoint.steps(folder):
            files.discard_folder(folder / f"step-{at:012d}")
        begin()
        seen += 1
    assert seen > 25


VICTIM = """
import sys
from pathlib import Path
import numpy as np
from understudy.run import checkpoint
folder, step = Path(sys.argv[1]), int(sys.argv[2])
checkpoint.save(folder, step, {"w": np.full(50_000, step), "step": step})
while True:
    print(step, flush=True)
    step += 1
    checkpoint.save(folder, step, {"w": np.full(50_000, step), "step": step})
"""


def test_killed_at_any_moment_no_acknowledged_checkpoint_is_lost(tmp_path: Path) -> None:
    rng = random.Random(3)
    last = 0
    for _ in range(10):
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(tmp_path), str(last + 1)], stdout=subprocess.PIPE
        )
        assert victim.stdout is not None
        assert select.select([victim.stdout], [], [], 30)[0]
        time.sleep(rng.uniform(0, 0.05))
        victim.send_signal(signal.SIGKILL)
        acknowledged = int(victim.stdout.read().split()[-1])
        victim.stdout.close()
        victim.wait()
        got = checkpoint.load(tmp_path)
        assert got.notes == ()
        assert got.step in (acknowledged, acknowledged + 1)
        assert got.state["step"] == got.step
        assert set(got.state["w"]) == {got.step}
        last = got.step
    assert last >= 10


def test_whatever_has_the_two_methods_is_a_state_dict() -> None:
    class Counter:
        def state_dict(self) -> dict[str, Any]:
            return {"count": 1}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.count = state["count"]

    assert isinstance(Counter(), checkpoint.StateDict)
    assert not isinstance(object(), checkpoint.StateDict)
