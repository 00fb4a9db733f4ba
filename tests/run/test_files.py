from __future__ import annotations

import errno
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from failing_disk import FAULTS, FailingDisk, each_call_failing
from understudy.errors import CheckpointError
from understudy.run import files


@pytest.mark.parametrize("fault", FAULTS)
def test_file_is_the_old_or_the_new_one_whatever_call_fails(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"old")
    seen = 0
    for done in each_call_failing(
        monkeypatch, FAULTS[fault], lambda: files.write_whole(path, b"new" * 1000)
    ):
        got = path.read_bytes()
        assert got == b"new" * 1000 or (got == b"old" and not done)
        if FAULTS[fault] > 0:
            assert os.listdir(tmp_path) == ["config.yaml"]
        files.sweep(tmp_path)
        assert os.listdir(tmp_path) == ["config.yaml"]
        path.write_bytes(b"old")
        seen += 1
    assert seen >= 6


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_folder_is_whole_or_absent_or_the_old_one_whatever_call_fails(
    fault: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = {"a.bin": b"old" * 100}, {"a.bin": b"new" * 100, "b.json": b"{}"}
    path = tmp_path / "folder"
    if there:
        files.commit_folder(path, old)
    seen = 0
    for done in each_call_failing(
        monkeypatch, FAULTS[fault], lambda: files.commit_folder(path, new)
    ):
        for _ in range(2):  # Before and after sweeping.
            if there or done:
                got = files.read_folder(path)
                assert got == new or (got == old and not done)
            elif path.exists():
                assert files.read_folder(path) == new
            files.sweep(tmp_path)
            assert set(os.listdir(tmp_path)) <= {"folder"}
        if path.exists():
            files.discard_folder(path)
        if there:
            files.commit_folder(path, old)
        seen += 1
    assert seen >= 15


def test_every_changed_byte_of_a_folder_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    files.commit_folder(path, {"a.bin": bytes(range(256)) * 4, "b.json": b'{"x": 1}'})
    rng = random.Random(1)
    for _ in range(300):
        name = rng.choice(sorted(os.listdir(path)))
        held = (path / name).read_bytes()
        bit = rng.randrange(len(held) * 8)
        changed = bytearray(held)
        changed[bit // 8] ^= 1 << bit % 8
        (path / name).write_bytes(changed)
        with pytest.raises(CheckpointError) as caught:
            files.read_folder(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        (path / name).write_bytes(held)
    assert len(files.read_folder(path)) == 2


def test_what_is_missing_cut_or_grown_is_named(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    files.commit_folder(path, {"a.bin": b"12345", "b.bin": b""})

    def said() -> str:
        with pytest.raises(CheckpointError) as caught:
            files.read_folder(path)
        return str(caught.value).replace(f"{tmp_path}/", "")

    (path / "a.bin").write_bytes(b"1234")
    assert said() == "folder/a.bin: damaged: 4 bytes, expected 5"
    (path / "a.bin").write_bytes(b"12346")
    assert said() == "folder/a.bin: damaged: its sha256 differs from the manifest's"
    (path / "a.bin").unlink()
    assert said() == "folder/a.bin: cannot be read: No such file or directory"
    (path / "a.bin").symlink_to(__file__)
    assert said() == "folder/a.bin: a link, where a file was written"
    (path / "manifest.json").unlink()
    assert said() == "folder: not a complete folder: it has no manifest.json"


def test_manifest_that_somebody_rewrote_is_refused_even_if_it_says_the_same(
    tmp_path: Path,
) -> None:
    files.commit_folder(tmp_path / "folder", {"a": b"1"})
    manifest = tmp_path / "folder" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_bytes()), indent=1))
    with pytest.raises(CheckpointError, match="its own sha256 differs"):
        files.read_folder(tmp_path / "folder")


def test_what_lies_beside_the_written_files_does_not_matter(tmp_path: Path) -> None:
    files.commit_folder(tmp_path / "folder", {"a": b"1"})
    (tmp_path / "folder" / ".DS_Store").write_bytes(b"x")
    assert files.read_folder(tmp_path / "folder") == {"a": b"1"}


@pytest.mark.parametrize(
    "name", ["../a", "/a", "a/b", "", ".a", "..", "manifest.json", "a\0", "c:a"]
)
def test_names_that_lead_out_of_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no name for a file"):
        files.commit_folder(tmp_path / "folder", {name: b""})
    told = {"bytes": 0, "sha256": ""}
    body: dict[str, Any] = {"format": files.FORMAT, "files": {name: told}}
    own = files.hashlib.sha256(files._canonical(body)).hexdigest()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "manifest.json").write_bytes(files._canonical(body | {"sha256": own}))
    with pytest.raises(CheckpointError, match="no name for a file"):
        files.read_folder(tmp_path / "folder")


def test_later_format_is_refused_with_both_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FORMAT", 7)
    files.commit_folder(tmp_path / "folder", {})
    monkeypatch.setattr(files, "FORMAT", 1)
    with pytest.raises(files.NewerError, match=r"format 7, but this understudy reads format 1"):
        files.read_folder(tmp_path / "folder")


def test_disk_that_is_full_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "disk", FailingDisk(2, errno.ENOSPC))
    with pytest.raises(CheckpointError) as caught:
        files.write_whole(tmp_path / "a", b"data")
    assert str(caught.value) == f"{tmp_path / 'a'}: cannot be written: No space left on device"


def test_lines_are_there_at_once_and_a_torn_one_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = files.Lines(path)
    lines.append("one")
    assert path.read_bytes() == b"one\n"
    lines.close()
    lines.close()
    with path.open("ab") as file:
        file.write(b"to")
    lines = files.Lines(path)
    lines.append("two")
    lines.sync()
    lines.close()
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("fault", ["full", "broken", "killed"])
def test_lines_are_whole_whatever_call_fails(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"

    def act() -> None:
        lines = files.Lines(path)
        lines.append("first")
        lines.append("second")
        lines.sync()
        lines.close()

    for done in each_call_failing(monkeypatch, FAULTS[fault], act):
        files.Lines(path).close()
        held = path.read_text().splitlines()
        assert held == ["first", "second"][: len(held)]
        assert not done or len(held) == 2
        path.unlink()


def test_line_after_a_full_disk_follows_the_last_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = files.Lines(tmp_path / "metrics.jsonl")
    lines.append("first")
    monkeypatch.setattr(files, "disk", FailingDisk(1, errno.ENOSPC))
    with pytest.raises(CheckpointError, match="No space left"):
        lines.append("second")
    monkeypatch.setattr(files, "disk", files.Disk())
    lines.append("third")
    lines.close()
    assert (tmp_path / "metrics.jsonl").read_text() == "first\nthird\n"


def test_folders_are_made_with_those_above(tmp_path: Path) -> None:
    files.make_folders(tmp_path / "a" / "b" / "c")
    files.make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be made"):
        files.make_folders(tmp_path / "file" / "x")
