"""Which build of torch suits this machine.

Like `setup.py`, it parses under Python 3.8.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from trouble import SetupError

if TYPE_CHECKING:
    from pathlib import Path


def choose_torch(
    version: str, system: str, machine: str, gpu: bool, override: str
) -> tuple[str, ...]:
    """The requirements to try, in order.

    Args:
        version: the tested version, such as `2.13.0`.
        system: as `platform.system` says it.
        machine: as `platform.machine` says it.
        gpu: whether an NVIDIA GPU is present.
        override: `cpu`, `cuda`, or empty for what suits the machine.
    """
    ordinary = "torch==" + version
    # A local version cannot be met by a CUDA build; where none is offered, pip fails in seconds.
    small_first = (ordinary + "+cpu", ordinary)
    if override:
        return small_first if override == "cpu" and system != "Darwin" else (ordinary,)
    bare_linux = system == "Linux" and machine in ("x86_64", "AMD64") and not gpu
    return small_first if bare_linux else (ordinary,)


def has_gpu() -> bool:
    """Whether an NVIDIA GPU and its driver answer."""
    import subprocess

    if os.path.exists("/dev/nvidiactl"):
        return True
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(
            [tool, "-L"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20
        )
        return answer.returncode == 0 and answer.stdout.strip() != b""
    return False


def installed_torch(packages: Path) -> str | None:
    """The version of torch in these site-packages, with its build: `2.13.0+cpu`; or None."""
    for found in packages.glob("torch-*.dist-info"):
        return found.name[len("torch-") : -len(".dist-info")]
    return None


def tested_torch(constraints: str) -> str:
    """The version of torch that the constraints pin."""
    found = re.search(r"^torch==([^\s+;]+)", constraints, re.MULTILINE)
    if found is None:
        raise SetupError("constraints.txt pins no torch; restore the file from the repository.")
    return found.group(1)


def fits(installed: str | None, version: str, override: str) -> bool:
    """Whether the torch that is there will do: the tested version, of the build asked for."""
    if installed is None or installed.partition("+")[0] != version:
        return False
    return not override or installed.endswith("+cpu") == (override == "cpu")
