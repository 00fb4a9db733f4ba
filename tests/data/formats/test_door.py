from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import demo_files as w
from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import Episode
from understudy.data.formats.door import load_demos
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError

ONE = w.old_brain([1], continuous=True)


def _demo(path: Path, steps: int = 3) -> Path:
    path.write_bytes(w.demo_file(ONE, w.walk(steps + 1)))
    return path


def _expert(path: Path) -> Path:
    starts = np.array([True, False, False])
    with path.open("wb") as file:
        np.savez(
            file, actions=np.ones((3, 1)), obs=np.ones((3, 2)), rewards=np.ones(3),
            episode_starts=starts,
        )  # fmt: skip
    return path


def _imitation(path: Path) -> Path:
    with path.open("wb") as file:
        np.savez(
            file, acts=np.ones((3, 1)), obs=np.ones((4, 2)), terminal=np.array([True]),
            indices=np.zeros(0, int), infos=np.array([{}] * 3, object),
        )  # fmt: skip
    return path


def _native(path: Path) -> Path:
    from understudy.data.formats.native import write_demos

    spec = Spec(obs={"obs_0": Obs(kind="vector", shape=(2,))}, action=ActionSpec(continuous=1))
    action = Action(np.ones((3, 1), np.float32), np.zeros((3, 0), np.int64))
    obs = {"obs_0": np.ones((4, 2), np.float32)}
    episode = Episode(obs=obs, action=action, reward=np.ones(3), acted_by=np.zeros(3, np.uint8))
    write_demos(path, Demos(spec, [episode]))
    return path


def _said(source, **options) -> str:
    with pytest.raises(DemoError) as caught:
        load_demos(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("write", "format"),
    [
        (_demo, "mlagents"),
        (_expert, "stable-baselines expert"),
        (_imitation, "imitation"),
        (_native, "understudy"),
    ],
)
def test_a_file_is_what_is_in_it_whatever_its_name(tmp_path: Path, write, format: str) -> None:
    for name in ("a.demo", "b.npz", "c.txt", "d"):
        demos = load_demos(write(tmp_path / name))
        assert demos.provenance.format == format
        assert demos.num_steps == 3
        assert demos.provenance.files == (str(tmp_path / name),)


def test_a_path_may_be_text(tmp_path: Path) -> None:
    assert len(load_demos(str(_demo(tmp_path / "a.demo")))) == 1


def test_a_folder_is_the_union_of_its_demonstrations_by_name(tmp_path: Path) -> None:
    _demo(tmp_path / "b.demo", 2)
    _demo(tmp_path / "a.demo", 3)
    _native(tmp_path / "c")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").touch()
    (tmp_path / "inner").mkdir()
    _demo(tmp_path / "inner" / "d.demo", 9)
    demos = load_demos(tmp_path)
    assert demos.lengths.tolist() == [3, 2, 3]
    assert [Path(file).name for file in demos.provenance.files] == ["a.demo", "b.demo", "c"]


def test_a_sequence_of_files_and_folders_is_one_set_in_that_order(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    _demo(tmp_path / "x" / "a.demo", 1)
    demos = load_demos([_demo(tmp_path / "b.demo", 2), tmp_path / "x"])
    assert demos.lengths.tolist() == [2, 1]


def test_the_alignment_goes_to_the_files_that_leave_a_choice(tmp_path: Path) -> None:
    path = _demo(tmp_path / "a.demo")
    assert load_demos(path, alignment="same_record").provenance.alignment == "same_record"
    assert "expected one of auto" in _said(_expert(tmp_path / "b"), alignment="next")


def test_a_spec_decides_or_must_fit(tmp_path: Path) -> None:
    spec = Spec(obs={"place": Obs(kind="vector", shape=(2,))}, action=ActionSpec(continuous=1))
    assert load_demos(_expert(tmp_path / "a"), spec=spec).spec == Spec(
        obs={"place": Obs(kind="vector", shape=(2,))}, action=ActionSpec(continuous=1)
    )
    path = _demo(tmp_path / "b.demo")
    assert "read for (an environment, say): observation 'place'" in _said(path, spec=spec)
    assert "does not fit what it is read for" in _said(_native(tmp_path / "c"), spec=spec)


def test_files_of_different_tasks_are_not_joined(tmp_path: Path) -> None:
    other = tmp_path / "b.demo"
    other.write_bytes(
        w.demo_file(w.old_brain([3]), [w.record([w.observation([1])], vector=[0])] * 3)
    )
    said = _said([_demo(tmp_path / "a.demo"), other])
    assert "does not fit" in said
    assert "a.demo" in said
    assert "b.demo" in said


def test_nothing_to_read_is_said_in_one_line(tmp_path: Path) -> None:
    assert "no such file" in _said(tmp_path / "nowhere.demo")
    assert "no such file" in _said([_demo(tmp_path / "a.demo"), tmp_path / "nowhere"])
    assert _said([]) == "no demonstrations were given"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "it holds no file" in _said(empty)
    for i in range(12):
        (empty / f"file{i}.txt").write_text("hello")
    said = _said(empty)
    assert "file0.txt, file1.txt, file10.txt" in said
    assert ", ..." in said
    (tmp_path / "zero.demo").touch()
    assert "zero.demo: byte 0: an empty file" in _said(tmp_path / "zero.demo")
    assert "zero byte" in _said("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in _said(tmp_path / "pipe")
    assert "neither a file nor a folder" in _said(os.devnull)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything"
)
def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    path = _demo(tmp_path / "a.demo")
    path.chmod(0)
    assert "it cannot be read (permission denied)" in _said(path)


def test_what_may_not_be_read_is_said_for_any_reason(tmp_path: Path, monkeypatch) -> None:
    path = _demo(tmp_path / "a.demo")

    def denied(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "it cannot be read (permission denied)" in _said(path)


def test_a_folder_does_not_pass_over_a_broken_demonstration(tmp_path: Path) -> None:
    _demo(tmp_path / "a.demo")
    (tmp_path / "b.demo").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0")
    assert "b.demo: byte 0: a Git LFS pointer" in _said(tmp_path)
    (tmp_path / "b.demo").write_bytes(b"")
    assert "b.demo: byte 0: an empty file" in _said(tmp_path)
    (tmp_path / "b.demo").write_bytes(_demo(tmp_path / "c.demo").read_bytes()[:-60])
    assert "b.demo: byte" in _said(tmp_path)


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def _hdf5(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return out.getvalue()


def _npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.arange(3))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        *[(pickle.dumps([{"seen": 1}], protocol), "a Python pickle") for protocol in range(6)],
        *[
            (pickle.dumps({"obs": np.ones(3)}, protocol), "a Python pickle")
            for protocol in range(6)
        ],
        (_zip(archive__data__pkl=b"", **{"archive/data.pkl": b""}), "PyTorch"),
        (_zip(data=b"{}", **{"policy.pth": b""}), "Stable-Baselines3"),
        (_hdf5(weights=np.ones(3)), "an HDF5 file without the arrays"),
        (b"ARROW1\0\0" + bytes(100), "an Arrow file that stands alone"),
        (b"a,b,c\n1,2,3\n", "names do not tell"),
        (_npy(), "a single numpy array"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (_zip(**{"a.demo": b"x"}), "zip file without the arrays"),
        (gzip.compress(b"x" * 100, mtime=0), "unpack it first"),
        (bytes(257) + b"ustar" + bytes(100), "a tar archive"),
        (b"SQLite format 3\0" + bytes(100), "database"),
        (b"what is this", "77 68 61 74 20 69 73 20, which begin no known file"),
    ],
)
def test_other_files_are_named_and_advised_about(tmp_path: Path, data: bytes, found: str) -> None:
    path = tmp_path / "file.demo"
    path.write_bytes(data)
    said = _said(path)
    assert found in said
    assert "expected an understudy recording, an ML-Agents .demo" in said


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    for protocol in range(6):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(Bomb(), protocol))
        _said(tmp_path / "a.pkl")
    path = tmp_path / "b.npz"
    np.savez(
        path, acts=np.ones(3), obs=np.array([Bomb()] * 4, object), terminal=np.array([True]),
        indices=np.zeros(0, int), infos=np.array([Bomb()], object),
    )  # fmt: skip
    assert "could run any code" in _said(path)
    assert not (tmp_path / "ran").exists()


def test_a_folder_of_lerobot_without_a_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "info.json").write_text(json.dumps({}))
    assert "version None of LeRobot's layout" in _said(tmp_path)


def test_all_of_a_folder_with_real_recordings_does_not_fit_together() -> None:
    assert "does not fit" in _said(w.real("ExpertBasic.demo").parent)
