"""Damaged and hostile files of other people's formats, in a child process with limits."""

from __future__ import annotations

import io
import random
import re
import struct
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

import demo_files as w
import mutants as m
from understudy.data.episode import check_episode
from understudy.data.formats import expert_npz, imitation_npz, mlagents
from understudy.data.formats.door import load_demos

COUNT = 10_000
# A warning would be a line more than the one that is promised.
warnings.simplefilter("error")


def read_door(path: Path) -> str:
    """A digest of what the door lets in, every episode checked once more."""
    demos = load_demos(path)
    for episode in demos:
        check_episode(episode, demos.spec)
    return m.content(demos)


def read_mlagents(path: Path) -> str:
    return m.content(mlagents.read(path))


def read_expert(path: Path) -> str:
    return m.content(expert_npz.read(path))


def read_imitation(path: Path) -> str:
    return m.content(imitation_npz.read(path))


def _vectors() -> bytes:
    """Hybrid actions, masks, goals, entities and an ended, a stopped and an open episode."""
    records = [
        w.record(
            [
                w.observation([k, -k, 0.5], name="place"),
                w.observation([[k, 1], [0, 0]], properties=[4, 1], name="balls"),
                w.observation([1, 0], goal=True, name="goal"),
            ],
            reward=k / 10, done=k % 5 == 4, interrupted=k == 9, id=k // 5 + 1, group=3,
            group_reward=0.5, mask=[0, k % 2, 0], continuous=[k / 7, 1], discrete=[2],
        )
        for k in range(13)
    ]  # fmt: skip
    return w.demo_file(w.brain(2, [3]), records, num_episodes=3)


def _pictures() -> bytes:
    rng = np.random.default_rng(0)
    records = []
    for k in range(6):
        one, two = rng.integers(0, 256, (2, 8, 9, 3), np.uint8)
        seen = w.observation(
            [], [4, 8, 9], pngs=w.png(one) + w.png(two), mapping=[0, 1, 2, 3, 3, -1],
            properties=[1, 2, 2],
        )  # fmt: skip
        records.append(w.record([seen, w.observation([k])], vector=[k % 3, 1], done=k == 3))
    return w.demo_file(w.old_brain([3, 2]), records, num_episodes=2)


def _killed() -> bytes:
    return w.demo_file(
        w.old_brain([1], continuous=True), w.walk(12), meta=w.metadata(0), trailing=False
    )


def _expert(save: Callable[..., None] = np.savez) -> bytes:
    out, rng = io.BytesIO(), np.random.default_rng(0)
    starts = np.zeros(40, bool)
    starts[[0, 13, 30]] = True
    save(
        out, actions=rng.integers(0, 3, (40, 1)), obs=rng.normal(size=(40, 4)).astype(np.float32),
        rewards=rng.normal(size=40), episode_returns=np.ones(3), episode_starts=starts,
    )  # fmt: skip
    return out.getvalue()


def _imitation(save: Callable[..., None] = np.savez) -> bytes:
    out, rng = io.BytesIO(), np.random.default_rng(0)
    save(
        out, obs=rng.normal(size=(43, 4)), acts=rng.normal(size=(40, 2)),
        infos=np.array([{}] * 40, object), terminal=np.array([True, True, False]),
        indices=np.array([13, 30]), rews=rng.normal(size=40),
    )  # fmt: skip
    return out.getvalue()


FORMATS = {
    # name: reader, files, whether the format's checksums see every change of the arrays
    "demo": (read_mlagents, (_vectors, _pictures, _killed), False),
    "expert": (read_expert, (_expert, lambda: _expert(np.savez_compressed)), True),
    "imitation": (read_imitation, (_imitation, lambda: _imitation(np.savez_compressed)), True),
}


def _check(outcomes: Iterable[m.Outcome], suffix: str, *, place: bool) -> None:
    for outcome in outcomes:
        assert outcome.kind in ("read", "refused"), outcome
        assert outcome.peak < m.GIB // 4, outcome
        if outcome.kind == "refused":
            assert "\n" not in outcome.text, outcome
            assert re.search(rf"mutant{re.escape(suffix)}(: byte \d+: |: |#\d+: )", outcome.text), (
                outcome
            )
            if place:
                assert re.search(r": byte \d+: .*; expected ", outcome.text), outcome


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FORMATS)
def test_ten_thousand_damaged_files_are_read_or_refused_in_one_line(name: str) -> None:
    _damage(name, COUNT)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_read_or_refused_in_one_line(name: str) -> None:
    _damage(name, 1000)


def _damage(name: str, count: int) -> None:
    read, files, checksums = FORMATS[name]
    tally: Counter[str] = Counter()
    for index, make in enumerate(files):
        data, rng = make(), random.Random(index)
        (whole,) = m.survive(read, [data])
        assert whole.kind == "read", whole
        outcomes = m.survive(read, m.mutants(data, -(-count // len(files)), rng), seconds=5)
        _check(outcomes, "", place=False)
        for outcome in outcomes:
            same = outcome.kind == "read" and outcome.text == whole.text
            tally["same" if same else outcome.kind] += 1
            tally["placed"] += ": byte " in outcome.text
            assert outcome.seconds < 2, outcome
    print(f"{name}: {dict(tally)}")
    assert tally["refused"] > 0.4 * count
    if checksums:
        assert not tally["read"], "a damaged .npz was read as different data"


@pytest.mark.parametrize("name", ["ExpertBasic.demo", "testdcvis_visual.demo"])
def test_damaged_real_recordings_are_read_or_refused_in_one_line(name: str) -> None:
    data = w.real(name).read_bytes()
    outcomes = m.survive(read_mlagents, m.mutants(data, 100, random.Random(0)))
    _check(outcomes, "", place=False)


def test_any_bytes_are_refused_by_the_door_in_one_line() -> None:
    rng = random.Random(0)
    heads = [b"", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04", b"SQLite format 3\0", b"\x0b\x08\x01"]
    files = [head + rng.randbytes(rng.randrange(300)) for head in heads for _ in range(20)]
    _check(m.survive(read_door, [b"", *files]), "", place=False)


def test_the_door_survives_damage_to_every_format() -> None:
    for name, (_, files, _) in FORMATS.items():
        rng = random.Random(name)
        _check(m.survive(read_door, m.mutants(files[0](), 60, rng)), "", place=False)


def _npy(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({shape}), }}".encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text


def _zipped(**arrays: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, data in arrays.items():
            file.writestr(f"{name}.npy", data)
    return out.getvalue()


def _hostile_npz() -> dict[str, bytes]:
    names = ("actions", "rewards", "episode_starts")
    rest = {name: _npy("1,") + bytes(4) for name in names}
    bomb = _npy("134217728,") + bytes(1 << 29)
    return {
        "zip bomb": _zipped(obs=rest["actions"], **(rest | {"actions": bomb})),
        "shape of 2^45": _zipped(obs=_npy(f"{2**45},"), **rest),
        "shape of 2^400": _zipped(obs=_npy(f"{2**400},"), **rest),
        "many axes": _zipped(obs=_npy("1, " * 4000), **rest),
        "deep header": _zipped(obs=b"\x93NUMPY\x01\0\xff\x2f" + b"(" * 0x2FFF, **rest),
        "endless header": _zipped(obs=b"\x93NUMPY\x02\0\xff\xff\xff\x7f", **rest),
        "object array": _zipped(obs=_npy("1,", "|O") + b"\x80\x04K\x01.", **rest),
        "many members": _zipped(**rest, **{f"a{i}": b"" for i in range(3000)}),
        "traversal": _zipped(obs=_npy("1,", "<U9") + "../../a.b".encode("utf-32-le"), **rest),
    }


def _hostile_demos() -> dict[str, bytes]:
    one = w.old_brain([1], continuous=True)
    head = w.demo_file(one, [], meta=w.metadata(1), trailing=False)
    groups = b"\x0b" * 100_000
    pixels = w.png(np.zeros((4, 4, 3), np.uint8))
    large = w.png(np.zeros((4000, 4000, 3), np.uint8))
    seen = w.observation([], [4000, 4000, 3], pngs=large)
    wide = w.observation([], [2**13, 2**13, 1], pngs=pixels)
    record = w.record([w.observation([1])], vector=[0])
    return {
        "length of 2^31": head + w.varint(2**31) + bytes(50),
        "length of 2^63": head + w.varint(2**63) + bytes(50),
        "number without end": head + b"\xff" * 50,
        "nested groups": head + w.varint(len(groups)) + groups,
        "two billion steps": w.demo_file(one, [record] * 3, meta=w.metadata(2**31 - 1)),
        "a megabyte of zeros": w.demo_file(one, [], meta=w.metadata(0)) + bytes(1 << 20),
        "two billion numbers": w.demo_file(w.old_brain([2**31 - 1], continuous=True), [record]),
        "huge branches": w.demo_file(w.brain(0, [2**16] * 4096), [record]),
        "blank pictures": w.demo_file(one, [w.record([seen], vector=[0])] * 40),
        "wide picture": w.demo_file(one, [w.record([wide], vector=[0])] * 2),
        "picture bomb": w.demo_file(
            one, [w.record([w.observation([], [4, 4, 3], pngs=pixels * 300)], vector=[0])]
        ),
        "large shape": w.demo_file(
            one, [w.record([w.observation([], [2**31 - 1, 2**31 - 1])], vector=[0])]
        ),
        "mapping of a megabyte": w.demo_file(
            one,
            [w.record([w.observation([], [4, 4, 3], pngs=pixels, mapping=[0] * (1 << 20))])],
        ),
    }


@pytest.mark.parametrize("make", [_hostile_npz, _hostile_demos])
def test_hostile_files_are_refused_within_a_second_and_little_memory(make) -> None:
    files = make()
    outcomes = m.survive(read_door, files.values(), memory=600 << 20)
    for name, outcome in zip(files, outcomes, strict=True):
        print(f"{name}: {outcome.seconds:.3f} s, {outcome.peak >> 20} MiB, {outcome.text}")
        assert outcome.kind == "refused", (name, outcome)
        assert outcome.seconds < 1, (name, outcome)
        assert outcome.peak < 300 << 20, (name, outcome)
    _check(outcomes, "", place=True)
