"""The two commands of a fresh machine, and their relatives."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = ("run", "check", ".ci/run")
ON_POSIX = pytest.mark.skipif(os.name == "nt", reason="these are scripts of POSIX")


@ON_POSIX
@pytest.mark.parametrize("name", SCRIPTS)
def test_script_may_be_executed(name):
    assert os.access(ROOT / name, os.X_OK)


@ON_POSIX
@pytest.mark.parametrize("name", ["run", "check"])
def test_script_is_one_that_any_shell_reads(name):
    script = ROOT / name
    assert script.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0


@ON_POSIX
def test_ci_calls_the_check_that_people_call():
    assert "./check" in (ROOT / ".ci" / "run").read_text()
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False).returncode == 0


@pytest.mark.parametrize("name", ["run", "check"])
def test_windows_has_a_script_of_the_same_name_and_extras(name):
    posix, windows = (ROOT / name).read_text(), (ROOT / f"{name}.cmd").read_text()
    extras = posix.split("setup.py")[1].strip('" ').split()[0]
    assert f"{extras} ||" in windows


@ON_POSIX
def test_run_keeps_the_folder_and_the_arguments_of_its_user(tmp_path):
    project = tmp_path / "a project"
    for folder in (project / "tools", project / ".venv" / "bin", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (project / "run").write_bytes((ROOT / "run").read_bytes())
    (project / "tools" / "setup.py").touch()
    program = project / ".venv" / "bin" / "understudy"
    program.write_text('#!/bin/sh\npwd\nfor a in "$@"; do echo "<$a>"; done\nexit 7\n')
    for script in (project / "run", program):
        script.chmod(0o755)

    def run(*arguments):
        return subprocess.run(
            ["../a project/run", *arguments],
            cwd=tmp_path / "elsewhere",
            capture_output=True,
            text=True,
            check=False,
        )

    with_arguments = run("learn", "two words", "")
    assert with_arguments.stdout.splitlines()[1:] == ["<learn>", "<two words>", "<>"]
    assert Path(with_arguments.stdout.splitlines()[0]).name == "elsewhere"
    assert with_arguments.returncode == 7
    assert run().stdout.splitlines()[1:] == ["<tour>"]


@ON_POSIX
def test_run_stops_where_set_up_stops(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "setup.py").write_text("import sys; sys.exit(2)")
    (tmp_path / "run").write_bytes((ROOT / "run").read_bytes())
    done = subprocess.run(["sh", tmp_path / "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == ""
