"""Writes ML-Agents demonstration files, as its recorder does and as it should not.

An encoder of its own, so that the reader is not tested against itself.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

BRAIN_AT = 33
REAL = Path(__file__).parents[2] / "shared" / "data" / "demos"


def real(name: str) -> Path:
    """One of the five recordings that are kept outside of the repository."""
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{name} is not there: it is kept outside of the repository")
    return path


def varint(value: int) -> bytes:
    value %= 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def single(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def inside(field: int, payload: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def numbers(field: int, values: Sequence[int], *, packed: bool = True) -> bytes:
    if not packed:
        return b"".join(number(field, value) for value in values)
    return inside(field, b"".join(map(varint, values))) if len(values) else b""


def singles(field: int, values: Sequence[float], *, packed: bool = True) -> bytes:
    if not packed:
        return b"".join(single(field, value) for value in values)
    return inside(field, struct.pack(f"<{len(values)}f", *values)) if len(values) else b""


def metadata(
    num_steps: int, num_episodes: int = 1, mean: float = 0.0, name: str = "Test", api: int = 1
) -> bytes:
    parts = number(1, api), inside(2, name.encode()), number(3, num_steps), number(4, num_episodes)
    return b"".join(parts) + single(5, mean)


def old_brain(sizes: Sequence[int], *, continuous: bool = False, name: str = "Old") -> bytes:
    return numbers(3, sizes) + number(6, int(continuous)) + inside(7, name.encode())


def brain(continuous: int = 0, branches: Sequence[int] = (), name: str = "New?team=1") -> bytes:
    spec = number(1, continuous) + number(2, len(branches)) + numbers(3, branches)
    return inside(7, name.encode()) + inside(9, spec)


def observation(
    values: Sequence[object] | np.ndarray = (),
    shape: Sequence[int] | None = None,
    *,
    pngs: bytes | None = None,
    mapping: Sequence[int] = (),
    properties: Sequence[int] = (),
    goal: bool = False,
    name: str = "",
    packed: bool = True,
) -> bytes:
    flat = np.asarray(values, np.float32)
    out = numbers(1, flat.shape if shape is None else shape, packed=packed)
    if pngs is None:
        out += inside(4, singles(1, flat.reshape(-1).tolist(), packed=packed))
    else:
        out += number(2, 1) + inside(3, pngs)
    out += numbers(5, mapping) + numbers(6, properties)
    return out + (number(7, 1) if goal else b"") + (inside(8, name.encode()) if name else b"")


def record(
    seen: Sequence[bytes],
    *,
    reward: float = 0.0,
    done: bool = False,
    interrupted: bool = False,
    id: int = 0,
    mask: Sequence[int] = (),
    group: int = 0,
    group_reward: float = 0.0,
    vector: Sequence[float] = (),
    continuous: Sequence[float] = (),
    discrete: Sequence[int] = (),
) -> bytes:
    info = single(7, reward) + number(8, done) + number(9, interrupted) + number(10, id)
    info += numbers(11, mask) + b"".join(inside(13, one) for one in seen)
    info += number(14, group) + single(15, group_reward)
    action = singles(1, vector) + singles(6, continuous) + numbers(7, discrete)
    return inside(1, info) + inside(2, action)


def demo_file(
    brain: bytes,
    records: Sequence[bytes],
    *,
    meta: bytes | None = None,
    trailing: bool = True,
    num_episodes: int = 1,
) -> bytes:
    meta = metadata(len(records), num_episodes) if meta is None else meta
    head = (varint(len(meta)) + meta).ljust(BRAIN_AT, b"\0")
    body = b"".join(varint(len(one)) + one for one in (brain, *records))
    return head + body + (meta if trailing else b"")


def png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    array = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def walk(
    num_records: int, *, done: Sequence[int] = (), interrupted: Sequence[int] = ()
) -> list[bytes]:
    """Records whose observation is `[k, -k]`, reward `k / 10` and action `[k + 1/2]`."""
    return [
        record(
            [observation([k, -k])],
            reward=k / 10,
            done=k in done or k in interrupted,
            interrupted=k in interrupted,
            vector=[k + 0.5],
        )
        for k in range(num_records)
    ]
