"""Whether the log that a killed recorder left beside its file is whole.

SQLite replays the frames of a log up to the first one that is wrong and says nothing of the rest.
After a kill only the very last frames can be wrong; if later ones are right, the log was damaged,
and what it held must not vanish in silence.
See https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    sums = _step(_weights(3), np.zeros(2, np.uint32), np.frombuffer(data, word, 6))
    if sums.tolist() != np.frombuffer(data, ">u4", 2, 24).tolist():
        raise DemoError(f"{log.name}: byte 0: its header is damaged")
    at = HEADER + _right(data, page, word, sums) * (FRAME + page)
    # Only the frame that was being written at the kill may be wrong. Every later one would begin
    # with this log's salts, wherever it has come to lie; frames of an older log have others.
    if later := data.count(data[16:24], at + 16):
        raise DemoError(
            f"{log.name}: byte {at}: damaged, and {later} later records hang on it "
            "(cut the log there to keep what was before)"
        )


def _right(data: bytes, page: int, word: str, sums: NDArray[np.uint32]) -> int:
    """How many frames are as they were written, from the first on.

    The checksum runs over pairs of words, `s0 += x0 + s1; s1 += x1 + s0`: a linear recurrence, so
    each frame's share is a dot product and only the sums are carried from frame to frame.
    """
    size = FRAME + page
    count = (len(data) - HEADER) // size
    frames = np.frombuffer(data, np.uint8, count * size, HEADER).reshape(count, size)
    weights, salts = _weights((page + 8) // 8), data[16:24]
    for index, frame in enumerate(frames):
        covered = np.concatenate([frame[:8], frame[FRAME:]]).view(word)
        sums = _step(weights, sums, covered)
        said = frame[16:24].view(">u4")
        if frame[8:16].tobytes() != salts or sums.tolist() != said.tolist():
            return index
    return count


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
    weights: NDArray[np.uint32], sums: NDArray[np.uint32], words: NDArray[Any]
) -> NDArray[np.uint32]:
    """The sums after these words."""
    return (weights * np.concatenate([words.astype(np.uint32), sums])).sum(1, dtype=np.uint32)
