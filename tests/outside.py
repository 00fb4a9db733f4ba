"""The command as a person or a program meets it: a process, its words, its streams, its folders."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PYTHON = (sys.executable, "-m", "understudy")
SOURCE = Path(__file__).parents[1] / "src"
SMALL = ("net.hidden=[16]", "keep.tensorboard=false", "held_out.folds=0")
"""Settings for runs that only have to happen."""
POLICIES = ("policy", "policy-best", "policy-last")


def surroundings() -> dict[str, str]:
    """Those of this process, with the package under test in front."""
    return {**os.environ, "PYTHONPATH": str(SOURCE)}


def understudy(
    *words: object, cwd: Path, code: int = 0, command: Sequence[str] = PYTHON
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, which must have this exit code."""
    done = subprocess.run(
        [*command, *map(str, words)],
        cwd=cwd,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done


def answer(*words: object, cwd: Path) -> dict[str, Any]:
    """What the command tells a program: one JSON object on standard output and nothing else."""
    found = json.loads(understudy(*words, "--json", cwd=cwd).stdout)
    assert isinstance(found, dict)
    return found


def refusal(*words: object, cwd: Path) -> str:
    """The one line that a user reads whose words the command refuses.

    Nothing is on standard output, and no file is there, gone or other than before.
    """
    before = contents(cwd)
    done = understudy(*words, cwd=cwd, code=2)
    assert done.stdout == ""
    assert contents(cwd) == before
    (line,) = done.stderr.splitlines()
    assert line.startswith("understudy")
    return line


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes; folders by their names alone.

    Without the locks, which say who came last.
    """
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if path.name != ".lock"
    }


def policies(run: Path) -> dict[str, bytes]:
    """The files of a run's policies."""
    found = {name: contents(run / name) for name in POLICIES}
    assert all(found.values())
    return {f"{name}/{file}": data for name, files in found.items() for file, data in files.items()}


def begin(*words: object, cwd: Path, command: Sequence[str] = PYTHON) -> subprocess.Popen[str]:
    """Start the command and leave it alone."""
    return subprocess.Popen(
        [*command, *map(str, words)],
        cwd=cwd,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until something is true while the process is at work."""
    while not true():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def kill_at(process: subprocess.Popen[str], moments: random.Random, span: float) -> bool:
    """Send SIGKILL at a random moment of the next `span` seconds; whether that came before the end.

    What the process says is read all the while, so that it never waits for a reader.
    """
    try:
        _, errors = process.communicate(timeout=moments.uniform(0, span))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    assert process.returncode == 0, errors
    return False
