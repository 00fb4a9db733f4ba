"""Episodes that lie in a demonstration file, each read and checked when it is asked for."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.catalog import Entry, success_of
from understudy.data.episode import End, Episode, check_episode
from understudy.data.formats import seal
from understudy.data.formats.container import (
    VERSION,
    one_line,
    open_to_read,
    restart_clock,
    transaction,
)
from understudy.data.formats.layout import DTYPES, Columns, Layout, spec_from_json
from understudy.data.formats.seal import NO_TAIL, RECORDING, Row
from understudy.errors import DemoError

MAX_JSON = 16 << 20
LONGEST_CHUNK = (1 << 31) - 1  # of SQLite; a file may be longer
KEPT = 8
GROUP_BYTES, MOST_TOGETHER = 1 << 20, 256
"""Episodes that are read at once, in one question to the file."""
Chunks = dict[tuple[int, int], tuple[Any, Any]]
"""Episode and number to rows and data."""
TYPES = {
    "int": int, "int | None": int | None, "str": str, "str | None": str | None,
    "float | None": float | None, "bytes": bytes,
}  # fmt: skip


class Index:
    """Everything that a file says but for the chunks, checked.

    Attributes:
        path: The file.
        layout: How its rows lie.
        spec_text: The spec as JSON text.
        spec_digest: Its digest.
        sessions: Who recorded what when.
        closed: Whether the recorder closed it.
        digest: The file's digest: two files with the same one say the same.
        rows: Of every episode.
        tails: The units that no chunk holds yet, by episode.
    """

    def __init__(self, db: Any, path: Path) -> None:
        self.path = path
        query = "SELECT id, version, spec, sessions, closed, episodes, digest FROM file LIMIT 2"
        files = db.execute(query).fetchall()
        if len(files) != 1 or list(map(type, files[0])) != [int, int, str, str, int, int, bytes]:
            raise DemoError("its description is damaged")
        _, version, self.spec_text, sessions, closed, count, self.digest = files[0]
        self.spec_digest = seal.of_spec(self.spec_text)
        self.rows: list[Row] = []
        for values in db.execute("SELECT * FROM episode ORDER BY id LIMIT ?", (count + 1,)):
            self.rows.append(_row(values, self.rows[-1].id if self.rows else 0))
        places = (seal.of_place(row) for row in self.rows)
        found = seal.of_file(version, self.spec_text, sessions, closed, places)
        if found != self.digest or len(self.rows) != count or version != VERSION:
            raise DemoError("its description and its episodes do not belong together")
        self.closed = bool(closed)
        self.layout = Layout(spec_from_json(_json(self.spec_text)))
        self.sessions: list[dict[str, Any]] = _json(sessions)
        self.tails = {row.id: self._tail(db, row) for row in self.rows if row.end == RECORDING}
        for row in self.rows:
            if row.digest != seal.of_episode(row, self.spec_digest, self.chain(row)):
                raise DemoError(f"episode {row.id}: its description is damaged")
        self._count(db, "chunk", sum(row.num_chunks for row in self.rows))
        self._count(db, "step", sum(map(len, self.tails.values())))

    def _tail(self, db: Any, row: Row) -> list[bytes]:
        """The units of an episode that no chunk holds yet."""
        size, units = self.layout.dtype.itemsize, []
        query = "SELECT unit, length(data) FROM step WHERE episode = ? ORDER BY unit LIMIT ?"
        found = db.execute(query, (row.id, self.layout.rows + 1)).fetchall()
        first = found[0][0] if found else row.length + 1
        if found != [(unit, size) for unit in range(first, row.length + 1)]:
            raise DemoError(f"episode {row.id}: the steps after its last chunk are damaged")
        query = "SELECT data FROM step WHERE episode = ? AND unit = ?"
        for unit, _ in found:
            data = db.execute(query, (row.id, unit)).fetchone()[0]
            if type(data) is not bytes or len(data) != size:
                raise DemoError(f"episode {row.id}: step {unit} is damaged")
            units.append(data)
        return units

    def chain(self, row: Row) -> bytes:
        """The digest of the units of an episode that no chunk holds yet."""
        tail = NO_TAIL
        for unit in self.tails.get(row.id, ()):
            tail = seal.of_tail(tail, unit)
        return tail

    def _count(self, db: Any, table: str, expected: int) -> None:
        found = db.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT ?)", (expected + 1,))
        if found.fetchone()[0] != expected:
            raise DemoError(f"its table of {table}s does not hold {expected} of them")


class StoredEpisodes(Sequence[Episode]):
    """Episodes in a file; the last few that were asked for are kept.

    Attributes:
        path: The file.
        layout: How rows lie in it.
        spec: What is seen and done.
        digest: The file's digest in hexadecimal: equal digests, equal demonstrations.
        sessions: When and by what every part was recorded, as JSON values.
        notes: What there is to say about how the file was left.
        lengths: `[E]` steps of every episode, without reading them.
        returns: `[E]` sums of rewards, nan where there are none, without reading them.

    Raises:
        DemoError: The file is not ours, damaged or newer than we are.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db, notes = open_to_read(path)
        self._close = weakref.finalize(self, self._db.close)
        self._lock = threading.RLock()
        self._kept: OrderedDict[int, Episode] = OrderedDict()
        try:
            with one_line(path, "cannot be read"), transaction(self._db):
                self._index = Index(self._db, path)
        except BaseException:
            self.close()
            raise
        # From here on only chunks are read, which may be as long as the file, and as SQLite allows.
        longest = min(max(path.stat().st_size, 1 << 16), LONGEST_CHUNK)
        self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
        # An episode that was begun and never stepped holds nothing that was shown.
        self._rows = [
            row
            for row in self._index.rows
            if not row.deleted and (row.length or row.end != RECORDING)
        ]
        self.layout = self._index.layout
        self.spec = self.layout.spec
        self.digest = self._index.digest.hex()
        self.sessions = self._index.sessions
        self.notes = (*notes, *_left_open(self._rows, self._index.closed))
        self.lengths = np.array([row.length for row in self._rows], np.int64)

    @property
    def directory(self) -> Index:
        """What the file says but for the chunks."""
        return self._index

    @property
    def returns(self) -> NDArray[np.float64]:
        """`[E]` sum of the rewards of every episode."""
        return np.array(
            [
                self[i].return_ if row.end == RECORDING else _nan_for_none(row.return_)
                for i, row in enumerate(self._rows)
            ],
            np.float64,
        )

    @property
    def numbers(self) -> list[int]:
        """`[E]` what every episode is called by, in their order."""
        return [row.id for row in self._rows]

    def entries(self, *, deleted: bool = False) -> list[Entry]:
        """What is known of every episode without reading it.

        Args:
            deleted: Those instead that are only kept to be restored.

        Raises:
            DemoError: What is said of an episode is damaged.
        """
        rows = [row for row in self._index.rows if row.deleted] if deleted else self._rows
        with one_line(self.path, "cannot be read"):
            return [self._entry(row) for row in rows]

    def _entry(self, row: Row) -> Entry:
        info, tags = _info(row), tags_of(row)
        recording = row.end == RECORDING and row.reward is not None
        return Entry(
            number=row.id,
            length=row.length,
            return_=self.read(row).return_ if recording else _nan_for_none(row.return_),
            end=End.OPEN if row.end == RECORDING else End(row.end),
            success=success_of(info, tags),
            tags=tags,
            label=row.label,
            seed=None if row.seed is None else int(row.seed),
            deleted=bool(row.deleted),
        )

    def close(self) -> None:
        """Lets go of the file; nothing can be read after that."""
        self._close()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Episode: ...

    @overload
    def __getitem__(self, index: slice) -> list[Episode]: ...

    def __getitem__(self, index: int | slice) -> Episode | list[Episode]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._rows[index]
        with self._lock:
            episode = self._kept.get(row.id)
            if episode is None:
                with one_line(self.path, f"episode {row.id}"):
                    episode = self.read(row)
                self._kept[row.id] = episode
            self._kept.move_to_end(row.id)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return episode

    def __iter__(self) -> Iterator[Episode]:
        """Every episode in order, read anew; small ones many at a time, which is quicker."""
        for rows in _together(self._rows, self.layout.dtype.itemsize):
            with self._lock, one_line(self.path, "cannot be read"):
                chunks = self._chunks(rows) if len(rows) > 1 else None
            for row in rows:
                with self._lock, one_line(self.path, f"episode {row.id}"):
                    episode = self.read(row, chunks)
                yield episode

    def _chunks(self, rows: list[Row]) -> Chunks:
        """The chunks of some episodes, by episode and number, not yet checked."""
        restart_clock(self._db)
        holes = ", ".join("?" * len(rows))
        query = f"SELECT episode, number, rows, data FROM chunk WHERE episode IN ({holes})"
        found = self._db.execute(query, [row.id for row in rows])
        return {(episode, number): (count, data) for episode, number, count, data in found}

    def read(self, row: Row, chunks: Chunks | None = None) -> Episode:
        """An episode, read anew.

        Args:
            row: What the file says of it.
            chunks: Its chunks, if they have been read already.

        Raises:
            DemoError: It is not what was recorded.
        """
        layout, at = self._index.layout, 0
        restart_clock(self._db)
        whole: Columns = {}
        for number in range(row.num_chunks):
            part = self._chunk(row, number, chunks)
            at = _append(whole, part, at, row, f"chunk {number}")
        if units := self._index.tails.get(row.id):
            part = layout.columns(b"".join(units), row.reward, bool(row.proposed))
            at = _append(whole, part, at, row, "its last steps")
        if at != row.length + 1:
            raise DemoError(f"{at} rows, expected {row.length + 1}")
        return self._episode(row, whole)

    def _chunk(self, row: Row, number: int, chunks: Chunks | None) -> Columns:
        """The columns of a chunk, once it is certain that they are those that were written."""
        key = (row.id, number)
        if chunks is None:
            query = "SELECT rows, data FROM chunk WHERE episode = ? AND number = ?"
            rows, data = self._db.execute(query, key).fetchone() or (0, None)
        else:
            rows, data = chunks.get(key, (0, None))
        if type(rows) is not int or not 0 < rows <= row.length + 1 or type(data) is not bytes:
            raise DemoError(f"chunk {number} is missing or damaged")
        if seal.of_chunk(number, rows, data) != row.chunk(number):
            raise DemoError(f"chunk {number} ({len(data)} bytes) is not what was recorded")
        try:
            return self._index.layout.unpack(data, rows, row.reward)
        except DemoError as error:
            raise DemoError(f"chunk {number}: {error}") from None

    def _episode(self, row: Row, whole: Columns) -> Episode:
        def action(name: str) -> Action | None:
            if f"{name}/continuous" not in whole:
                return None
            choices = whole[f"{name}/discrete"][1:].astype(np.int64)
            return Action(whole[f"{name}/continuous"][1:], choices)

        executed = action("action")
        assert executed is not None, "every row has an action"
        episode = Episode(
            obs={name: whole[f"obs/{name}"] for name in self.spec.fields},
            action=executed,
            proposed=action("proposed"),
            reward=whole["reward"][1:] if row.reward else None,
            end=End.OPEN if row.end == RECORDING else End(row.end),
            final_obs_known=bool(row.final_obs_known),
            acted_by=whole["acted_by"][1:],
            agent=row.agent,
            group=row.group,
            team=row.team,
            seed=None if row.seed is None else int(row.seed),
            label=row.label,
            tags=tags_of(row),
            info=_info(row),
        )
        return check_episode(episode, self.spec, f"{self.path}: episode {row.id}")


def _together(rows: list[Row], row_bytes: int) -> Iterator[list[Row]]:
    """The episodes in groups that are read at once: as many as are small together."""
    group: list[Row] = []
    size = 0
    for row in rows:
        size += (row.length + 1) * row_bytes
        if group and (size > GROUP_BYTES or len(group) == MOST_TOGETHER):
            yield group
            group, size = [], (row.length + 1) * row_bytes
        group.append(row)
    if group:
        yield group


def _append(whole: Columns, part: Columns, at: int, row: Row, what: str) -> int:
    """Copies a chunk's rows into the whole episode's; returns how many rows there are now."""
    if "proposed/continuous" not in part and row.proposed:
        # A chunk in which every action was executed as proposed does not say so twice.
        for name in ("continuous", "discrete"):
            part[f"proposed/{name}"] = part[f"action/{name}"]
    rows = len(part["acted_by"])
    if row.reward is not None and at + rows == 1:
        # A first chunk of a single row may have been written before the first reward was known.
        part.setdefault("reward", np.zeros(1, row.reward))
    if ("reward" in part) != (row.reward is not None) or len(part) < len(whole):
        raise DemoError(f"{what} lacks a column")
    if at + rows > row.length + 1:
        raise DemoError(f"{what} has {rows} rows; only {row.length + 1 - at} are missing")
    for name, array in part.items():
        if name not in whole:
            shape = (row.length + 1, *array.shape[1:])
            whole[name] = np.empty(shape, array.dtype.newbyteorder("="))
        whole[name][at : at + rows] = array
    return at + rows


def _row(values: tuple[Any, ...], last: int) -> Row:
    """An episode's row whose every column is of the right kind."""
    row = Row(*values)
    for name, kind in Row.__annotations__.items():
        if not isinstance(getattr(row, name), TYPES[kind]):
            raise DemoError(f"episode {row.id}: its {name.rstrip('_')} is damaged")
    if row.id <= last or row.length < 0 or len(row.chunks) % seal.SIZE:
        raise DemoError(f"episode {row.id}: it is out of order or damaged")
    if row.reward is not None and row.reward not in DTYPES:
        raise DemoError(f"episode {row.id}: rewards of type {row.reward[:20]}")
    if row.end != RECORDING and row.end not in set(End):
        raise DemoError(f"episode {row.id}: it ended in {row.end[:20]!r}")
    return row


def tags_of(row: Row) -> tuple[str, ...]:
    """The tags of an episode.

    Raises:
        DemoError: They are not a list of texts.
    """
    tags = _json(row.tags)
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DemoError(f"episode {row.id}: its tags are damaged")
    return tuple(tags)


def _info(row: Row) -> dict[str, Any]:
    info = _json(row.info)
    if not isinstance(info, dict):
        raise DemoError(f"episode {row.id}: its info is damaged")
    return cast(dict[str, Any], info)


def _json(text: str) -> Any:
    if len(text) > MAX_JSON:
        raise DemoError(f"{len(text)} characters of JSON; at most {MAX_JSON} are read")
    return json.loads(text)


def _left_open(rows: list[Row], closed: bool) -> tuple[str, ...]:
    """What to say about episodes that nobody ended."""
    left = [row for row in rows if row.end in (RECORDING, End.OPEN)]
    steps = ", ".join(str(row.length) for row in left[:5]) + (", ..." if len(left) > 5 else "")
    what = f"{len(rows)} episode{'s' * (len(rows) != 1)}" + (" recovered" if not closed else "")
    if not left:
        return () if closed else (what,)
    if len(left) == 1:
        which = "the last" if left[0] is rows[-1] else f"number {rows.index(left[0])}"
        return (f"{what}; {which} was not ended: {steps} step{'s' * (steps != '1')}",)
    return (f"{what}; {len(left)} were not ended: {steps} steps",)


def _nan_for_none(value: float | None) -> float:
    return float("nan") if value is None else value
