"""The example programs run, in small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = {
    "clone_lander.py": ["--demos", "3", "--steps", "100", "--episodes", "2", "--save", "policy"],
    "clone_recording.py": ["--demos", "6", "--steps", "20"],
    "inverse_grid.py": [],
    "pipeline.py": [],
    "own_world.py": ["--demos", "5", "--steps", "100", "--episodes", "4"],
}


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    if name == "clone_lander.py":
        pytest.importorskip("Box2D")
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *SMALL[name]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
