"""Edits in place: only what they name changes, everything comes back, nothing is half done."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from made_up import CHOICES, make_demos, make_episode
from mutants import content
from outside import kill_at
from understudy.data.catalog import Entry
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import ActedBy, End
from understudy.data.formats import container
from understudy.data.formats.editing import delete, edits, pack, rename, tag, undelete, undo
from understudy.data.formats.native import DemoWriter, StoredEpisodes, read_demos, write_demos
from understudy.errors import DemoError

LENGTHS = (5, 7, 9, 11)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Episodes 1 to 4 of 5, 7, 9 and 11 steps."""
    write_demos(tmp_path / "a", make_demos(lengths=LENGTHS))
    return tmp_path / "a"


def listed(path: Path, *, deleted: bool = False) -> dict[int, Entry]:
    stored = StoredEpisodes(path)
    entries = stored.entries(deleted=deleted)
    stored.close()
    return {entry.number: entry for entry in entries}


def shown(path: Path) -> str:
    """A digest of all that the file shows."""
    demos = read_demos(path)
    episodes = list(demos)
    demos.episodes.close()  # type: ignore[attr-defined]
    return content(Demos(demos.spec, episodes))


def rows_of(path: Path, table: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(path)
    found = db.execute(f"SELECT * FROM {table}").fetchall()
    db.close()
    return found


def test_a_deleted_episode_is_hidden_and_the_others_keep_their_numbers(path: Path) -> None:
    delete(path, [2])
    assert {n: e.length for n, e in listed(path).items()} == {1: 5, 3: 9, 4: 11}
    assert {n: e.length for n, e in listed(path, deleted=True).items()} == {2: 7}
    assert shown(path) == content(make_demos(lengths=LENGTHS).pick([0, 2, 3]))


def test_an_edit_writes_nothing_but_the_rows_that_it_names(path: Path) -> None:
    chunks, episodes = rows_of(path, "chunk"), rows_of(path, "episode")
    delete(path, [3])
    assert rows_of(path, "chunk") == chunks
    after = rows_of(path, "episode")
    assert [a == b for a, b in zip(episodes, after, strict=True)] == [True, True, False, True]
    assert os.listdir(path.parent) == ["a"]


def test_every_edit_can_be_undone_one_after_the_other(path: Path) -> None:
    before = rows_of(path, "episode")
    rename(path, 1, "the best")
    tag(path, [1, 2], add=["success", "fast"])
    tag(path, [1], remove=["fast"], add=["slow"])
    delete(path, [1, 3])
    undelete(path, [3])
    assert [edit.verb for edit in edits(path)] == ["rename", "tag", "tag", "delete", "undelete"]
    assert [*listed(path)] == [2, 3, 4]
    undo(path)
    assert [*listed(path)] == [2, 4]
    undo(path)
    first = listed(path)[1]
    assert (first.label, first.tags, first.success) == ("the best", ("success", "slow"), True)
    undo(path)
    assert listed(path)[1].tags == ("success", "fast")
    undo(path)
    undone = undo(path)
    assert undone is not None
    assert (undone.verb, dict(undone.before)) == ("rename", {1: ""})
    assert rows_of(path, "episode") == before
    assert undo(path) is None


def test_what_changes_nothing_is_no_edit(path: Path) -> None:
    assert undelete(path, [1, 2]) is None
    assert tag(path, [1], remove=["never"]) is None
    assert rename(path, 1, "") is None
    assert edits(path) == []


def test_packing_drops_what_was_deleted_and_renumbers_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "a"
    episodes = [make_episode(CHOICES, 2000, rng) for _ in range(4)]
    write_demos(path, Demos(CHOICES, episodes))
    delete(path, [1, 3])
    found = pack(path)
    assert (found.episodes, found.edits) == (2, 1)
    assert found.bytes_after == path.stat().st_size
    assert found.bytes_after < 0.6 * found.bytes_before
    assert [*listed(path)] == [2, 4]
    assert listed(path, deleted=True) == {}
    assert shown(path) == content(Demos(CHOICES, episodes[1::2]))
    assert undo(path) is None
    assert os.listdir(tmp_path) == ["a"]
    with pytest.raises(DemoError, match="no episode is called 1"):
        undelete(path, [1])


def test_nothing_of_a_dropped_episode_is_left_in_the_file(tmp_path: Path) -> None:
    marks = [f"mark of episode {number}" for number in range(3)]
    with DemoWriter(tmp_path / "a", CHOICES, Provenance(format="understudy")) as writer:
        for mark in marks:
            obs = {"obs": np.zeros(2, np.float32)}
            writer.begin(obs, info={"mark": mark}).end(End.UNKNOWN)
    delete(tmp_path / "a", [2])
    assert marks[1].encode() in (tmp_path / "a").read_bytes()
    pack(tmp_path / "a")
    left = (tmp_path / "a").read_bytes()
    assert [mark.encode() in left for mark in marks] == [True, False, True]


def test_recording_goes_on_after_edits_and_they_can_still_be_undone(path: Path) -> None:
    delete(path, [4])
    obs = {"obs": np.zeros(2, np.float32)}
    episode = make_demos(lengths=(1,)).episodes[0]
    with DemoWriter(path, CHOICES, Provenance(format="understudy"), append=True) as writer:
        taken = writer.begin(obs)
        taken.step(episode.action.at(0), 1.0, obs, acted_by=ActedBy.SCRIPT)
        taken.end(End.TERMINATED, tags=["success"])
    assert [*listed(path)] == [1, 2, 3, 5]
    assert listed(path)[5].success is True
    undo(path)
    assert [*listed(path)] == [1, 2, 3, 4, 5]


def test_what_a_killed_recorder_left_open_can_be_edited(tmp_path: Path) -> None:
    obs = {"obs": np.zeros(2, np.float32)}
    step = make_demos(lengths=(1,)).episodes[0].action.at(0)
    writer = DemoWriter(tmp_path / "a", CHOICES, Provenance(format="understudy"))
    for _ in range(2):
        writer.begin(obs).step(step, 1.0, obs)
    writer._db.close()  # type: ignore[union-attr]  # as if it had been killed
    tag(tmp_path / "a", [2], add=["good"])
    delete(tmp_path / "a", [1])
    (entry,) = listed(tmp_path / "a").values()
    assert (entry.number, entry.tags, entry.end, entry.return_) == (2, ("good",), End.OPEN, 1.0)
    (episode,) = read_demos(tmp_path / "a")
    assert episode.tags == ("good",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: delete(path, [1, 9]), "no episode is called 9"),
        (lambda path: tag(path, [1], add=["two words"]), "the tag 'two words'"),
        (lambda path: tag(path, [1], add=["a" * 65]), "up to 64 letters"),
        (lambda path: rename(path, 1, "a" * 70_000), "label of 70000 characters"),
    ],
)
def test_a_refused_edit_leaves_what_was_there(path: Path, change, message: str) -> None:
    before = rows_of(path, "episode"), rows_of(path, "file")
    with pytest.raises(DemoError, match=message):
        change(path)
    assert (rows_of(path, "episode"), rows_of(path, "file")) == before
    assert os.listdir(path.parent) == ["a"]


def test_a_file_that_is_being_recorded_is_not_edited(tmp_path: Path) -> None:
    with (
        DemoWriter(tmp_path / "a", CHOICES, Provenance(format="understudy")),
        pytest.raises(DemoError, match="another process is recording into it"),
    ):
        delete(tmp_path / "a", [1])


def test_what_is_no_file_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello" * 100)
    for change in (lambda p: delete(p, [1]), undo, pack, edits):
        with pytest.raises(DemoError, match="not a demonstration file"):
            change(tmp_path / "text")
        with pytest.raises(DemoError, match="No such file"):
            change(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "said", ["x", [1], [{}], [{"verb": "a", "when": "b", "column": "id", "before": {}}],
             [{"verb": "a", "when": "b", "column": "label", "before": {"1": 7}}],
             [{"verb": "a", "when": "b", "column": "deleted", "before": [1]}]],
)  # fmt: skip
def test_damaged_notes_of_edits_are_refused_in_one_line(path: Path, said: object) -> None:
    from understudy.data.formats import put
    from understudy.data.formats.stored import Index

    db = container.open_to_write(path)
    with container.flushed(db):
        index = Index(db, path)
        index.sessions[-1]["edits"] = said
        put.put_file(db, index.spec_text, index.sessions, index.rows, closed=True)
    container.close_written(db, path)
    for change in (edits, undo):
        with pytest.raises(DemoError, match="its edits is damaged") as error:
            change(path)
        assert "\n" not in str(error.value)
    assert len(listed(path)) == 4


@pytest.mark.parametrize(
    ("column", "said"),
    [
        *(("tags", text) for text in ("", "{}", "[1]", "[" * 100_000, '["a"', "null")),
        *(("info", text) for text in ("", "[]", "1", "{" * 100_000)),
    ],
)
def test_damaged_words_about_an_episode_are_refused_in_one_line(
    path: Path, column: str, said: str
) -> None:
    from understudy.data.formats import put, seal
    from understudy.data.formats.stored import Index

    db = container.open_to_write(path)
    with container.flushed(db):
        index = Index(db, path)
        setattr(index.rows[1], column, said)
        index.rows[1].digest = seal.of_episode(index.rows[1], index.spec_digest, seal.NO_TAIL)
        put.update_row(db, index.rows[1])
        put.put_file(db, index.spec_text, index.sessions, index.rows, closed=True)
    container.close_written(db, path)
    stored = StoredEpisodes(path)
    for read in (stored.entries, lambda: stored[1], lambda: list(stored)):
        with pytest.raises(DemoError) as error:
            read()
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 500
    assert len(stored[0]) == 5


@pytest.mark.parametrize("committed", [False, True])
def test_an_interruption_leaves_the_edit_done_or_not_begun(
    path: Path, committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = container.transaction.__exit__

    def end(self, kind, error, trace) -> None:
        if committed:
            whole(self, kind, error, trace)
        else:
            whole(self, KeyboardInterrupt, KeyboardInterrupt(), None)
        raise KeyboardInterrupt

    before = rows_of(path, "file")
    real = container.flushed

    def interrupted(db):
        monkeypatch.setattr(container.transaction, "__exit__", end)
        return real(db)

    with monkeypatch.context() as patched:
        patched.setattr("understudy.data.formats.editing.flushed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            delete(path, [2])
    monkeypatch.undo()
    assert [*listed(path)] == ([1, 3, 4] if committed else [1, 2, 3, 4])
    assert (rows_of(path, "file") == before) is not committed


EDITOR = """
import sys
from pathlib import Path
from understudy.data.formats.editing import delete, pack, rename, undelete, undo
path = Path(sys.argv[1])
print("ready", flush=True)
for turn in range(100_000):
    delete(path, [1 + turn % 4])
    rename(path, 1 + turn % 3, f"turn {turn}")
    undo(path)
    undelete(path, [1 + turn % 4])
    if turn % 7 == 3:
        pack(path)
"""


def test_an_editor_that_is_killed_at_any_moment_loses_nothing(path: Path) -> None:
    moments, whole, caught = random.Random(0), shown(path), 0
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", EDITOR, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert child.stdout is not None
        child.stdout.readline()
        assert kill_at(child, moments, 0.3), "the editor ended by itself"
        caught += bool(len(os.listdir(path.parent)) > 1)
        hidden = listed(path, deleted=True)
        assert sorted([*listed(path), *hidden]) == [1, 2, 3, 4]
        undelete(path, hidden)
        assert shown(path) == whole
        # What SQLite had just begun to write beside the file goes with the next edit.
        tag(path, [1], add=["seen"])
        assert os.listdir(path.parent) == ["a"]
        tag(path, [1], remove=["seen"])
    assert caught, "no editor was killed in the middle of anything"
