"""Three containers for demonstrations, each as small as it can be and still keep its promise.

The promise: a step is acknowledged when `step()` returns and then outlives a SIGKILL. Every episode
is checked when it is read. An episode's rows are packed structs of 8 float32 observations, 2
float32 actions, a float64 reward and a flag.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np

ROW = np.dtype([("obs", "<f4", 8), ("action", "<f4", 2), ("reward", "<f8"), ("by", "u1")])
FOLD = 4096


class SQLite:
    """One row a step, folded into one blob of whole rows an episode; SHA-256 of every blob."""

    def __init__(self, journal: str = "WAL", synchronous: str = "NORMAL") -> None:
        self.journal, self.synchronous = journal, synchronous

    def record(self, path: Path) -> tuple[Callable[[bytes], None], Callable[[], None]]:
        db = self._open(path)
        state = {"t": 0, "rows": [], "episode": 0}

        def step(row: bytes) -> None:
            db.execute("BEGIN")
            db.execute("INSERT INTO step VALUES (?, ?)", (state["t"], row))
            digest = sha256(row).digest()
            db.execute("INSERT OR REPLACE INTO tail VALUES (1, ?, ?)", (state["t"], digest))
            db.execute("COMMIT")
            state["t"] += 1
            state["rows"].append(row)
            if len(state["rows"]) == FOLD:
                fold()

        def fold() -> None:
            data = b"".join(state["rows"])
            db.execute("BEGIN")
            db.execute("DELETE FROM step")
            values = (state["episode"], data, sha256(data).digest())
            db.execute("INSERT INTO chunk VALUES (?, ?, ?)", values)
            db.execute("COMMIT")
            state["rows"].clear()
            state["episode"] += 1

        def close() -> None:
            fold()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode=DELETE")
            db.close()

        return step, close

    def write(self, path: Path, episodes: list[np.ndarray]) -> None:
        db = self._open(path)
        db.execute("BEGIN")
        for number, rows in enumerate(episodes):
            data = rows.tobytes()
            values = (number, data, sha256(data).digest())
            db.execute("INSERT INTO chunk VALUES (?, ?, ?)", values)
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode=DELETE")
        db.close()

    def load(self, path: Path) -> list[np.ndarray]:
        db = sqlite3.connect(path)
        out = []
        for _, data, digest in db.execute("SELECT * FROM chunk ORDER BY episode"):
            assert sha256(data).digest() == digest
            out.append(np.frombuffer(data, ROW))
        rows = [row for (row,) in db.execute("SELECT data FROM step ORDER BY t")]
        db.close()
        return [*out, np.frombuffer(b"".join(rows), ROW)] if rows else out

    def batch(self, path: Path, places: list[tuple[int, int]]) -> np.ndarray:
        db = sqlite3.connect(path)
        query, out = "SELECT data, digest FROM chunk WHERE episode = ?", []
        for episode, t in places:
            data, digest = db.execute(query, (episode,)).fetchone()
            assert sha256(data).digest() == digest
            out.append(np.frombuffer(data, ROW)[t])
        db.close()
        return np.stack(out)

    def _open(self, path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute(f"PRAGMA journal_mode={self.journal}")
        db.execute(f"PRAGMA synchronous={self.synchronous}")
        db.execute("CREATE TABLE step (t INTEGER PRIMARY KEY, data BLOB)")
        db.execute("CREATE TABLE tail (id INTEGER PRIMARY KEY, t INTEGER, digest BLOB)")
        db.execute("CREATE TABLE chunk (episode INTEGER PRIMARY KEY, data BLOB, digest BLOB)")
        return db


class Frames:
    """`[length][crc32][payload]`, one a step; at the end rewritten with one an episode."""

    HEAD = struct.Struct("<II")

    def record(self, path: Path) -> tuple[Callable[[bytes], None], Callable[[], None]]:
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

        def step(row: bytes) -> None:
            os.write(file, self.HEAD.pack(len(row), zlib.crc32(row)) + row)

        def close() -> None:
            os.close(file)
            draft = path.with_suffix(".draft")
            self.write(draft, [np.concatenate(self.load(path))])
            draft.replace(path)

        return step, close

    def write(self, path: Path, episodes: list[np.ndarray]) -> None:
        with path.open("wb") as file:
            for rows in episodes:
                data = rows.tobytes()
                file.write(self.HEAD.pack(len(data), zlib.crc32(data)) + data)
            file.flush()
            os.fsync(file.fileno())

    def load(self, path: Path) -> list[np.ndarray]:
        data, at, out = path.read_bytes(), 0, []
        view = memoryview(data)
        while at + self.HEAD.size <= len(data):
            size, crc = self.HEAD.unpack_from(data, at)
            payload = view[at + self.HEAD.size : at + self.HEAD.size + size]
            if len(payload) < size or zlib.crc32(payload) != crc:
                break
            out.append(np.frombuffer(payload, ROW))
            at += self.HEAD.size + size
        return out

    def batch(self, path: Path, places: list[tuple[int, int]]) -> np.ndarray:
        starts, out = self._starts(path), []
        with path.open("rb") as file:
            for episode, t in places:
                file.seek(starts[episode])
                size, crc = self.HEAD.unpack(file.read(self.HEAD.size))
                data = file.read(size)
                assert zlib.crc32(data) == crc
                out.append(np.frombuffer(data, ROW)[t])
        return np.stack(out)

    def _starts(self, path: Path) -> list[int]:
        out, at, size = [], 0, path.stat().st_size
        with path.open("rb") as file:
            while at < size:
                out.append(at)
                file.seek(at)
                at += self.HEAD.size + self.HEAD.unpack(file.read(self.HEAD.size))[0]
        return out


class Arrow:
    """An IPC stream, one record batch a step; at the end rewritten with one an episode.

    Arrow has no checksum of its own, and none was added.
    """

    def __init__(self) -> None:
        import pyarrow as pa

        self.pa = pa
        fields = [("obs", pa.list_(pa.float32(), 8)), ("action", pa.list_(pa.float32(), 2))]
        self.schema = pa.schema([*fields, ("reward", pa.float64()), ("by", pa.uint8())])

    def record(self, path: Path) -> tuple[Callable[[bytes], None], Callable[[], None]]:
        # An OSFile is not buffered: what was written is in the kernel's hands.
        sink = self.pa.OSFile(str(path), "wb")
        writer = self.pa.ipc.new_stream(sink, self.schema)

        def step(row: bytes) -> None:
            writer.write_batch(self._batch(np.frombuffer(row, ROW)))

        def close() -> None:
            writer.close()
            sink.close()
            draft = path.with_suffix(".draft")
            self.write(draft, [np.concatenate(self.load(path))])
            draft.replace(path)

        return step, close

    def write(self, path: Path, episodes: list[np.ndarray]) -> None:
        stream, schema = self.pa.ipc.new_stream, self.schema
        with self.pa.OSFile(str(path), "wb") as sink, stream(sink, schema) as writer:
            for rows in episodes:
                writer.write_batch(self._batch(rows))
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.close(file)

    def load(self, path: Path) -> list[np.ndarray]:
        out = []
        with self.pa.memory_map(str(path)) as source:
            reader = self.pa.ipc.open_stream(source)
            while True:
                try:
                    out.append(self._rows(reader.read_next_batch()))
                except (StopIteration, self.pa.ArrowInvalid, OSError):
                    return out

    def batch(self, path: Path, places: list[tuple[int, int]]) -> np.ndarray:
        with self.pa.memory_map(str(path)) as source:
            batches = list(self.pa.ipc.open_stream(source))
            return np.stack([self._rows(batches[e].slice(t, 1))[0] for e, t in places])

    def _batch(self, rows: np.ndarray) -> object:
        pa = self.pa
        columns = [
            pa.FixedSizeListArray.from_arrays(
                pa.array(np.ascontiguousarray(rows[name]).ravel()), rows[name].shape[1]
            )
            for name in ("obs", "action")
        ]
        columns += [pa.array(np.ascontiguousarray(rows[name])) for name in ("reward", "by")]
        return pa.record_batch(columns, schema=self.schema)

    def _rows(self, batch: object) -> np.ndarray:
        out = np.empty(len(batch), ROW)
        for name in ("obs", "action"):
            out[name] = batch[name].flatten().to_numpy().reshape(len(batch), -1)
        for name in ("reward", "by"):
            out[name] = batch[name].to_numpy()
        return out
