"""The set-up program: what it refuses, what it chooses, what it remembers and what it repairs."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import setup
import torch_build

PYPROJECT = """
[build-system]
requires = ["hatchling"]

[project]
name = "understudy"
dependencies = ["torch"]

[project.optional-dependencies]
plots = ["matplotlib"]
box2d = ["gymnasium[box2d]"]
all = ["understudy[plots, box2d]"]

[tool.ruff]
line-length = 100
"""
NOT_OFFERED = "ERROR: No matching distribution found for torch==2.13.0+cpu\n"
CONFLICT = "ERROR: ResolutionImpossible: torch==2.13.0+cpu and (constraint) torch==2.13.0\n"
UNREACHABLE = (
    "WARNING: Retrying after connection broken by 'NewConnectionError(...)': /simple/torch/\n"
    + NOT_OFFERED
)
ON_POSIX = pytest.mark.skipif(os.name == "nt", reason="locks and scripts of POSIX")


class FakePip:
    """Notes what it is asked, and installs a distribution by writing its `dist-info`."""

    def __init__(self, place: setup.Place) -> None:
        self.place = place
        self.asked: list[list[str]] = []
        self.answers: dict[str, setup.Outcome | BaseException] = {}

    def __call__(self, arguments):
        self.asked.append(list(arguments))
        answer = self.answers.pop(arguments[1], setup.Outcome(0, ""))
        if isinstance(answer, BaseException):
            raise answer
        if answer.code == 0 and arguments[0] == "install":
            self.add(arguments[1].replace("==", "-"))
        if arguments[0] == "uninstall":
            for found in self.place.packages.glob(f"{arguments[-1]}-*"):
                shutil.rmtree(found)
        return answer

    def add(self, name: str, whole: bool = True) -> Path:
        folder = self.place.packages / f"{name}.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").touch()
        if whole:
            (folder / "INSTALLER").touch()
            (folder / "RECORD").touch()
        return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.delenv("UNDERSTUDY_TORCH", raising=False)
    monkeypatch.setattr(setup, "has_gpu", lambda: False)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(setup, "build_venv", build_cheap_venv)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "constraints.txt").write_text("numpy==2.4.6\ntorch==2.13.0\n")
    return setup.Place(tmp_path)


@pytest.fixture
def pip(place, monkeypatch):
    fake = FakePip(place)
    monkeypatch.setattr(setup, "make_pip", lambda *_: fake)
    return fake


def build_cheap_venv(place: setup.Place) -> None:
    shutil.rmtree(place.venv, ignore_errors=True)
    (place.venv / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    place.python.parent.mkdir(parents=True)
    place.python.symlink_to(sys.executable)
    setup.write_stamp(place, phase="begun")


def read_stamp(place: setup.Place) -> dict:
    return json.loads(place.stamp.read_text())


# The interpreter


@pytest.mark.parametrize("name", ["setup", "torch_build", "trouble"])
def test_an_old_python_can_read_the_program(name):
    source = Path(setup.__file__).with_name(f"{name}.py").read_text()
    ast.parse(source, feature_version=(3, 8))


def test_an_old_python_is_refused_in_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 8, 18))
    monkeypatch.setattr(sys, "version", "3.8.18 (default)")
    monkeypatch.setattr(setup, "find_python", lambda: None)
    assert setup.main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "needs Python 3.11, 3.12 or 3.13, but this is 3.8.18" in said.err
    assert "Traceback" not in said.err


@ON_POSIX
def test_a_shim_that_stands_for_nothing_is_passed_over(tmp_path, monkeypatch):
    for name, answer in (("python3.13", "exit 127"), ("python3.12", "echo 3.12")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{answer}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert setup.find_python() == str(tmp_path / "python3.12")


# torch


@pytest.mark.parametrize(
    ("system", "machine", "gpu", "override", "first"),
    [
        ("Linux", "x86_64", False, "", "torch==2.13.0+cpu"),
        ("Linux", "x86_64", True, "", "torch==2.13.0"),
        ("Linux", "aarch64", False, "", "torch==2.13.0"),
        ("Darwin", "arm64", False, "", "torch==2.13.0"),
        ("Windows", "AMD64", False, "", "torch==2.13.0"),
        ("Linux", "x86_64", True, "cpu", "torch==2.13.0+cpu"),
        ("Linux", "x86_64", False, "cuda", "torch==2.13.0"),
        ("Darwin", "arm64", False, "cpu", "torch==2.13.0"),
    ],
)
def test_torch_suits_the_machine(system, machine, gpu, override, first):
    choices = torch_build.choose_torch("2.13.0", system, machine, gpu, override)
    assert choices[0] == first
    assert choices[-1] == "torch==2.13.0"


def test_torch_comes_first_and_stays_as_it_was_chosen(place, pip):
    assert setup.set_up(place, ["plots"]) == 0
    assert pip.asked[0] == ["install", "torch==2.13.0+cpu", "-c", "constraints.txt"]
    assert pip.asked[1][:4] == ["install", "torch==2.13.0+cpu", "-c", "constraints.txt"]
    assert pip.asked[1][4:] == ["-e", ".[plots]"]


@pytest.mark.parametrize("text", [NOT_OFFERED, CONFLICT])
def test_the_ordinary_torch_is_taken_where_no_cpu_build_is_offered(place, pip, capsys, text):
    pip.answers["torch==2.13.0+cpu"] = setup.Outcome(1, text)
    assert setup.set_up(place, []) == 0
    assert [asked[1] for asked in pip.asked[:2]] == ["torch==2.13.0+cpu", "torch==2.13.0"]
    assert capsys.readouterr().err.count("no CPU build of torch is offered here") == 1


def test_a_torch_that_fits_is_kept(place, pip):
    build_cheap_venv(place)
    setup.write_stamp(place, phase="made")
    pip.add("torch-2.13.0")
    assert setup.set_up(place, []) == 0
    assert len(pip.asked) == 1


def test_another_build_of_torch_replaces_the_one_that_is_there(place, pip, monkeypatch):
    assert setup.set_up(place, []) == 0
    monkeypatch.setenv("UNDERSTUDY_TORCH", "cuda")
    assert setup.set_up(place, []) == 0
    assert pip.asked[2] == ["uninstall", "--yes", "torch"]
    assert pip.asked[3][1] == "torch==2.13.0"


def test_an_unknown_build_of_torch_is_refused(place, pip, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_TORCH", "rocm")
    with pytest.raises(setup.SetupError, match="'rocm'; it may be 'cpu', 'cuda' or unset"):
        setup.set_up(place, [])


# The stamp


def test_a_second_run_does_nothing(place, pip, capsys):
    setup.set_up(place, ["all"])
    done = len(pip.asked)
    capsys.readouterr()
    assert setup.set_up(place, ["all"]) == 0
    assert setup.set_up(place, ["plots"]) == 0
    assert len(pip.asked) == done
    assert capsys.readouterr() == ("", "")


def test_extras_add_up(place, pip):
    setup.set_up(place, ["plots"])
    setup.set_up(place, ["box2d"])
    assert pip.asked[-1][-1] == ".[box2d,plots]"
    assert read_stamp(place)["extras"] == ["box2d", "plots"]


def test_an_unknown_extra_is_refused(place, pip):
    with pytest.raises(setup.SetupError, match="no extra 'plot'; there are: all, box2d, plots"):
        setup.set_up(place, ["plot"])


@pytest.mark.parametrize(
    ("file", "before", "after", "needs_set_up"),
    [
        ("pyproject.toml", "line-length = 100", "line-length = 80", False),
        ("pyproject.toml", '"torch"', '"torch", "rich"', True),
        ("constraints.txt", "2.4.6", "2.4.7", True),
    ],
)
def test_only_what_changes_the_installation_costs_a_set_up(
    place, pip, file, before, after, needs_set_up
):
    setup.set_up(place, [])
    done = len(pip.asked)
    path = place.root / file
    path.write_text(path.read_text().replace(before, after))
    setup.set_up(place, [])
    assert (len(pip.asked) > done) == needs_set_up


def test_a_checkout_that_was_moved_is_set_up_anew(place, pip, tmp_path, monkeypatch):
    setup.set_up(place, [])
    moved = setup.Place(tmp_path / "moved")
    moved.root.mkdir()
    for path in (place.venv, place.root / "pyproject.toml", place.root / "constraints.txt"):
        path.rename(moved.root / path.name)
    pip.place = moved
    (moved.venv / "of the old place").touch()
    assert setup.set_up(moved, []) == 0
    assert not (moved.venv / "of the old place").exists()
    assert read_stamp(moved)["root"] == str(moved.root)


# Interruptions


def test_an_interrupted_installation_goes_on(place, pip):
    pip.answers["torch==2.13.0+cpu"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        setup.set_up(place, ["plots"])
    assert read_stamp(place)["phase"] == "made"
    (place.venv / "kept").touch()
    assert setup.set_up(place, ["plots"]) == 0
    assert read_stamp(place)["phase"] == "ready"
    assert (place.venv / "kept").exists()


def test_what_pip_was_unpacking_is_cleared_away(place, pip):
    pip.answers["torch==2.13.0+cpu"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        setup.set_up(place, [])
    (place.scratch / "half a wheel").touch()
    setup.set_up(place, [])
    assert not place.scratch.exists()


def test_an_interrupted_upgrade_is_not_taken_for_ready(place, pip):
    setup.set_up(place, ["plots"])
    pip.answers["torch==2.13.0+cpu"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        setup.set_up(place, ["box2d"])
    setup.set_up(place, ["plots"])
    assert pip.asked[-1][-1] == ".[plots]"


def test_a_half_made_environment_is_made_anew(place, pip):
    build_cheap_venv(place)
    (place.venv / "half").touch()
    assert setup.set_up(place, []) == 0
    assert not (place.venv / "half").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(place, pip):
    setup.set_up(place, [])
    place.python.unlink()
    place.python.symlink_to(place.root / "gone")
    assert setup.set_up(place, []) == 0
    assert place.python.exists()


def test_what_pip_left_half_installed_is_dropped(place, pip):
    build_cheap_venv(place)
    whole = pip.add("numpy-2.4.6")
    half = pip.add("rich-15.0.0", whole=False)
    aside = place.packages / "~ich"
    aside.mkdir()
    assert setup.drop_half_installed(place.packages) == ["rich-15.0.0.dist-info", "~ich"]
    assert whole.exists()
    assert not half.exists()
    assert not aside.exists()


def test_somebody_elses_environment_is_never_removed(place, pip):
    place.venv.mkdir()
    (place.venv / "theirs").touch()
    with pytest.raises(setup.SetupError, match="was not made by this program"):
        setup.set_up(place, [])
    assert (place.venv / "theirs").exists()


@ON_POSIX
def test_a_second_set_up_waits_for_the_first(place, capsys):
    order = []

    def second():
        with setup.alone(place):
            order.append("second")

    with setup.alone(place) as lock:
        assert lock is not None
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert "waiting for it" in capsys.readouterr().err


# Failures


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (UNREACHABLE, "registry cannot be reached"),
        ("ProxyError('Unable to connect to proxy')", "registry cannot be reached"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: Could not install: [Errno 13] Permission denied: 'x'", "not allowed to write"),
        ("ERROR: something new", "pip failed:\n  ERROR: something new\nAll that it said is in"),
    ],
)
@pytest.mark.parametrize("step", ["torch", "project"])
def test_a_failure_is_told_in_words(place, pip, monkeypatch, text, sentence, step):
    if step == "torch":
        monkeypatch.setattr(setup, "choose_torch", lambda *_: ("torch==2.13.0+cpu",))
    else:
        monkeypatch.setattr(setup, "install_torch", lambda *_: "2.13.0+cpu")
    pip.answers["torch==2.13.0+cpu"] = setup.Outcome(1, text)
    with pytest.raises(setup.SetupError) as caught:
        setup.set_up(place, [])
    assert sentence in str(caught.value)
    assert read_stamp(place)["phase"] == "made"


def test_the_ordinary_torch_is_not_tried_without_a_network(place, pip):
    pip.answers["torch==2.13.0+cpu"] = setup.Outcome(1, UNREACHABLE)
    with pytest.raises(setup.SetupError, match="registry cannot be reached"):
        setup.set_up(place, [])
    assert len(pip.asked) == 1


def test_python_without_venv_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(setup.SetupError, match=r"apt install python3\.\d+-venv"):
        setup.build_venv(setup.Place(tmp_path))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device"), "the disk is full"),
        (PermissionError(13, "Permission denied", "/there"), "cannot write to /there"),
        (KeyboardInterrupt(), "run the same command again"),
    ],
)
def test_the_program_ends_with_a_sentence(monkeypatch, capsys, error, sentence):
    def fail(*_):
        raise error

    monkeypatch.setattr(setup, "set_up", fail)
    assert setup.main([]) == (130 if isinstance(error, KeyboardInterrupt) else 2)
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_every_extra_of_the_project_is_known_and_none_is_cut_off():
    root = Path(setup.__file__).parent.parent
    wanted = setup.read_wanted(setup.Place(root), ["dev", "all"], "")
    assert {"box2d", "plots", "tensorboard", "mujoco", "video"} <= wanted.extras


def test_the_constraints_name_versions_only():
    root = Path(setup.__file__).parent.parent
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(line.count("==") == 1 and not set(line) & set("/@+: ") for line in pins)
    assert torch_build.tested_torch("\n".join(lines))


@pytest.mark.slow
def test_a_real_environment_is_made_and_repaired(tmp_path):
    place = setup.Place(tmp_path)
    setup.make_venv(place)
    assert subprocess.call([place.python, "-m", "pip", "--version"]) == 0
    before = read_stamp(place)
    assert before["phase"] == "made"
    setup.make_venv(place)
    assert read_stamp(place) == before
