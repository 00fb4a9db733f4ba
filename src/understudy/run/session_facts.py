"""`env.json`: with what a run was begun, and with what it was resumed each time."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from understudy.run.files import write_whole


def add_session(path: Path, seed: int | None) -> tuple[str, ...]:
    """Write down this process beside those that worked on the run before.

    Returns:
        What differs from the last one and may change results, a line each.

    Raises:
        CheckpointError: It cannot be written.
    """
    sessions = _sessions(path)
    now = facts(seed)
    write_whole(path, json.dumps({"sessions": [*sessions, now]}, indent=1).encode())
    before = sessions[-1].get("versions") if sessions else None
    return _differences(before, now["versions"]) if isinstance(before, dict) else ()


def facts(seed: int | None) -> dict[str, Any]:
    """This process: versions, machine, seed, command line, and the commit of its folder."""
    return {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "seed": seed,
        "command": sys.argv,
        "commit": _commit(),
    }


def versions() -> dict[str, str]:
    """Name to version of all that can change a result; torch only if it was loaded."""
    found = {"python": platform.python_version()}
    for name in ("understudy", "numpy", "gymnasium"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    torch = sys.modules.get("torch")
    return found if torch is None else found | {"torch": str(torch.__version__)}


def _sessions(path: Path) -> list[Mapping[str, Any]]:
    """The sessions so far; facts that cannot be read are no reason not to go on."""
    try:
        sessions = json.loads(path.read_bytes())["sessions"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []
    if not isinstance(sessions, list):
        return []
    return [session for session in sessions if isinstance(session, dict)]


def _differences(before: Mapping[str, Any], now: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{name} was {before[name]} and is {version} now: results may differ from those of a run "
        "in one go"
        for name, version in now.items()
        if name in before and before[name] != version
    )


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=2, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
