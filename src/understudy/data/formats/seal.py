"""Digests that hold a demonstration file together.

    chunk   = SHA-256(name | number, rows | data)
    tail    = SHA-256 chained over the units that no chunk holds yet
    episode = SHA-256(name | spec | every column of its row | chunks | tail)
    file    = SHA-256(name | version, spec, sessions, closed | every episode in order)

So nothing that is read can be altered, moved, swapped, doubled or dropped without notice. The
digests have no key: whoever writes the file anew with all of them right has made another file.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from hashlib import sha256
from operator import attrgetter
from typing import Any

SIZE = 32
NO_TAIL = bytes(SIZE)
RECORDING = "recording"


@dataclass(slots=True)
class Row:
    """An episode's row, as it stands in the file.

    Attributes:
        id: Unique and growing; the order of the episodes.
        session: Which of the file's sessions recorded it.
        seed: The reset's seed in digits, where known.
        agent: Which agent.
        group: The group it shares rewards with.
        team: Its side.
        label: A name for people.
        info: JSON object.
        tags: JSON list of texts.
        deleted: 1 if it is only kept to be restored.
        end: How it ended; `recording` as long as nobody has said.
        final_obs_known: 0 if its last observation repeats the one before.
        length: Steps.
        return_: Sum of rewards; None if there are none, or while recording.
        reward: Dtype of the rewards; None if there are none.
        proposed: 1 if what was proposed is stored beside what was executed.
        chunks: Digests of its chunks, one after the other.
        digest: Of this row, its chunks and its tail.
    """

    id: int
    session: int
    seed: str | None
    agent: int
    group: int
    team: int
    label: str
    info: str
    tags: str = "[]"
    deleted: int = 0
    end: str = RECORDING
    final_obs_known: int = 1
    length: int = 0
    return_: float | None = None
    reward: str | None = None
    proposed: int = 0
    chunks: bytes = field(default=b"", repr=False)
    digest: bytes = field(default=NO_TAIL, repr=False)

    @property
    def num_chunks(self) -> int:
        """How many chunks it has."""
        return len(self.chunks) // SIZE

    def chunk(self, number: int) -> bytes:
        """The digest of a chunk."""
        return self.chunks[number * SIZE : (number + 1) * SIZE]

    def values(self) -> list[Any]:
        """The columns in order."""
        return list(_ALL(self))


NAMES = tuple(f.name for f in fields(Row))
_ALL = attrgetter(*NAMES)
_WHO = attrgetter(*NAMES[: NAMES.index("tags")])
_SAID = attrgetter(*NAMES[: NAMES.index("chunks")])


def of_spec(spec: str) -> bytes:
    """The digest of a spec's JSON text."""
    return sha256(b"understudy spec 1\0" + spec.encode()).digest()


def of_chunk(number: int, rows: int, data: bytes) -> bytes:
    """The digest of an episode's chunk."""
    total = sha256(b"understudy chunk 1\0" + struct.pack("<QQ", number, rows))
    total.update(data)
    return total.digest()


def of_tail(tail: bytes, unit: bytes) -> bytes:
    """The digest of the units after the last chunk, one more than in `tail`."""
    return sha256(tail + unit).digest()


def of_episode(row: Row, spec: bytes, tail: bytes) -> bytes:
    """The digest of an episode.

    Args:
        row: Its row; its own digest is left out.
        spec: The digest of the spec.
        tail: Of the units that no chunk holds, all zero if there are none.
    """
    said = json.dumps(_SAID(row)).encode()
    return sha256(b"understudy episode 1\0" + spec + said + b"\0" + row.chunks + tail).digest()


def of_place(row: Row) -> bytes:
    """What the file's digest says of an episode: while recording, only who and where it is."""
    if row.end != RECORDING:
        return row.digest
    return sha256(json.dumps(_WHO(row)).encode()).digest()


def of_file(version: int, spec: str, sessions: str, closed: int, places: Iterable[bytes]) -> bytes:
    """The digest of the whole file.

    Args:
        version: Of the format.
        spec: Its JSON text.
        sessions: Its JSON text.
        closed: 1 if the recorder closed the file.
        places: `of_place` of every episode in order.
    """
    total = sha256(json.dumps(["understudy file 1", version, spec, sessions, closed]).encode())
    for place in places:
        total.update(place)
    return total.digest()
