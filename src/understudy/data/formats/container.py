"""The SQLite file that demonstrations lie in: its schema, and how it is made, opened and recovered.

Whatever goes wrong in SQLite is said as one line that names the file; no `sqlite3.Error` gets out.
A file is opened as if a stranger had sent it: read-only, with a schema that must be ours letter by
letter before anything is read, with limits on sizes and on time.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from understudy.data.formats import wal
from understudy.errors import DemoError

APPLICATION = 0x756E6473  # "unds", in the header of every file of ours
VERSION = 1
SQLITE = b"SQLite format 3\0"
SCHEMA = {
    "file": """CREATE TABLE file (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    spec TEXT NOT NULL,
    sessions TEXT NOT NULL,
    closed INTEGER NOT NULL,
    episodes INTEGER NOT NULL,
    digest BLOB NOT NULL
)""",
    "episode": """CREATE TABLE episode (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    seed TEXT,
    agent INTEGER NOT NULL,
    "group" INTEGER NOT NULL,
    team INTEGER NOT NULL,
    label TEXT NOT NULL,
    info TEXT NOT NULL,
    tags TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    "end" TEXT NOT NULL,
    final_obs_known INTEGER NOT NULL,
    length INTEGER NOT NULL,
    "return" REAL,
    reward TEXT,
    proposed INTEGER NOT NULL,
    chunks BLOB NOT NULL,
    digest BLOB NOT NULL
)""",
    "chunk": """CREATE TABLE chunk (
    episode INTEGER NOT NULL,
    number INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (episode, number)
) WITHOUT ROWID""",
    "step": """CREATE TABLE step (
    episode INTEGER NOT NULL,
    unit INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (episode, unit)
) WITHOUT ROWID""",
}
SECONDS = 60.0
"""Longest that one question to a file may take."""
RESTORE = "restore it from a copy or record again"

Database = sqlite3.Connection


def recognizes(head: bytes) -> bool:
    """Whether a file that begins like this is a demonstration file of ours.

    Args:
        head: Its first 72 bytes or more.
    """
    return head.startswith(SQLITE) and head[68:72] == struct.pack(">I", APPLICATION)


@contextlib.contextmanager
def one_line(path: Path, what: str, then: str = RESTORE) -> Iterator[None]:
    """Anything that SQLite or the system finds wrong here becomes one line about the file.

    Raises:
        DemoError: `PATH: what: reason; then`.
    """
    try:
        yield
    except DemoError as error:
        text = str(error)
        raise DemoError(text if str(path) in text else f"{path}: {what}: {text}; {then}") from None
    except sqlite3.Error as error:
        raise DemoError(f"{path}: {what}: {_reason(error)}; {then}") from None
    except OSError as error:
        raise DemoError(f"{path}: {what}: {error.strerror or error}; {then}") from None
    except MemoryError:
        raise DemoError(f"{path}: {what}: there is not enough memory; {then}") from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DemoError(f"{path}: {what}: {reason}; {then}") from None


def create(path: Path, fill: Callable[[Database], None]) -> None:
    """A new file that appears with everything that `fill` writes, or not at all.

    Raises:
        DemoError: The file exists, or cannot be written.
    """
    refuse_existing(path)
    then = "choose a folder that exists, can be written to and has room"
    with one_line(path, "was not written", then):
        folder = tempfile.mkdtemp(prefix=".demo-", dir=path.parent)
        draft = Path(folder) / "draft"
        try:
            with contextlib.closing(_connect(draft, "rwc")) as db:
                # Nobody sees the draft before it is whole, so it needs no journal of its own.
                db.execute("PRAGMA journal_mode=OFF")
                db.execute("PRAGMA synchronous=OFF")
                with transaction(db):
                    db.execute(f"PRAGMA application_id={APPLICATION}")
                    db.execute(f"PRAGMA user_version={VERSION}")
                    for table in SCHEMA.values():
                        db.execute(table)
                    fill(db)
            _publish(draft, path)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
                os.rmdir(folder)


def refuse_existing(path: Path) -> None:
    """Raises DemoError if there is anything at `path`."""
    if os.path.lexists(path):
        raise DemoError(f"{path}: exists already; append to it or choose another name")


def open_to_write(path: Path) -> Database:
    """A file of ours, for this process alone until it is closed.

    A step is one write to the log, which outlives the process at once. The log is flushed to the
    disk when an episode ends (see `flushed`), so a power cut costs the steps since then.

    Raises:
        DemoError: It is not ours, damaged, or another process writes it.
    """
    recover(path)
    then = "close the program that uses it, or make it writable"
    with one_line(path, "cannot be opened for writing", then):
        db = _connect(path, "rw")
        try:
            _defend(db, _size(path))
            # One process: no shared memory beside the file, which network folders do not have.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode != "wal":
                raise DemoError(f"its journal is {mode}")
            db.execute("PRAGMA synchronous=NORMAL")
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 30)
            with transaction(db):
                check_schema(db, path)
            db.set_progress_handler(None, 0)
        except BaseException:
            db.close()
            raise
    return db


def close_written(db: Database, path: Path) -> None:
    """Folds the log into the file, so that the one file remains.

    Raises:
        DemoError: There is no room for it; the log then stays beside the file and is safe.
    """
    with one_line(path, "could not be closed", "free some room; nothing is lost, it opens again"):
        try:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode=DELETE")
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            if db.execute("PRAGMA freelist_count").fetchone()[0] * 2 > pages:
                db.execute("VACUUM")
        finally:
            db.close()


@contextlib.contextmanager
def transaction(db: Database) -> Iterator[None]:
    """All of what is done inside, or nothing."""
    db.execute("BEGIN")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def flushed(db: Database) -> Iterator[None]:
    """A transaction that is on the disk when it is over: it outlives a power cut too."""
    db.execute("PRAGMA synchronous=FULL")
    try:
        with transaction(db):
            yield
    finally:
        db.execute("PRAGMA synchronous=NORMAL")


def open_to_read(path: Path) -> tuple[Database, tuple[str, ...]]:
    """A file of ours, and what there is to say about how it was left.

    A file that was not closed is recovered first, which needs to write; any other file is only
    ever read.

    Raises:
        DemoError: It is not ours, damaged, newer than we are, or being recorded.
    """
    notes = recover(path)
    with one_line(path, "cannot be read"):
        db = _connect(path, "ro")
        try:
            _defend(db, _size(path))
            db.execute("PRAGMA query_only=ON")
            check_schema(db, path)
        except BaseException:
            db.close()
            raise
    return db, notes


def recover(path: Path) -> tuple[str, ...]:
    """Folds what a killed recorder left beside the file into it.

    Returns:
        What there is to say about it, nothing if the file was closed.

    Raises:
        DemoError: Not a file of ours, or it cannot be recovered here.
    """
    with one_line(path, "cannot be opened", "check its name and your rights"):
        head = _head(path)
        journal, log = Path(f"{path}-journal"), Path(f"{path}-wal")
        left = [p for p in (journal, log) if p.exists() and p.stat().st_size]
        if not left and head[18:20] == b"\1\1":
            return ()
    then = f"make the folder writable, or copy {path.name}* to one that is"
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise DemoError(f"{path}: its recorder did not close it and it cannot be mended here; {then}")
    with one_line(path, "cannot be recovered", RESTORE):
        wal.refuse_foreign(journal)
        wal.refuse_damage(log)
        with contextlib.closing(_connect(path, "rw")) as db:
            _defend(db, _size(path) + sum(p.stat().st_size for p in left))
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode=DELETE")
    stopped = "the recorder was stopped before it could close the file; "
    return (stopped + ("recovered from its log" if left else "no log lay beside it"),)


def check_schema(db: Database, path: Path) -> None:
    """Raises DemoError unless the file is of our version and its schema is exactly ours."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise DemoError(
            f"{path}: written in format {version}, this understudy reads format {VERSION}; "
            "update understudy"
        )
    rows = db.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid LIMIT 9"
    ).fetchall()
    if rows != [("table", name, name, sql) for name, sql in SCHEMA.items()]:
        raise DemoError("its tables are not those of a demonstration file")


def restart_clock(db: Database) -> None:
    """Gives the next question to the file its full time."""
    end = time.monotonic() + SECONDS
    db.set_progress_handler(lambda: time.monotonic() > end, 20_000)


def _connect(path: Path, mode: str) -> Database:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=1.0, check_same_thread=False
    )


def _defend(db: Database, size: int) -> None:
    """Limits what a hostile file can make SQLite do.

    Args:
        db: Freshly connected.
        size: Bytes of the file: nothing in it can be longer.
    """
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "temp_store=MEMORY"):
        db.execute(f"PRAGMA {pragma}")
    limits: dict[int, int] = {
        sqlite3.SQLITE_LIMIT_LENGTH: max(size, 1 << 16),
        sqlite3.SQLITE_LIMIT_SQL_LENGTH: 10_000,
        sqlite3.SQLITE_LIMIT_COLUMN: 32,
        sqlite3.SQLITE_LIMIT_ATTACHED: 0,
        sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
        sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    }
    for limit, value in limits.items():
        db.setlimit(limit, value)
    if hasattr(db, "setconfig"):  # Python 3.12
        db.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
    restart_clock(db)


def _size(path: Path) -> int:
    return path.stat().st_size


def _head(path: Path) -> bytes:
    """The file's first 100 bytes, once it is certain that they are ours."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise DemoError("it is not a plain file")
    with path.open("rb") as file:
        head = file.read(100)
    if not recognizes(head):
        found = "empty" if not head else "not a demonstration file of understudy"
        raise DemoError(f"{path}: byte 0: it is {found}; name a file that `record` has written")
    return head


def _publish(draft: Path, path: Path) -> None:
    """Gives the finished draft its name, unless somebody else took it in the meantime."""
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        refuse_existing(path)
    except OSError:  # a file system without hard links
        refuse_existing(path)
        draft.rename(path)
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _reason(error: sqlite3.Error) -> str:
    """SQLite's complaint in words for people."""
    known: dict[Any, str] = {
        sqlite3.SQLITE_BUSY: "another process is recording into it",
        sqlite3.SQLITE_LOCKED: "another process is recording into it",
        sqlite3.SQLITE_FULL: "the disk is full",
        sqlite3.SQLITE_INTERRUPT: f"it took longer than {SECONDS:.0f} seconds",
        sqlite3.SQLITE_TOOBIG: "something in it is too large",
        sqlite3.SQLITE_CORRUPT: "it is damaged",
        sqlite3.SQLITE_NOTADB: "it is damaged",
    }
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return known.get(code) or " ".join(str(error).split())[:200]
