"""The messages of an ML-Agents demonstration file, as their bytes.

The protobuf wire format as `wire` reads it, and the field numbers that `messages` knows. Fields of
value zero are left out, as proto3 does; repeated numbers are packed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.mlagents.messages import Brain, Metadata
from understudy.data.formats.wire import FIXED32, LENGTH, VARINT


def varint(value: int) -> bytes:
    """A number, a negative one as 64 bits of two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(message: bytes) -> bytes:
    """A message behind its length, as it stands in the file."""
    return varint(len(message)) + message


def inside(field: int, data: bytes) -> bytes:
    """A message, a string or bytes as a field."""
    return varint(field << 3 | LENGTH) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    """A field of type int32, bool or enum."""
    return varint(field << 3 | VARINT) + varint(int(value)) if value else b""


def single(field: int, value: float) -> bytes:
    """A field of type float."""
    data = struct.pack("<f", value)
    return varint(field << 3 | FIXED32) + data if any(data) else b""


def numbers(field: int, values: Iterable[int]) -> bytes:
    """A repeated field of type int32, bool or enum."""
    data = b"".join(varint(int(value)) for value in values)
    return inside(field, data) if data else b""


def singles(field: int, values: NDArray[np.float32]) -> bytes:
    """A repeated field of type float."""
    return inside(field, values.astype("<f4", copy=False).tobytes()) if values.size else b""


def metadata(meta: Metadata) -> bytes:
    """`DemonstrationMetaProto`."""
    return (
        number(1, meta.api_version)
        + (inside(2, meta.name.encode()) if meta.name else b"")
        + number(3, meta.num_steps)
        + number(4, meta.num_episodes)
        + single(5, meta.mean_reward)
    )


def brain(said: Brain, *, old: bool) -> bytes:
    """`BrainParametersProto`, with the fields of before 2021 or those since.

    The old fields have no place for continuous numbers and choices together.
    """
    if old:
        sizes = said.branches or (said.continuous,)
        actions = numbers(3, sizes) + number(6, not said.branches)
        return actions + inside(7, said.name.encode())
    spec = number(1, said.continuous) + number(2, len(said.branches)) + numbers(3, said.branches)
    return inside(7, said.name.encode()) + inside(9, spec)


def observation(
    shape: Sequence[int],
    data: NDArray[np.float32] | bytes,
    *,
    mapping: Sequence[int] = (),
    properties: Sequence[int] = (),
    goal: bool = False,
    name: str = "",
) -> bytes:
    """`ObservationProto`: numbers, or PNG files one after the other."""
    if isinstance(data, bytes):
        seen = number(2, 1) + inside(3, data)
    else:
        seen = inside(4, singles(1, data.reshape(-1)))
    # A mapping of channels starts with channel 0, which a packed field spells out.
    return (
        numbers(1, shape)
        + seen
        + numbers(5, mapping)
        + numbers(6, properties)
        + number(7, goal)
        + (inside(8, name.encode()) if name else b"")
    )


def agent_info(
    seen: Iterable[bytes],
    *,
    reward: float,
    done: bool,
    interrupted: bool,
    id: int,
    group: int,
    forbidden: NDArray[np.bool_] | None,
) -> bytes:
    """`AgentInfoProto`: what an agent saw, and what it received on arriving there."""
    return (
        single(7, reward)
        + number(8, done)
        + number(9, interrupted)
        + number(10, id)
        + (b"" if forbidden is None else numbers(11, forbidden))
        + b"".join(inside(13, one) for one in seen)
        + number(14, group)
    )


def action(continuous: NDArray[np.float32], discrete: NDArray[np.int64], *, old: bool) -> bytes:
    """`AgentActionProto`, in the fields of before 2021 or in those since."""
    if old:
        return singles(1, np.concatenate([continuous, discrete.astype(np.float32)]))
    return singles(6, continuous) + numbers(7, discrete)


def record(info: bytes, action: bytes) -> bytes:
    """`AgentInfoActionPairProto`."""
    return inside(1, info) + inside(2, action)
