"""Runs every check, whatever the others say: format, lint, types, tests.

Usage: `python tools/check.py [--slow] [PYTEST_ARGUMENT...]`

`--slow` takes the slow tests in; anything else goes to pytest. The exit code is 1 if any check
failed. The last line printed is pytest's own summary, such as `123 passed, 2 skipped in 45.00s`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUICK_CHECKS = {
    "format": ["-m", "ruff", "format", "--check", "."],
    "lint": ["-m", "ruff", "check", "."],
    "types": ["-m", "pyright"],
}


def run_check(name: str, command: list[str]) -> bool:
    """Runs one of Python's modules as a check; returns whether it passed."""
    print(f"== {name}", flush=True)
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment).returncode == 0


def run_tests(arguments: list[str]) -> tuple[bool, str]:
    """Runs pytest, showing what it says but for its last line.

    Returns:
        Whether it passed, and the line held back.
    """
    print("== tests", flush=True)
    color = ["--color=yes"] if sys.stdout.isatty() else []
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", *color, *arguments]
    last = ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(last, end="", flush=True)
            last = line
    return process.returncode == 0, last


def main(arguments: list[str]) -> int:
    """Runs all checks; returns the exit code."""
    selection = ["-m", ""] if "--slow" in arguments else []
    rest = [argument for argument in arguments if argument != "--slow"]
    passed = {name: run_check(name, command) for name, command in QUICK_CHECKS.items()}
    passed["tests"], summary = run_tests([*selection, *rest])
    verdicts = [f"{name} {'ok' if good else 'FAILED'}" for name, good in passed.items()]
    print(f"== {', '.join(verdicts)}\n{summary}", end="", flush=True)
    return 0 if all(passed.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
