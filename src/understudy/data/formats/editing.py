"""Edits of a demonstration file in place: of what is said of episodes, never of what they hold.

An edit is one transaction. It writes the rows of the episodes that it changes, and the file's
description with its digest; no chunk is touched and no episode gets another number. What stood
there before is kept in the last session, under `edits`, until `undo` brings it back or `pack`
forgets it.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from understudy.data.formats import put, seal
from understudy.data.formats.container import (
    Database,
    close_written,
    flushed,
    one_line,
    open_to_write,
)
from understudy.data.formats.seal import Row
from understudy.data.formats.stored import MAX_JSON, Index, StoredEpisodes, tags_of
from understudy.errors import DemoError

EDITS = "edits"
COLUMNS: Mapping[str, type] = {"deleted": int, "label": str, "tags": str}
"""What can be edited, with the type that it has in the file."""
KEPT = "nothing was changed; free some room and try again"


@dataclass(frozen=True, slots=True)
class Edit:
    """What was done to a file, and what stood there before.

    Attributes:
        verb: `delete`, `undelete`, `rename` or `tag`.
        when: In UTC, as ISO 8601.
        column: Of the episodes' rows.
        before: Episode number to what the column held.
    """

    verb: str
    when: str
    column: str
    before: Mapping[int, Any]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "verb": self.verb,
            "when": self.when,
            "column": self.column,
            "before": {str(number): value for number, value in self.before.items()},
        }

    @classmethod
    def from_json(cls, said: Any) -> Edit:
        """The inverse of `to_json`.

        Raises:
            DemoError: It is not what `to_json` writes.
        """
        try:
            kind = COLUMNS[said["column"]]
            before = {int(number): value for number, value in said["before"].items()}
            if any(type(value) is not kind for value in before.values()):
                raise TypeError(f"a {said['column']} of another type")
            return cls(str(said["verb"]), str(said["when"]), said["column"], before)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DemoError(f"what is said of its edits is damaged ({error})") from None


@dataclass(frozen=True, slots=True)
class Packed:
    """What `pack` did.

    Attributes:
        episodes: How many were dropped for good.
        edits: How many can no longer be undone.
        bytes_before: Length of the file.
        bytes_after: The same after it.
    """

    episodes: int
    edits: int
    bytes_before: int
    bytes_after: int


def delete(path: Path, numbers: Iterable[int]) -> Edit | None:
    """Show these episodes no more; they stay in the file.

    Args:
        path: A file of ours that nobody records into.
        numbers: What the episodes are called by.

    Returns:
        What was changed, None if nothing was.

    Raises:
        DemoError: An episode is not there, or the file is not ours, damaged or cannot be written.
            The file is then as it was.
    """
    return _edit(path, "delete", "deleted", numbers, lambda row: 1)


def undelete(path: Path, numbers: Iterable[int]) -> Edit | None:
    """Show these episodes again; see `delete`."""
    return _edit(path, "undelete", "deleted", numbers, lambda row: 0)


def rename(path: Path, number: int, label: str) -> Edit | None:
    """Give an episode another label, a name for people; see `delete`."""
    text = put.label_text(label)
    return _edit(path, "rename", "label", [number], lambda row: text)


def tag(
    path: Path, numbers: Iterable[int], add: Iterable[str] = (), remove: Iterable[str] = ()
) -> Edit | None:
    """Mark episodes with words, and take others away; see `delete`."""
    added, gone = tuple(add), frozenset(remove)

    def tags(row: Row) -> str:
        return put.tags_text(word for word in (*tags_of(row), *added) if word not in gone)

    return _edit(path, "tag", "tags", numbers, tags)


def edits(path: Path) -> list[Edit]:
    """What can be undone, the oldest first.

    Raises:
        DemoError: The file is not ours or damaged.
    """
    with one_line(path, "cannot be read"):
        return [edit for session in _read(path).sessions for edit in _edits_of(session)]


def undo(path: Path) -> Edit | None:
    """Bring back what stood there before the last edit that was not undone yet.

    Returns:
        The edit that was undone, None if there was none.

    Raises:
        DemoError: See `delete`.
    """
    if not edits(path):
        return None
    with _opened(path) as (db, index):
        session = next(s for s in reversed(index.sessions) if _edits_of(s))
        *before, last = _edits_of(session)
        session[EDITS] = [edit.to_json() for edit in before]
        _write(db, index, last.column, last.before)
        return last


def pack(path: Path) -> Packed:
    """Drop deleted episodes for good, and forget what was edited; the file becomes smaller.

    Numbers stay as they are. Needs room for the file once more while it works.

    Raises:
        DemoError: See `delete`.
    """
    before = path.stat().st_size if path.is_file() else 0
    db = open_to_write(path)
    try:
        with one_line(path, "was not packed", KEPT), flushed(db):
            gone, forgotten = _drop(db, Index(db, path))
        with one_line(path, "was packed, but not made smaller", "free some room and pack again"):
            # Beside the file or in the system's folder: it may not fit into memory.
            db.execute("PRAGMA temp_store=FILE")
            db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)
            db.execute("VACUUM")
    finally:
        close_written(db, path)
    return Packed(gone, forgotten, before, path.stat().st_size)


def _edit(
    path: Path, verb: str, column: str, numbers: Iterable[int], value: Callable[[Row], Any]
) -> Edit | None:
    """Gives a column of some episodes other values, and notes what stood there."""
    wanted = list(dict.fromkeys(numbers))
    with one_line(path, "was not edited", "name others"):
        # What is refused, or changes nothing, does not open the file for writing.
        if not _changes(_read(path), column, wanted, value):
            return None
    with _opened(path) as (db, index):
        changed = _changes(index, column, wanted, value)
        rows = {row.id: row for row in index.rows}
        before = {number: getattr(rows[number], column) for number in changed}
        edit = Edit(verb, datetime.now(UTC).isoformat(timespec="seconds"), column, before)
        last = index.sessions[-1]
        last[EDITS] = [done.to_json() for done in (*_edits_of(last), edit)]
        if len(json.dumps(index.sessions)) > MAX_JSON:
            raise DemoError(
                f"{path}: so many edits are kept that no more fit; forget them with "
                "'understudy demos pack'"
            )
        _write(db, index, column, changed)
        return edit


def _changes(
    index: Index, column: str, numbers: Iterable[int], value: Callable[[Row], Any]
) -> dict[int, Any]:
    """Episode number to its new value, of those that it is new to."""
    rows = {row.id: row for row in index.rows}
    if missing := [number for number in numbers if number not in rows]:
        raise DemoError(f"{index.path}: no episode is called {missing[0]}")
    values = {number: value(rows[number]) for number in numbers}
    return {n: v for n, v in values.items() if getattr(rows[n], column) != v}


def _read(path: Path) -> Index:
    """What the file says, without opening it for writing."""
    stored = StoredEpisodes(path)
    stored.close()
    return stored.directory


def _write(db: Database, index: Index, column: str, values: Mapping[int, Any]) -> None:
    """Gives a column of some episodes these values, and the file its description."""
    for row in index.rows:
        if row.id in values:
            setattr(row, column, values[row.id])
            row.digest = seal.of_episode(row, index.spec_digest, index.chain(row))
            put.update_row(db, row)
    put.put_file(db, index.spec_text, index.sessions, index.rows, closed=index.closed)


def _drop(db: Database, index: Index) -> tuple[int, int]:
    """Drops deleted episodes and all edits; returns how many there were of each."""
    gone = [row.id for row in index.rows if row.deleted]
    for table, column in (("step", "episode"), ("chunk", "episode"), ("episode", "id")):
        db.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(id,) for id in gone])
    index.rows = [row for row in index.rows if not row.deleted]
    forgotten = sum(len(_edits_of(session)) for session in index.sessions)
    for session in index.sessions:
        session.pop(EDITS, None)
    _write(db, index, "deleted", {})
    return len(gone), forgotten


def _edits_of(session: Any) -> list[Edit]:
    said = session.get(EDITS, []) if isinstance(session, dict) else None
    if not isinstance(said, list):
        raise DemoError("what is said of its edits is damaged")
    return [Edit.from_json(edit) for edit in said]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Database, Index]]:
    """The file and what it says, in one transaction that is on the disk when it is over."""
    db = open_to_write(path)
    try:
        with one_line(path, "was not edited", KEPT), flushed(db):
            yield db, Index(db, path)
    finally:
        close_written(db, path)
