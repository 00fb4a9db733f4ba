"""Tries a built wheel in an empty environment: it installs, imports and answers `--help`.

Usage: `python tools/smoke_wheel.py dist/understudy-*.whl`
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

from torch_build import choose_torch, tested_torch

ROOT = Path(__file__).resolve().parent.parent
EXPECTED = ("understudy/__init__.py", "understudy/py.typed", "understudy/cli.py")
IMPORT = "import sys, understudy; print(understudy.__file__); sys.exit('torch' in sys.modules)"


def missing_from(wheel: Path) -> list[str]:
    """The expected files that the wheel does not have."""
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in EXPECTED if name not in archive.namelist()]


def install(python: Path, wheel: Path) -> None:
    """Installs torch, then the wheel, with the tested versions."""
    constraints = ROOT / "constraints.txt"
    pip = [str(python), "-m", "pip", "install", "--quiet", "-c", str(constraints)]
    version = tested_torch(constraints.read_text())
    machine = (platform.system(), platform.machine())
    for choice in choose_torch(version, *machine, gpu=False, override=""):
        if subprocess.run([*pip, choice]).returncode == 0:
            break
    subprocess.run([*pip, f"torch=={version}", str(wheel)], check=True)


def try_out(wheel: Path) -> None:
    """Installs the wheel far from the checkout and uses it; raises if anything fails."""
    windows = sys.platform == "win32"
    with tempfile.TemporaryDirectory(prefix="understudy-wheel-") as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / ("Scripts" if windows else "bin")
        python = programs / ("python.exe" if windows else "python")
        install(python, wheel)
        for command in (
            [str(python), "-m", "pip", "check"],
            [str(python), "-c", IMPORT],
            [str(programs / "understudy"), "--help"],
        ):
            subprocess.run(command, cwd=folder, check=True)


def main(arguments: list[str]) -> int:
    """Tries the wheels named; returns the exit code."""
    for wheel in (Path(argument).resolve() for argument in arguments):
        missing = missing_from(wheel)
        if missing:
            print(f"{wheel.name} lacks {', '.join(missing)}")
            return 1
        try:
            try_out(wheel)
        except subprocess.CalledProcessError as error:
            print(f"{wheel.name}: {error}")
            return 1
        print(f"{wheel.name}: installs, imports without torch and answers --help")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
