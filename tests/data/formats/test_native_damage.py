from __future__ import annotations

import json
import random
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mutants import GIB, Outcome, content, mutants, survive
from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode
from understudy.data.formats import put, seal
from understudy.data.formats.layout import DELTA, HEAD
from understudy.data.formats.native import StoredEpisodes, read_demos, write_demos
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError

SPEC = Spec(
    obs={
        "eye": Obs(kind="image", shape=(8, 8, 1), dtype="uint8"),
        "others": Obs(kind="entities", shape=(3, 2)),
    },
    action=ActionSpec(continuous=2, branches=(4,)),
)


def reads(path: Path) -> str:
    """What a file says, read whole."""
    demos = read_demos(path)
    try:
        return content(demos)
    finally:
        demos.episodes.close()  # type: ignore[attr-defined]


def small_demos(episodes: int = 4, steps: int = 12) -> Demos:
    rng = np.random.default_rng(0)
    return Demos(SPEC, [_episode(rng, steps + n) for n in range(episodes)], OURS)


OURS = Provenance(format="understudy", env_id="Reach-v0", versions={"sim": "3.1"}, actor="script")


def _episode(rng: np.random.Generator, steps: int) -> Episode:
    return Episode(
        obs={
            "eye": rng.integers(0, 256, (steps + 1, 8, 8, 1), np.uint8),
            "others": rng.normal(size=(steps + 1, 3, 2)).astype(np.float32),
            "others.present": rng.random((steps + 1, 3)) < 0.5,
        },
        action=Action(
            rng.normal(size=(steps, 2)).astype(np.float32), rng.integers(0, 4, (steps, 1))
        ),
        reward=rng.normal(size=steps),
        acted_by=np.ones(steps, np.uint8),
        end=End.TERMINATED,
        label=f"episode {steps}",
        seed=steps,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """A small file and what it says."""
    path = tmp_path_factory.mktemp("whole") / "a"
    write_demos(path, small_demos())
    return path.read_bytes(), reads(path)


def same_or_refused(outcomes: list[Outcome], said: str) -> int:
    """How many files were refused; the others said exactly the same."""
    for outcome in outcomes:
        assert outcome.kind in ("read", "refused"), outcome
        assert outcome.kind != "read" or outcome.text == said, f"different data: {outcome}"
        assert "\n" not in outcome.text
        assert outcome.kind != "refused" or "/mutant: " in outcome.text
        assert outcome.peak < GIB // 4
    return sum(outcome.kind == "refused" for outcome in outcomes)


def test_no_mutant_is_read_as_different_data(whole: tuple[bytes, str]) -> None:
    data, said = whole
    outcomes = survive(reads, mutants(data, 1200, random.Random(0)))
    assert same_or_refused(outcomes, said) > 700
    # The page of the schema, where SQLite itself is at work, is small: mutate it more.
    front = (head + data[4096:] for head in mutants(data[:4096], 300, random.Random(1)))
    assert same_or_refused(survive(reads, front), said) > 150


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_none_of_ten_thousand_mutants_is_read_as_different_data(whole: tuple[bytes, str]) -> None:
    data, said = whole
    outcomes = survive(reads, mutants(data, 10_000, random.Random(3)))
    assert same_or_refused(outcomes, said) > 5800


def test_no_mutant_of_b_tree_pages_is_read_as_different_data(whole: tuple[bytes, str]) -> None:
    data, said = whole

    def pages() -> Iterator[bytes]:
        rng = random.Random(2)
        for _ in range(500):
            page = 4096 * rng.randrange(len(data) // 4096)
            # Cell counts, pointers and sizes stand at a page's beginning, rows at its end.
            at = page + rng.choice((rng.randrange(16), rng.randrange(64), rng.randrange(4096)))
            value = rng.choice((0, 1, 5, 10, 13, 127, 128, 255, rng.randrange(256)))
            yield data[:at] + bytes([value]) + data[at + 1 :]

    same_or_refused(survive(reads, pages()), said)


def test_truncated_anywhere_is_refused(whole: tuple[bytes, str]) -> None:
    data, said = whole
    rng = random.Random(0)
    lengths = [*range(0, 120, 7), 511, 512, 513, *(rng.randrange(len(data)) for _ in range(60))]
    lengths += [
        n for page in range(0, len(data), 4096) for n in (page - 1, page, page + 1) if n > 0
    ]
    outcomes = survive(reads, (data[:n] for n in lengths))
    assert same_or_refused(outcomes, said) == len(lengths)


def edit(path: Path, *statements: str, seal_file: bool = False) -> None:
    """Changes a file by SQL; sealed anew if asked for, as somebody who means harm would."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA writable_schema=ON")
    for statement in statements:
        db.execute(statement)
    if seal_file:
        reseal(db)
    db.close()


def reseal(db: sqlite3.Connection) -> None:
    spec, sessions, closed = db.execute("SELECT spec, sessions, closed FROM file").fetchone()
    rows = [seal.Row(*values) for values in db.execute("SELECT * FROM episode ORDER BY id")]
    for row in rows:
        chunks = db.execute(
            "SELECT number, rows, data FROM chunk WHERE episode = ? ORDER BY number", (row.id,)
        )
        row.chunks = b"".join(seal.of_chunk(*chunk) for chunk in chunks)
        row.digest = seal.of_episode(row, seal.of_spec(spec), bytes(32))
        put.update_row(db, row)
    put.put_file(db, spec, json.loads(sessions), rows, closed=bool(closed))


CHANGES = {
    "an episode dropped": "DELETE FROM episode WHERE id = 4",
    "an episode and its chunks dropped": "DELETE FROM episode WHERE id = 2; "
    "DELETE FROM chunk WHERE episode = 2; UPDATE file SET episodes = 3",
    "two episodes swapped": "UPDATE episode SET id = 9 WHERE id = 1; "
    "UPDATE episode SET id = 1 WHERE id = 2; UPDATE episode SET id = 2 WHERE id = 9",
    "an episode moved to the end": "UPDATE episode SET id = 7 WHERE id = 1; "
    "UPDATE chunk SET episode = 7 WHERE episode = 1",
    "an episode doubled": 'INSERT INTO episode SELECT 5, session, seed, agent, "group", team, '
    'label, info, tags, deleted, "end", final_obs_known, length, "return", reward, proposed, '
    "chunks, digest FROM episode WHERE id = 1; INSERT INTO chunk SELECT 5, number, rows, data "
    "FROM chunk WHERE episode = 1; UPDATE file SET episodes = 5",
    "chunks swapped": "UPDATE chunk SET episode = 9 WHERE episode = 1; "
    "UPDATE chunk SET episode = 1 WHERE episode = 2; "
    "UPDATE chunk SET episode = 2 WHERE episode = 9",
    "a chunk dropped": "DELETE FROM chunk WHERE episode = 3",
    "a chunk too many": "INSERT INTO chunk VALUES (3, 1, 1, x'00')",
    "a step too many": "INSERT INTO step VALUES (3, 1, x'00')",
    "another end": """UPDATE episode SET "end" = 'truncated' WHERE id = 1""",
    "another seed": "UPDATE episode SET seed = '8' WHERE id = 1",
    "another return": 'UPDATE episode SET "return" = 5.0 WHERE id = 1',
    "deleted": "UPDATE episode SET deleted = 1 WHERE id = 1",
    "another length": "UPDATE episode SET length = length - 1 WHERE id = 1",
    "rows said otherwise": "UPDATE chunk SET rows = rows - 1 WHERE episode = 1",
    "another spec": "UPDATE file SET spec = replace(spec, 'others', 'fathers')",
    "another environment": "UPDATE file SET sessions = replace(sessions, 'Reach', 'Touch')",
    "left open": "UPDATE file SET closed = 0",
    "not ended": """UPDATE episode SET "end" = 'recording' WHERE id = 4""",
    "a text for a number": "UPDATE episode SET agent = 'a' WHERE id = 1",
    "a number for a text": "UPDATE episode SET label = x'00' WHERE id = 1",
    "no description": "DELETE FROM file",
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_row_that_was_changed_is_refused(
    name: str, whole: tuple[bytes, str], tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(whole[0])
    edit(path, *CHANGES[name].split("; "))
    with pytest.raises(DemoError) as error:
        reads(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")


SCHEMAS = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON step BEGIN DELETE FROM episode; END",
    "view": "CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT max(i) FROM n",
    "table": "CREATE TABLE more (a)",
    "index": "CREATE INDEX i ON episode (label)",
    "generated column": "ALTER TABLE step ADD COLUMN a AS (length(data))",
    "virtual table": "CREATE VIRTUAL TABLE v USING fts5(a)",
    "view for a table": "DROP TABLE step; CREATE VIEW step AS WITH RECURSIVE n(i) AS "
    "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 1 AS episode, i AS unit, zeroblob(i) AS data "
    "FROM n",
    "other sql": "UPDATE sqlite_master SET sql = sql || ' ' WHERE name = 'step'",
    "huge sql": "UPDATE sqlite_master SET sql = sql || printf('%.*c', 50000000, ' ') "
    "WHERE name = 'step'",
    "broken sql": "UPDATE sqlite_master SET sql = 'CREATE TABLE step (' WHERE name = 'step'",
    "same page twice": "UPDATE sqlite_master SET rootpage = 2 WHERE name = 'step'",
    "page of nowhere": "UPDATE sqlite_master SET rootpage = 99999999 WHERE name = 'chunk'",
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_that_is_not_ours_is_refused_at_once(
    name: str, whole: tuple[bytes, str], tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(whole[0])
    edit(path, *SCHEMAS[name].split("; ") if name == "view for a table" else [SCHEMAS[name]])
    (outcome,) = survive(reads, [path.read_bytes()])
    assert_refused_at_once(outcome)


def assert_refused_at_once(outcome: Outcome) -> None:
    assert outcome.kind == "refused", outcome
    assert "\n" not in outcome.text
    assert len(outcome.text) < 500
    assert outcome.seconds < 2
    assert outcome.peak < 256 << 20


def _spec(**changes: object) -> str:
    said = SPEC.to_json()
    for key, value in changes.items():
        place, _, last = key.rpartition("__")
        target = said
        for part in place.split("__") if place else []:
            target = target[part]
        target[last] = value
    return "UPDATE file SET spec = '" + json.dumps(said).replace("'", "''") + "'"


HOSTILE: dict[str, Callable[[], str]] = {
    "huge observation": lambda: _spec(obs__eye__shape=[1 << 20, 1 << 20, 1 << 20]),
    "huge number": lambda: _spec(obs__eye__shape=[10**40, 1, 1]),
    "negative": lambda: _spec(obs__eye__shape=[-1, 1, 1]),
    "fraction": lambda: _spec(obs__eye__shape=[1.5, 1, 1]),
    "text": lambda: _spec(obs__eye__shape="abc"),
    "many dimensions": lambda: _spec(obs__others__shape=[1] * 70),
    "many actions": lambda: _spec(action__continuous=1 << 30),
    "many actions with bounds": lambda: _spec(action__continuous=1 << 40),
    "huge branch": lambda: _spec(action__branches=[1 << 62]),
    "object": lambda: _spec(obs__eye__dtype="object"),
    "record": lambda: _spec(obs__eye__dtype="V99999999999"),
    "text dtype": lambda: _spec(obs__eye__dtype="U99999999"),
    "list dtype": lambda: _spec(obs__eye__dtype=["f4"]),
    "unknown key": lambda: _spec(obs__eye__colour="red"),
    "no object": lambda: "UPDATE file SET spec = '[]'",
    "no JSON": lambda: "UPDATE file SET spec = '{'",
    "deep JSON": lambda: f"UPDATE file SET spec = '{'[' * 200_000}'",
    "deep info": lambda: f"UPDATE episode SET info = '{'[' * 200_000}'",
    "large JSON": lambda: "UPDATE file SET spec = printf('%.*c', 40000000, ' ') || spec",
    "large info": lambda: (
        "UPDATE episode SET info = printf('%.*c', 40000000, ' ') || info WHERE id = 1"
    ),
    "large label": lambda: "UPDATE episode SET label = printf('%.*c', 70000000, 'a') WHERE id = 1",
    "long": lambda: "UPDATE episode SET length = 1 << 40",
    "long with rows": lambda: "UPDATE chunk SET rows = (1 << 40) + 1",
    "many rows": lambda: "UPDATE chunk SET rows = 1 << 62",
    "rewards": lambda: "UPDATE episode SET reward = 'object'",
    "other rewards": lambda: "UPDATE episode SET reward = 'float32'",
    "no rewards": lambda: "UPDATE episode SET reward = NULL",
    "empty chunk": lambda: "UPDATE chunk SET data = x''",
    "text chunk": lambda: "UPDATE chunk SET data = 'abc'",
    "nothing but zeros": lambda: "UPDATE chunk SET data = zeroblob(100000)",
    "huge column": lambda: "UPDATE chunk SET data = x'01ffffffffffffff7f'",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_whose_seals_are_right_is_refused_at_once(
    name: str, whole: tuple[bytes, str], tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(whole[0])
    edit(path, HOSTILE[name](), seal_file=name not in ("deep JSON", "text chunk", "text"))
    (outcome,) = survive(reads, [path.read_bytes()], memory=GIB)
    assert_refused_at_once(outcome)


def test_a_column_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_demos(path, small_demos(1))
    bomb = zlib.compress(bytes(600 << 20), 9)
    db = sqlite3.connect(path, isolation_level=None)
    (data,) = db.execute("SELECT data FROM chunk").fetchone()
    _, size = HEAD.unpack_from(data)
    mutant = HEAD.pack(DELTA, len(bomb)) + bomb + data[HEAD.size + size :]
    db.execute("UPDATE chunk SET data = ?", (mutant,))
    reseal(db)
    db.close()
    (outcome,) = survive(reads, [path.read_bytes()], memory=GIB // 4)
    assert_refused_at_once(outcome)
    assert "obs/eye' is not the 832 bytes that the spec asks for" in outcome.text


def test_a_stored_value_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_demos(path, small_demos(1))
    db = sqlite3.connect(path, isolation_level=None)
    (data,) = db.execute("SELECT data FROM chunk").fetchone()
    number = small_demos(1).episodes[0].obs["others"][3, 1, 1].tobytes()
    assert data.count(number) == 1
    db.execute("UPDATE chunk SET data = ?", (data.replace(number, b"\0\0\xc0\x7f"),))
    reseal(db)
    db.close()
    with pytest.raises(DemoError, match=r"a: episode 1: observation 'others' is nan at step 3"):
        StoredEpisodes(path)[0]


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_demos(path, small_demos())
    episodes = StoredEpisodes(path)
    edit(path, "UPDATE chunk SET data = zeroblob(length(data))", seal_file=True)
    with pytest.raises(DemoError, match=r"episode 2: chunk 0 .* is not what was recorded"):
        episodes[1]
    episodes.close()


def test_a_journal_that_names_another_file_is_refused(tmp_path: Path) -> None:
    path, precious = tmp_path / "a", tmp_path / "precious"
    write_demos(path, small_demos(1))
    precious.write_text("keep")
    name = str(precious).encode()
    tail = name + len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big")
    Path(f"{path}-journal").write_bytes(bytes(512) + tail + bytes.fromhex("d9d505f920a163d7"))
    with pytest.raises(DemoError, match="a-journal speaks of another file"):
        reads(path)
    assert precious.read_text() == "keep"
