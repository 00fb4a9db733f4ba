"""Writing demonstrations step by step; a step that was taken is never lost.

Every step is a transaction of its own: one row with one unit. Now and then, and when an episode
ends, its rows become a chunk of whole columns, in a transaction again.
"""

from __future__ import annotations

import contextlib
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from understudy.data.action import Action
from understudy.data.demos import Provenance
from understudy.data.episode import ActedBy, End, Tree
from understudy.data.formats import put, seal
from understudy.data.formats.container import (
    Database,
    close_written,
    create,
    flushed,
    one_line,
    open_to_write,
    transaction,
)
from understudy.data.formats.seal import NO_TAIL, RECORDING, Row
from understudy.data.formats.stored import Index, StoredEpisodes
from understudy.data.spec import Spec
from understudy.errors import DemoError

SAFE = "what was recorded before is safe; free some room and go on"
MEND = "mend what records"


class DemoWriter:
    """Writes demonstrations into one file. A context manager.

    Several episodes may be open at once, one for every slot of an environment. Leaving the context
    ends those that nobody has ended as `End.OPEN`.

    Args:
        path: The file; it must not exist yet.
        spec: What is seen and done.
        provenance: Who records it, where.
        append: The file must exist; episodes are added. What an earlier recorder that was killed
            left open is ended as `End.OPEN`.

    Raises:
        DemoError: The file exists, does not fit the spec, is damaged or cannot be written.
    """

    def __init__(
        self, path: str | Path, spec: Spec, provenance: Provenance, *, append: bool = False
    ) -> None:
        self.path = Path(path)
        self.lock = threading.RLock()
        self._open: dict[int, EpisodeWriter] = {}
        self._interrupted = False
        self._db: Database | None = None
        now = put.session(provenance)
        if not append:
            text = put.spec_text(spec)
            create(self.path, lambda db: put.put_file(db, text, [now], [], closed=False))
        stored = StoredEpisodes(self.path)
        try:
            self._take_over(stored, spec)
            if append:
                self._sessions.append(now)
            leftovers = [self._resume(stored, row) for row in self._rows.values()]
        finally:
            stored.close()
        self._db = open_to_write(self.path)
        try:
            with self.change("it cannot be written", flush=True):
                self._put_file(self._rows)
            for writer in leftovers:
                if writer is not None:
                    writer.finish()
        except BaseException:
            self._db.close()
            raise

    def begin(
        self,
        obs: Tree,
        *,
        seed: int | None = None,
        agent: int = 0,
        group: int = 0,
        team: int = 0,
        label: str = "",
        info: Mapping[str, Any] | None = None,
    ) -> EpisodeWriter:
        """A new episode that begins with this observation (arrays without a time axis).

        Args:
            obs: What is seen first.
            seed: The reset's seed.
            agent: Which agent of its environment.
            group: The group it shares rewards with.
            team: The side that it plays on.
            label: A name for people.
            info: Anything else worth keeping, as JSON values.

        Raises:
            DemoError: The observation does not fit the spec, or the file cannot be written.
        """
        with self.lock, one_line(self.path, "no episode was begun", MEND):
            self.catch_up()
            row = Row(
                id=self._next,
                session=len(self._sessions) - 1,
                seed=put.seed_text(seed),
                agent=int(agent),
                group=int(group),
                team=int(team),
                label=put.label_text(label),
                info=put.json_text(dict(info or {}), "info"),
            )
            writer = EpisodeWriter(self, row)
            with self.change("no episode was begun") as db:
                unit = self.layout.unit(obs)
                tail = writer.put_unit(db, row, 0, unit)
                put.insert_row(db, row)
                self._put_file({**self._rows, row.id: row})
            writer.keep(unit, tail)
            self._next, self._rows[row.id], self._open[row.id] = row.id + 1, row, writer
        return writer

    def close(self) -> None:
        """Ends what is open and makes the file whole: nothing remains beside it.

        Raises:
            DemoError: The disk is full; nothing is lost, the file opens again.
        """
        with self.lock:
            if self._db is None:
                return
            db = self._db
            try:
                self.catch_up()
                for writer in list(self._open.values()):
                    writer.finish()
                with self.change("it could not be closed", flush=True):
                    self._put_file(self._rows, closed=True)
            except BaseException:
                # The log keeps everything; whoever opens the file next recovers it.
                db.close()
                raise
            finally:
                self._db = None
            close_written(db, self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def change(self, failed: str, *, flush: bool = False) -> Iterator[Database]:
        """One transaction, whose failure is one line.

        Raises:
            DemoError: It failed, and nothing was changed.
        """
        with self.lock:
            if self._db is None:
                raise DemoError(f"{self.path}: its recorder is closed; open it with append=True")
            kind = flushed if flush else transaction
            try:
                with one_line(self.path, failed, SAFE), kind(self._db):
                    yield self._db
            except Exception:
                raise
            except BaseException:
                # Ctrl-C: whether that was in time nobody knows but the file.
                self._interrupted = True
                raise

    def catch_up(self) -> None:
        """After an interruption: what the file holds is what was written.

        Raises:
            DemoError: The file is not as it should be.
        """
        if not self._interrupted or self._db is None:
            return
        with one_line(self.path, "it could not be read again"), transaction(self._db):
            index = Index(self._db, self.path)
        self._rows = {row.id: row for row in index.rows}
        self._next = max(self._rows, default=0) + 1
        for row in index.rows:
            if row.end == RECORDING:
                self._open.setdefault(row.id, EpisodeWriter(self, row))
        for id, writer in list(self._open.items()):
            writer.catch_up(self._rows.get(id), index.tails.get(id, []))
        self._interrupted = False

    def seal_row(self, row: Row, tail: bytes) -> None:
        """Gives an episode's row its digest."""
        row.digest = seal.of_episode(row, self._spec_digest, tail)

    def over(self, row: Row) -> None:
        """Writes, in a transaction, that an episode ended or, without an end, is gone."""
        rows = {**self._rows, row.id: row}
        if row.end == RECORDING:
            del rows[row.id]
        self._put_file(rows)

    def let_go(self, row: Row) -> None:
        """An episode is no longer written: its end is in the file."""
        self._open.pop(row.id, None)
        if row.end == RECORDING:
            self._rows.pop(row.id, None)
        else:
            self._rows[row.id] = row

    def _put_file(self, rows: Mapping[int, Row], *, closed: bool = False) -> None:
        assert self._db is not None, "inside of a change"
        put.put_file(self._db, self._spec_text, self._sessions, rows.values(), closed=closed)

    def _take_over(self, stored: StoredEpisodes, spec: Spec) -> None:
        """Goes on where the file ends, once it is certain that the spec fits it."""
        self.layout = stored.layout
        if difference := stored.spec.difference(spec) or _other_dtype(stored.spec, spec):
            raise DemoError(
                f"{self.path}: does not fit what is to be recorded: {difference}; "
                "record into another file"
            )
        index = stored.directory
        self._spec_text, self._spec_digest = index.spec_text, index.spec_digest
        self._sessions = index.sessions
        self._rows = {row.id: row for row in index.rows}
        self._next = max(self._rows, default=0) + 1

    def _resume(self, stored: StoredEpisodes, row: Row) -> EpisodeWriter | None:
        """The writer of an episode that a killed recorder left open."""
        if row.end != RECORDING:
            return None
        writer = self._open[row.id] = EpisodeWriter(self, row)
        writer.go_on(
            stored.directory.tails[row.id], stored.read(row).reward if row.length else None
        )
        return writer


class EpisodeWriter:
    """One episode that is being recorded; `DemoWriter.begin` makes it."""

    def __init__(self, file: DemoWriter, row: Row) -> None:
        self._file, self._row = file, row
        self._units: list[bytes] = []
        self._tail = NO_TAIL
        self._rewards = array("d")
        self._over = False

    @property
    def num_steps(self) -> int:
        """How many steps are in the file."""
        return self._row.length

    def step(
        self,
        action: Action,
        reward: float | None,
        obs: Tree,
        *,
        proposed: Action | None = None,
        acted_by: ActedBy = ActedBy.UNKNOWN,
    ) -> None:
        """Writes a step; when this returns, the step outlives the process.

        Args:
            action: What was executed (without a time axis).
            reward: What it earned; None in every step if rewards are unknown.
            obs: What was seen next.
            proposed: What the demonstrator meant, where that was not executed.
            acted_by: Who chose the executed action.

        Raises:
            DemoError: Something does not fit the spec or is not finite, or the disk is full; the
                step is not in the file then, those before it are.
        """
        file = self._file
        file.catch_up()
        number = self._row.length + 1
        failed = f"episode {self._row.id} step {number - 1} was not written"
        with file.lock:
            with one_line(file.path, failed, MEND):
                self._check_open()
                self._check_reward(reward)
                unit = file.layout.unit(obs, action, reward, proposed, acted_by)
            if len(self._units) >= file.layout.rows:
                self._fold()
            row = self._row
            before = row.length, row.reward, row.proposed
            row.length, row.reward = number, None if reward is None else "float64"
            row.proposed = int(row.proposed or proposed is not None)
            try:
                with file.change(failed) as db:
                    tail = self.put_unit(db, row, number, unit)
                    put.update_steps(db, row)
            except BaseException:
                row.length, row.reward, row.proposed = before
                raise
            self.keep(unit, tail)
            if reward is not None:
                self._rewards.append(reward)

    def end(self, end: End, tags: Iterable[str] = ()) -> None:
        """The episode is over.

        Args:
            end: How it ended.
            tags: Words to mark it with, such as `success`.

        Raises:
            DemoError: It was over before, a tag cannot be stored, or the disk is full.
        """
        file = self._file
        file.catch_up()
        failed = f"episode {self._row.id} was not ended"
        with one_line(file.path, failed, MEND):
            self._check_open()
            known = self._row.reward is not None
            row = replace(
                self._row,
                end=str(End(end)),
                return_=put.sum_of(self._rewards) if known else None,
                tags=put.tags_text(tags),
            )
        with file.change(failed, flush=True) as db:
            self._fold_into(db, row)
            put.update_row(db, row)
            file.over(row)
        self._let_go(row)

    def discard(self) -> None:
        """The episode is not kept.

        Raises:
            DemoError: It was over before, or the file cannot be written.
        """
        self._file.catch_up()
        file, row = self._file, self._row
        failed = f"episode {row.id} was not discarded"
        with one_line(file.path, failed, MEND):
            self._check_open()
        with file.change(failed) as db:
            for table in ("step", "chunk"):
                db.execute(f"DELETE FROM {table} WHERE episode = ?", (row.id,))
            db.execute("DELETE FROM episode WHERE id = ?", (row.id,))
            file.over(row)
        self._let_go(row)

    def finish(self) -> None:
        """Ends an episode that nobody ended; one without a step is not kept."""
        if self._row.length:
            self.end(End.OPEN)
        else:
            self.discard()

    def go_on(self, units: list[bytes], rewards: Any) -> None:
        """Takes over the units that no chunk holds yet, and all rewards, from a file."""
        self._units = units
        for unit in units:
            self._tail = seal.of_tail(self._tail, unit)
        self._rewards.extend(() if rewards is None else rewards.tolist())

    def put_unit(self, db: Database, row: Row, number: int, unit: bytes) -> bytes:
        """Writes a unit and seals the row; returns the digest of the tail."""
        tail = seal.of_tail(self._tail, unit)
        self._file.seal_row(row, tail)
        # A step that was interrupted just before it returned may stand there already.
        db.execute("INSERT OR REPLACE INTO step VALUES (?, ?, ?)", (row.id, number, unit))
        return tail

    def keep(self, unit: bytes, tail: bytes) -> None:
        """Takes note of a unit that is in the file."""
        self._tail = tail
        self._units.append(unit)

    def catch_up(self, row: Row | None, units: list[bytes]) -> None:
        """Takes over what the file says after an interruption."""
        if row is None or row.end != RECORDING:
            self._let_go(row or self._row)
            return
        rows = np.frombuffer(b"".join(units), self._file.layout.dtype)
        rewards = [*self._rewards, *[0.0] * row.length][: row.length]
        for number, reward in enumerate(rows["reward"].tolist(), row.length + 1 - len(units)):
            if number:
                rewards[number - 1] = reward
        self._row, self._tail = row, NO_TAIL
        self._rewards = array("d", rewards if row.reward else ())
        self._units = []
        self.go_on(units, None)

    def _check_open(self) -> None:
        if self._over:
            raise DemoError("it is over; begin a new one")

    def _check_reward(self, reward: float | None) -> None:
        if self._row.length and (reward is None) != (self._row.reward is None):
            raise DemoError("rewards must be known in every step of an episode or in none")

    def _let_go(self, row: Row) -> None:
        self._row, self._units, self._over = row, [], True
        self._file.let_go(row)

    def _fold(self) -> None:
        """Makes the units so far a chunk."""
        row = replace(self._row)
        with self._file.change(f"episode {row.id} could not be folded") as db:
            self._fold_into(db, row)
            put.update_row(db, row)
        self._row, self._units, self._tail = row, [], NO_TAIL

    def _fold_into(self, db: Database, row: Row) -> None:
        if self._units:
            layout = self._file.layout
            columns = layout.columns(b"".join(self._units), row.reward, bool(row.proposed))
            db.execute("DELETE FROM step WHERE episode = ?", (row.id,))
            put.add_chunk(db, row, len(self._units), layout.pack(columns))
        self._file.seal_row(row, NO_TAIL)


def _other_dtype(spec: Spec, other: Spec) -> str | None:
    """In words, which array is of another dtype there."""
    for name, (_, dtype) in spec.fields.items():
        if other.fields[name].dtype != dtype:
            return f"observation '{name}' is {dtype} here and {other.fields[name].dtype} there"
    if spec.action.dtype != other.action.dtype:
        return f"continuous actions are {spec.action.dtype} here and {other.action.dtype} there"
    return None
