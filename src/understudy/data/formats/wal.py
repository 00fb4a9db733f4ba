"""Whether the log that a killed recorder left beside its file is whole.

SQLite replays the frames of a log up to the first one that is wrong and says nothing of the rest.
After a kill only the very last frames can be wrong; if later ones are right, the log was damaged,
and what it held must not vanish in silence.
See https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.errors import DemoError

HEADER, FRAME = 32, 24
MAGIC = 0x377F0682
NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")


def refuse_foreign(journal: Path) -> None:
    """Raises DemoError if a rollback journal names another file, which SQLite might then remove."""
    if journal.exists() and journal.read_bytes()[-8:] == NAMES_ANOTHER:
        raise DemoError(f"{journal.name} speaks of another file")


def refuse_damage(log: Path) -> None:
    """Raises DemoError if the log is damaged before its end.

    Memory is about four times the log, which a recorder keeps to some megabytes.
    """
    data = log.read_bytes() if log.exists() else b""
    if len(data) <= HEADER:
        return
    magic, _, page = np.frombuffer(data, ">u4", 3).tolist()
    if magic & ~1 != MAGIC or page not in {1 << n for n in range(9, 17)}:
        raise DemoError(f"{log.name}: byte 0: its header is damaged")
    word = ">u4" if magic & 1 else "<u4"
    size = FRAME + page
    count = (len(data) - HEADER) // size
    frames = np.frombuffer(data, np.uint8, count * size, HEADER).reshape(count, size)
    ours = (frames[:, 8:16] == np.frombuffer(data, np.uint8, 8, 16)).all(1)
    right = _right(frames, data, word)
    later = np.flatnonzero(ours[right + 1 :])
    if right < count and len(later):
        raise DemoError(
            f"{log.name}: byte {HEADER + right * size}: damaged, and {len(later)} later records "
            f"hang on it (cut the log there to keep what was before)"
        )


def _right(frames: NDArray[np.uint8], data: bytes, word: str) -> int:
    """How many frames are as they were written, from the first on.

    The checksum runs over pairs of words, `s0 += x0 + s1; s1 += x1 + s0`: a linear recurrence, so
    each frame's share is a dot product and only the sums are carried from frame to frame.
    """
    head = np.frombuffer(data, word, 6).astype(np.uint32)
    sums = _step(_weights(3), np.zeros(2, np.uint32), head)
    if sums.tolist() != np.frombuffer(data, ">u4", 2, 24).tolist():
        return 0
    weights = _weights((frames.shape[1] - FRAME + 8) // 8)
    salts = data[16:24]
    for index, frame in enumerate(frames):
        covered = np.concatenate([frame[:8], frame[FRAME:]]).view(word).astype(np.uint32)
        sums = _step(weights, sums, covered)
        said = frame[16:24].view(">u4")
        if frame[8:16].tobytes() != salts or sums.tolist() != said.tolist():
            return index
    return len(frames)


def _weights(pairs: int) -> NDArray[np.uint32]:
    """`[2, 2 * pairs + 2]`: what each word, and then each of the old sums, adds to the new sums.

    One pair takes `(s0, s1)` to `(s0 + s1 + x0, s0 + 2 s1 + x0 + x1)`; all is modulo 2**32.
    """
    out = np.zeros((2, 2 * pairs + 2), np.uint32)
    power = [[1, 0], [0, 1]]
    for pair in reversed(range(pairs)):
        (a, b), (c, d) = power
        out[:, 2 * pair] = (a + b) % 2**32, (c + d) % 2**32
        out[:, 2 * pair + 1] = b, d
        power = [[(a + b) % 2**32, (a + 2 * b) % 2**32], [(c + d) % 2**32, (c + 2 * d) % 2**32]]
    out[:, 2 * pairs :] = power
    return out


def _step(
    weights: NDArray[np.uint32], sums: NDArray[np.uint32], words: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    return (weights * np.concatenate([words, sums])).sum(1, dtype=np.uint32)
