"""Writes `constraints.txt` anew: what one real installation of every extra resolves to.

Usage: `python tools/freeze.py [TORCH_VERSION]`; without a version, the one pinned now stays.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from torch_build import choose_torch, tested_torch

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# The versions that understudy is tested with. Written by tools/freeze.py; do not edit by hand.
# No build of torch is named here (+cpu, CUDA): tools/setup.py chooses the one that suits a machine.
"""


def as_constraints(frozen: str) -> str:
    """The lines of `pip freeze` without this project, places on disk and builds of torch.

    Args:
        frozen: what `pip freeze` printed.
    """
    kept: list[str] = []
    for line in frozen.splitlines():
        name, equals, version = line.partition("==")
        if equals and name.lower() != "understudy":
            kept.append(f"{name.lower()}=={version.partition('+')[0]}")
    return HEADER + "\n".join(sorted(kept)) + "\n"


def resolve(torch_version: str) -> str:
    """What pip resolves every extra to, in an empty environment; as `pip freeze` prints it."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    with tempfile.TemporaryDirectory(prefix="understudy-freeze-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        pip = [str(python), "-m", "pip"]
        for choice in choose_torch(
            torch_version, platform.system(), platform.machine(), gpu=False, override=""
        ):
            if subprocess.run([*pip, "install", "--quiet", choice]).returncode == 0:
                break
        target = f"{ROOT}[{','.join(sorted(extras))}]"
        subprocess.run([*pip, "install", "--quiet", f"torch=={torch_version}", target], check=True)
        freeze = [*pip, "freeze", "--all", "--exclude", "pip"]
        return subprocess.run(freeze, check=True, capture_output=True, text=True).stdout


def main(arguments: list[str]) -> int:
    """Writes the file; returns the exit code."""
    path = ROOT / "constraints.txt"
    version = arguments[0] if arguments else tested_torch(path.read_text())
    path.write_text(as_constraints(resolve(version)))
    print(f"{path.name}: {sum('==' in line for line in path.read_text().splitlines())} versions")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
