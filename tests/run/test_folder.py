from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from failing_disk import FAULTS, each_call_failing
from understudy.errors import CheckpointError, ConfigError
from understudy.run import checkpoint, session_facts
from understudy.run.folder import (
    RunFolder,
    check_run_id,
    find_run,
    free_run_id,
    policy_of,
    run_ids,
)

HOLDER = """
import sys, time
from understudy.run.folder import RunFolder
run = RunFolder.create(sys.argv[1], "first", "a: 1\\n")
print("held", flush=True)
time.sleep(60)
"""


def begin(results: Path, run_id: str = "first", text: str = "a: 1\n", **options: Any) -> Path:
    with RunFolder.create(results, run_id, text, **options) as run:
        return run.path


def test_run_is_begun_with_its_config_and_facts(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "results", "first", "a: 1\n", seed=7) as run:
        assert run.run_id == "first"
        assert run.config_yaml == "a: 1\n"
        assert run.moved is None
        [session] = json.loads((run.path / "env.json").read_text())["sessions"]
        assert session["seed"] == 7
        assert {"python", "numpy", "gymnasium", "understudy"} <= set(session["versions"])
        assert session["command"] == sys.argv
        assert run.load() is None


def test_run_that_is_there_is_refused_naming_both_ways_on(tmp_path: Path) -> None:
    path = begin(tmp_path)
    with pytest.raises(ConfigError) as caught:
        begin(tmp_path, text="a: 2\n")
    for word in (str(path), "--resume", "--force", "--run-id"):
        assert word in str(caught.value)
    assert (path / "config.yaml").read_text() == "a: 1\n"


def test_force_moves_the_old_run_aside_and_deletes_nothing(tmp_path: Path) -> None:
    for number in range(3):
        with RunFolder.create(tmp_path, "first", f"a: {number}\n", force=True) as run:
            (run.path / "policy").mkdir()
            old = f"first.old-{number}"
            assert run.moved == (tmp_path / old if number else None)
    kept = {name: (tmp_path / name / "config.yaml").read_text() for name in os.listdir(tmp_path)}
    assert kept == {"first": "a: 2\n", "first.old-1": "a: 0\n", "first.old-2": "a: 1\n"}


def test_folder_that_is_no_run_is_never_moved(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "photos").touch()
    for force in (False, True):
        with pytest.raises(ConfigError, match="another --run-id"):
            begin(tmp_path, force=force)
    assert os.listdir(tmp_path / "first") == ["photos"]


def test_resumed_run_keeps_its_config_and_says_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path)
    with RunFolder.open(tmp_path, "first") as run:
        assert run.config_yaml == "a: 1\n"
        assert run.notes == ()
    monkeypatch.setattr(session_facts, "versions", lambda: {"numpy": "9.9"})
    with RunFolder.open(tmp_path, "first") as run:
        assert len(run.notes) == 1
        assert "and is 9.9 now" in run.notes[0]
        assert len(json.loads((run.path / "env.json").read_text())["sessions"]) == 3


def test_damaged_facts_do_not_stop_a_run(tmp_path: Path) -> None:
    path = begin(tmp_path)
    for text in ("", "{", "[]", '{"sessions": 3}', '{"sessions": [3]}', "[" * 9999):
        (path / "env.json").write_text(text)
        with RunFolder.open(tmp_path, "first") as run:
            assert run.notes == ()


def test_run_that_is_missing_is_said_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run 'x'; there is none at all"):
        RunFolder.open(tmp_path / "none", "x")
    begin(tmp_path, "one")
    begin(tmp_path, "two")
    with pytest.raises(CheckpointError, match="no run 'x'; there are: one, two"):
        find_run(tmp_path, "x")


def test_latest_is_the_run_begun_or_resumed_last(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run 'latest'"):
        find_run(tmp_path, "latest")
    for name in ("b", "c", "a"):
        begin(tmp_path, name)
        time.sleep(0.01)
    assert find_run(tmp_path, "latest").name == "a"
    RunFolder.open(tmp_path, "b").close()
    assert find_run(tmp_path, "latest").name == "b"
    assert run_ids(tmp_path) == ["c", "a", "b"]
    with RunFolder.open(tmp_path, "latest") as run:
        assert run.run_id == "b"


def test_run_is_also_found_by_its_path(tmp_path: Path) -> None:
    path = begin(tmp_path)
    assert find_run("elsewhere", path) == path


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "../a", "/a", "a\\b", "a b", "-a", ".a", "a\n", "latest", "a" * 101,
     "a:b", "a\0", "é", "a.", "first.old", "~", "$a", "a*"],
)  # fmt: skip
def test_run_id_that_no_folder_should_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a name"):
        begin(tmp_path / "results", name)
    assert not (tmp_path / "results").exists()


def test_free_run_id_is_one_that_can_be_begun(tmp_path: Path) -> None:
    for stem in ("LunarLander-v3", "ALE/Pong-v5", "../..", "", "é", "x" * 300, "latest"):
        for _ in range(2):
            begin(tmp_path, check_run_id(free_run_id(tmp_path, stem)))
    names = set(run_ids(tmp_path))
    assert {"LunarLander-v3-1", "LunarLander-v3-2", "ALE-Pong-v5-1", "run-1", "latest-2"} <= names


def test_only_one_process_writes_a_run_and_death_lets_go(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ConfigError, match=f"process {holder.pid} is writing this run"):
        RunFolder.open(tmp_path, "first")
    with pytest.raises(ConfigError, match="is writing this run"):
        begin(tmp_path, force=True)
    assert find_run(tmp_path, "first").name == "first"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with RunFolder.open(tmp_path, "first") as run, pytest.raises(ConfigError):
        RunFolder.open(tmp_path, run.run_id)
    run.close()
    RunFolder.open(tmp_path, "first").close()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("there", [False, True])
def test_whatever_call_fails_no_run_is_lost_and_the_name_can_be_used(
    fault: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_facts, "facts", lambda seed: {"versions": {}})
    count = 0
    results = tmp_path / "0"

    def begin_again() -> None:
        nonlocal count, results
        count += 1
        results = tmp_path / str(count)
        if there:
            old_run(results)
        begin(results, text="new", force=there)

    def old_run(results: Path) -> None:
        (results / "first").mkdir(parents=True)
        (results / "first" / "config.yaml").write_text("old")

    seen = 0
    for done in each_call_failing(monkeypatch, FAULTS[fault], begin_again):
        texts = [path.read_text() for path in results.glob("*/config.yaml")]
        assert texts.count("old") == there
        assert not done or texts.count("new") == 1
        assert set(texts) <= {"old", "new"}
        with RunFolder.create(results, "first", "again", force=True) as run:
            assert run.config_yaml == "again"
            assert not [name for name in os.listdir(run.path) if name.startswith(".tmp-")]
        assert [p.read_text() for p in results.glob("*/config.yaml")].count("old") == there
        seen += 1
    assert seen > 10


def test_checkpoints_are_loaded_from_the_run(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "first", "") as run:
        checkpoint.save(run.checkpoints, 3, {"a": 1})
        loaded = run.load()
        assert loaded is not None
        assert loaded[:2] == (3, {"a": 1})


def test_policy_of_a_run_that_has_none_is_refused(tmp_path: Path) -> None:
    begin(tmp_path)
    with pytest.raises(CheckpointError, match="no policy yet"):
        policy_of("first", tmp_path)


def test_text_that_cannot_be_written_leaves_the_name_free(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError):
        begin(tmp_path / "file" / "results")
