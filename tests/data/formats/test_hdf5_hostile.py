"""Damaged and hostile HDF5 files, in a child process with limits."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hdf5_files as h
import mutants as m
from understudy.data.episode import check_episode
from understudy.data.formats.door import load_demos
from understudy.data.formats.heap import MAGIC as HEAP
from understudy.errors import DemoError

PEERS = Path(__file__).parent / "peers"
LAYOUTS = ("minari", "robomimic", "d4rl", "di-engine", "tianshou", "d3rlpy")


def read(path: Path) -> str:
    """A digest of what the door lets in, every episode checked once more."""
    demos = load_demos(path)
    for episode in demos:
        check_episode(episode, demos.spec)
    return m.content(demos)


def read_metadata(path: Path) -> str:
    """The same for a data set of Minari whose metadata is the file."""
    main = path.with_name("main_data.hdf5")
    if not main.exists():
        main.write_bytes((PEERS / "nested-v0" / "data" / "main_data.hdf5").read_bytes())
    path.rename(path.with_name("metadata.json"))
    return read(main)


def _bytes(layout: str, folder: Path) -> bytes:
    place = h.written(folder, h.demos_of("image" if layout == "robomimic" else "vector"), layout)
    return next((f for f in place.rglob("*.hdf5")), place).read_bytes()


def _survive(data: bytes, count: int, seed: int) -> Counter[str]:
    tally: Counter[str] = Counter()
    (whole,) = m.survive(read, [data])
    assert whole.kind == "read", whole
    for outcome in m.survive(read, m.mutants(data, count, random.Random(seed))):
        assert outcome.kind in ("read", "refused"), outcome
        assert outcome.peak < m.GIB // 4, outcome
        assert outcome.seconds < 1, outcome
        if outcome.kind == "refused":
            assert "\n" not in outcome.text, outcome
            assert re.search(r"mutant(: byte \d+: |: |#\d+: )", outcome.text), outcome
        tally[outcome.kind] += 1
    return tally


@pytest.mark.timeout(600)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_damaged_files_are_read_or_refused_in_one_line(layout: str, tmp_path: Path) -> None:
    assert _survive(_bytes(layout, tmp_path), 1000, 0)["refused"] > 200


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_ten_thousand_damaged_files_are_read_or_refused(layout: str, tmp_path: Path) -> None:
    assert _survive(_bytes(layout, tmp_path), 10_000, 1)["refused"] > 2000


FOREIGN = ("tianshou_full.hdf5", "d3rlpy.h5", "di_engine_demos.hdf5", "jpeg-v0/data/main_data.hdf5")


@pytest.mark.parametrize("name", FOREIGN)
def test_damaged_files_of_other_libraries_are_read_or_refused(name: str) -> None:
    assert _survive((PEERS / name).read_bytes(), 50, 2)["refused"] > 4


@pytest.mark.slow
@pytest.mark.parametrize("name", FOREIGN)
def test_a_thousand_damaged_files_of_other_libraries_are_read_or_refused(name: str) -> None:
    assert _survive((PEERS / name).read_bytes(), 1000, 3)["refused"] > 80


def test_damaged_metadata_is_read_or_refused() -> None:
    data = (PEERS / "nested-v0" / "data" / "metadata.json").read_bytes()
    for outcome in m.survive(read_metadata, m.mutants(data, 100, random.Random(0))):
        assert outcome.kind in ("read", "refused"), outcome
        assert outcome.seconds < 1, outcome


def _file(fill: Callable[[Any], None], *, libver: Any = None) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w", libver=libver) as file:
        fill(file)
    return out.getvalue()


def _d4rl(change: Callable[[Any], None], *names: str, steps: int = 4) -> bytes:
    """A good file but for what `change` puts in the place of the arrays `names`."""

    def fill(file: Any) -> None:
        good = {
            "observations": np.ones((steps, 2), np.float32),
            "actions": np.ones((steps, 1), np.float32),
            "rewards": np.ones(steps),
            "terminals": np.zeros(steps, bool),
            "timeouts": np.zeros(steps, bool),
        }
        for name in good.keys() - set(names):
            file[name] = good[name]
        change(file)

    return _file(fill)


def _bomb(file: Any, *, twice: bool = False) -> None:
    """A chunk of 4096 bytes that inflates to half a gigabyte."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((64, 16))
    for _ in range(1 + twice):
        plist.set_deflate(9)
    space = h5py.h5s.create_simple((64, 16))
    data = h5py.h5d.create(file.id, b"observations", h5py.h5t.IEEE_F32LE, space, plist)
    pack = zlib.compressobj(9)
    packed = b"".join(pack.compress(bytes(1 << 20)) for _ in range(512)) + pack.flush()
    if twice:
        packed = zlib.compress(packed, 9)
    data.write_direct_chunk((0, 0), packed)


def _hostile(folder: Path) -> dict[tuple[str, str], bytes]:
    """Files by what they are, and by what is said of them."""
    secret = folder / "secret.hdf5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones((4, 2), np.float32)
    layout = h5py.VirtualLayout((4, 2), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "x", (4, 2))
    (folder / "raw").write_bytes(bytes(100))
    outside = [(str(folder / "raw"), 0, 32)]
    compound = np.zeros((4, 2), [("a", "f4"), ("b", "f4")])

    def put(name: str, value: Any) -> Callable[[Any], None]:
        return lambda file: file.__setitem__(name, value)

    def deep(file: Any) -> None:
        group = file.create_group("observations")
        for _ in range(300):
            group = group.create_group("a")
        group["x"] = 1.0

    def wide(file: Any) -> None:
        group = file.create_group("observations")
        for index in range(3000):
            group[str(index)] = np.ones(4)

    def circle(file: Any) -> None:
        group = file.create_group("observations")
        group["a"] = group

    def declared(shape: tuple[int, ...], **how: Any) -> Callable[[Any], None]:
        return lambda file: file.create_dataset("observations", shape, np.float32, **how)

    obs = "observations"
    return {
        ("external link", "is a link"): _d4rl(put(obs, h5py.ExternalLink(str(secret), "x")), obs),
        ("soft link", "is a link"): _d4rl(put(obs, h5py.SoftLink("/actions")), obs),
        ("soft link to itself", "is a link"): _d4rl(put(obs, h5py.SoftLink("/observations")), obs),
        ("virtual", "stored in other files"): _d4rl(
            lambda file: file.create_virtual_dataset(obs, layout), obs
        ),
        ("external storage", "stored in other files"): _d4rl(
            declared((4, 2), external=outside), obs
        ),
        ("shape of 2^45", "declares 2814"): _d4rl(declared((2**45, 2), chunks=(1024, 2)), obs),
        ("shape of 2^62", "declares 1844"): _d4rl(declared((2**31, 2**31), chunks=(1, 1024)), obs),
        ("never stored", "stores hardly any"): _d4rl(declared((4, 2**24)), obs),
        ("huge chunk", "chunks of at most"): _d4rl(
            declared((4, 2), chunks=(2**13, 2**14), maxshape=(None, None)), obs
        ),
        ("tiny chunks", "larger chunks"): _d4rl(declared((4, 2**15), chunks=(1, 1)), obs),
        ("many axes", "at most 8 axes"): _d4rl(declared((4, *[1] * 20)), obs),
        ("bomb", "or a bomb"): _d4rl(_bomb, obs, steps=64),
        ("bomb in a bomb", "by filters [1, 1]"): _d4rl(
            lambda file: _bomb(file, twice=True), obs, steps=64
        ),
        ("other filter", "by filters [6]"): _d4rl(
            declared((4, 2), chunks=(4, 2), scaleoffset=2), obs
        ),
        ("compound", "numbers or flags"): _d4rl(put(obs, compound), obs),
        ("references", "numbers or flags"): _d4rl(
            lambda file: file.create_dataset(obs, data=[file.ref] * 4, dtype=h5py.ref_dtype), obs
        ),
        ("text", "numbers or flags"): _d4rl(put(obs, ["a", "b", "c", "d"]), obs),
        ("deep", "more than 16 deep"): _d4rl(deep, obs),
        ("wide", "more than 1024 arrays"): _d4rl(wide, obs),
        ("circle", "more than 16 deep"): _d4rl(circle, obs),
        ("empty", "has the shape None"): _d4rl(put(obs, h5py.Empty("f4")), obs),
        ("no rows", "no episode"): _d4rl(lambda file: None, steps=0),
        ("nan", "is nan at step 0"): _d4rl(put(obs, np.full((4, 2), np.nan)), obs),
        ("too long", "has 4 rows"): _d4rl(put(obs, np.ones((5, 2))), obs),
        ("no group", "is an array"): _file(lambda file: file.update({"data": np.ones(3)})),
        ("ring out of bounds", "a ring in them"): _file(_bad_ring),
        ("a million episodes", "is 1000000"): _file(_many, libver="latest"),
        ("heap without end", "its heap has an object of 0 bytes"): _endless(folder),
        ("row of a gigabyte", "longer than the file"): _long(folder),
        ("one episode a thousand times", "bytes of demonstrations"): _file(_again),
    }


def _endless(folder: Path) -> bytes:
    """A heap of texts whose first object takes no room, which the library follows for ever."""
    data = bytearray(_bytes("d3rlpy", folder))
    first = data.index(HEAP) + 16
    data[first : first + 16] = bytes(16)
    return bytes(data)


def _long(folder: Path) -> bytes:
    """A text that says it has a gigabyte, which the library reserves before it looks."""
    data = _bytes("d3rlpy", folder)
    # Where the name of the first column is said to lie: its length, the heap, the object.
    reference = struct.pack("<IQ", len("observations"), data.index(HEAP))
    assert data.count(reference) == 1
    return data.replace(reference, struct.pack("<I", 1 << 30) + reference[4:])


def _bad_ring(file: Any) -> None:
    for name in ("obs", "act", "rew", "done"):
        file[f"_meta/{name}"] = np.ones(4)
    file.attrs["_size"], file.attrs["_insertion_idx"] = 4, 2**40


def _many(file: Any) -> None:
    file["columns"] = ["observations", "actions", "rewards", "terminated"]
    file["num_episodes"], file["version"] = 10**6, "2.1"
    file["actions_0"] = np.ones(1)


def _again(file: Any) -> None:
    group = file.create_group("data/demo_0")
    group.create_dataset("obs/a", data=np.zeros((2**14, 64)), compression="gzip")
    group.create_dataset("actions", data=np.zeros((2**14, 1)), compression="gzip")
    for index in range(1, 1000):
        file[f"data/demo_{index}"] = group


def test_hostile_files_are_refused_within_a_second_and_little_memory(tmp_path: Path) -> None:
    files = _hostile(tmp_path)
    outcomes = m.survive(read, files.values(), memory=800 << 20)
    for (name, said), outcome in zip(files, outcomes, strict=True):
        print(f"{name}: {outcome.seconds:.3f} s, {outcome.peak >> 20} MiB, {outcome.text}")
        assert outcome.kind == "refused", (name, outcome)
        assert outcome.seconds < 1, (name, outcome)
        assert outcome.peak < 300 << 20, (name, outcome)
        assert "\n" not in outcome.text
        assert "mutant" in outcome.text
        assert said in outcome.text, (name, outcome)


@pytest.mark.parametrize(
    "space",
    [
        '{"type": "Text", "max_length": 3}',
        '{"type": "Box", "dtype": "O", "shape": [2], "low": [0, 0], "high": [1, 1]}',
        json.dumps({"type": "Box", "dtype": "float32", "shape": [2**40], "low": 0, "high": 1}),
        json.dumps({"type": "Discrete", "n": 2**70}),
        '{"type": "Tuple", "subspaces": [' * 2000 + "]}" * 2000,
        "[" * 200_000,
        "[]",
        "3",
        "",
    ],
)
def test_spaces_that_are_none_are_refused(space: str, tmp_path: Path) -> None:
    place = h.written(tmp_path, h.demos_of("vector"), "minari")
    about = json.loads((place / "data" / "metadata.json").read_text())
    about["observation_space"] = space
    (place / "data" / "metadata.json").write_text(json.dumps(about))
    with pytest.raises(DemoError, match="its spaces") as caught:
        load_demos(place)
    assert "\n" not in str(caught.value)
