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
MAX_TEXT = 64 << 20
"""Longest row of a description, and longest chunk until it is known how long chunks may be."""
SECONDS = 60.0
"""Longest that one question to a file may take."""
RESTORE = "restore it from a copy or record again"

BUSY = "another process is recording into it"
KNOWN = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_INTERRUPT: f"it took longer than {SECONDS:.0f} seconds",
    sqlite3.SQLITE_TOOBIG: "something in it is too large",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is damaged",
}

Database = sqlite3.Connection


def recognizes(head: bytes) -> bool:
    """Whether a file that begins like this is a demonstration file of ours.

    Args:
        head: Its first 72 bytes or more.
    """
    return head.startswith(SQLITE) and head[68:72] == struct.pack(">I", APPLICATION)


class one_line:  # noqa: N801 - it reads as a verb where it is used
    """Anything that SQLite or the system finds wrong inside becomes one line about the file.

    Args:
        path: The file.
        what: What did not work.
        then: What to do.

    Raises:
        DemoError: `PATH: what: reason; then`.
    """

    __slots__ = ("path", "then", "what")

    def __init__(self, path: Path, what: str, then: str = RESTORE) -> None:
        self.path, self.what, self.then = path, what, then

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or (isinstance(error, DemoError) and str(self.path) in str(error)):
            return
        reason = _reason(error)
        if reason is not None:
            then = "wait until it has ended" if reason == BUSY else self.then
            raise DemoError(f"{self.path}: {self.what}: {reason}; {then}") from None


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
            # Folding the log into the file waits for the disk: every 16 MB rather than every 4.
            db.execute("PRAGMA wal_autocheckpoint=4000")
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
            if db.execute("PRAGMA freelist_count").fetchone()[0] * 4 > pages:
                # What was discarded left holes; the file is whole with them too.
                db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)
                with contextlib.suppress(sqlite3.Error):
                    db.execute("VACUUM")
        finally:
            db.close()


class transaction:  # noqa: N801 - as above
    """All of what is done inside, or nothing."""

    __slots__ = ("db",)

    def __init__(self, db: Database) -> None:
        self.db = db

    def __enter__(self) -> None:
        if self.db.in_transaction:  # interrupted before it could be undone
            self.db.execute("ROLLBACK")
        self.db.execute("BEGIN")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self.db.execute("COMMIT")
        finally:
            if self.db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self.db.execute("ROLLBACK")


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
        _check_size(path)
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
        raise DemoError(
            f"{path}: its recorder did not close it and it cannot be mended here; {then}"
        )
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
        sqlite3.SQLITE_LIMIT_LENGTH: max(min(size, MAX_TEXT), 1 << 16),
        sqlite3.SQLITE_LIMIT_SQL_LENGTH: 10_000,
        sqlite3.SQLITE_LIMIT_COLUMN: 32,
        sqlite3.SQLITE_LIMIT_ATTACHED: 0,
        sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
        sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    }
    for limit, value in limits.items():
        db.setlimit(limit, value)
    if setconfig := getattr(db, "setconfig", None):  # from Python 3.12 on
        setconfig(getattr(sqlite3, "SQLITE_DBCONFIG_DEFENSIVE"), True)  # noqa: B009
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


def _check_size(path: Path) -> None:
    """Raises DemoError if the file is longer or shorter than its header says."""
    head, size = _head(path), _size(path)
    page = int.from_bytes(head[16:18], "big")
    said = int.from_bytes(head[28:32], "big") * (65536 if page == 1 else page)
    if size != said:
        where = f"byte {min(size, said)}: the file"
        raise DemoError(f"{where} has {size} bytes and says that it has {said}")


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


def _reason(error: BaseException) -> str | None:
    """What is wrong, in words for people; None if it is nothing about the file."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return KNOWN.get(code) or _short(str(error))
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, OSError):
        return error.strerror or _short(str(error))
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, DemoError | ValueError | TypeError | OverflowError):
        return _short(str(error))
    return None


def _short(text: str) -> str:
    return " ".join(text.split())[:300]
