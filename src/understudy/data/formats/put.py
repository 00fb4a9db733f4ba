"""What is put into a demonstration file: rows, chunks, and the texts that describe them."""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from understudy.data.demos import Provenance
from understudy.data.formats import seal
from understudy.data.formats.container import VERSION, Database
from understudy.data.formats.layout import Layout, spec_from_json
from understudy.data.formats.seal import NAMES, Row
from understudy.data.formats.stored import MAX_JSON
from understudy.data.spec import Spec
from understudy.errors import DemoError

COLUMNS = [f'"{name.rstrip("_")}"' for name in NAMES]
INSERT = f"INSERT INTO episode VALUES ({', '.join('?' * len(NAMES))})"
UPDATE = f"UPDATE episode SET {', '.join(f'{c} = ?' for c in COLUMNS[1:])} WHERE id = ?"
STEP = "UPDATE episode SET length = ?, reward = ?, proposed = ?, digest = ? WHERE id = ?"
MAX_LABEL = 1 << 16
TAG = re.compile(r"[\w.:+-]{1,64}")


def insert_row(db: Database, row: Row) -> None:
    """A new episode."""
    db.execute(INSERT, row.values())


def update_row(db: Database, row: Row) -> None:
    """What is now said of an episode."""
    values = row.values()
    db.execute(UPDATE, [*values[1:], values[0]])


def update_steps(db: Database, row: Row) -> None:
    """What a step changes in an episode's row."""
    db.execute(STEP, (row.length, row.reward, row.proposed, row.digest, row.id))


def add_chunk(db: Database, row: Row, rows: int, data: bytes) -> None:
    """The next chunk of an episode; its row then names it and must be sealed."""
    number = row.num_chunks
    db.execute("INSERT INTO chunk VALUES (?, ?, ?, ?)", (row.id, number, rows, data))
    row.chunks += seal.of_chunk(number, rows, data)


def put_file(
    db: Database, spec: str, sessions: list[Any], rows: Iterable[Row], *, closed: bool
) -> None:
    """What the file says of itself, with the digest of all its episodes in order."""
    places = [seal.of_place(row) for row in rows]
    text = json.dumps(sessions)
    digest = seal.of_file(VERSION, spec, text, int(closed), places)
    values = (VERSION, spec, text, int(closed), len(places), digest)
    db.execute("INSERT OR REPLACE INTO file VALUES (1, ?, ?, ?, ?, ?, ?)", values)


def spec_text(spec: Spec) -> str:
    """The spec as JSON.

    Raises:
        DemoError: It would not be the same spec when read.
    """
    Layout(spec)
    try:
        text = json.dumps(spec.to_json(), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DemoError(f"the spec cannot be stored: {error}") from None
    if len(text) > MAX_JSON or spec_from_json(json.loads(text)) != spec:
        raise DemoError("the spec cannot be stored: it would not be the same when read")
    return text


def json_text(value: Any, what: str) -> str:
    """A JSON text from which the same value is read.

    Raises:
        DemoError: It would not be the same; numbers of numpy become plain ones first.
    """
    try:
        text = json.dumps(value, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise DemoError(f"{what} must be JSON values: {error}") from None
    if len(text) > MAX_JSON:
        raise DemoError(f"{what} takes {len(text)} characters, at most {MAX_JSON} are stored")
    return text


def session(provenance: Provenance) -> dict[str, Any]:
    """Who records what, when and with what, as JSON values.

    Raises:
        DemoError: The provenance is not made of texts.
    """
    said = {**asdict(provenance), "versions": dict(provenance.versions)}
    try:
        ours = importlib.metadata.version("understudy")
    except importlib.metadata.PackageNotFoundError:
        ours = "unknown"
    written = {"understudy": ours, "numpy": np.__version__, "python": platform.python_version()}
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return json.loads(
        json_text({**said, "created": created, "written_by": written}, "the provenance")
    )


def label_text(label: str) -> str:
    """A label, once it is certain that it can be stored.

    Raises:
        DemoError: It is too long.
    """
    if len(label) > MAX_LABEL:
        raise DemoError(f"a label of {len(label)} characters, at most {MAX_LABEL} are stored")
    return str(label)


def tags_text(tags: Iterable[str]) -> str:
    """Tags as a JSON list, each once, once it is certain that they can be stored.

    Raises:
        DemoError: One is not a word of up to 64 letters, digits and `. _ : + -`.
    """
    words = list(dict.fromkeys(tags))
    for word in words:
        if not TAG.fullmatch(word):
            raise DemoError(
                f"the tag {word[:80]!r}: expected up to 64 letters, digits and . _ : + -"
            )
    return json.dumps(words)


def sum_of(rewards: Any) -> float | None:
    """The sum of rewards, as an episode says it; None if they are unknown."""
    if rewards is None:
        return None
    total = float(np.sum(rewards, dtype=np.float64))
    # SQLite stores neither nan nor the sign of zero.
    return None if math.isnan(total) else total + 0.0


def seed_text(seed: int | None) -> str | None:
    """A seed in digits: it may be larger than SQLite's integers."""
    return None if seed is None else str(int(seed))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not one")
