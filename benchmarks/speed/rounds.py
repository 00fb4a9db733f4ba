"""Runs two programs in turn and compares what they print.

Machines drift and are shared, so a figure of one program alone says little: A and B run one after
the other, round by round, each in a process of its own with one thread, and what counts is the
ratio of the medians. Rates are per CPU-second, which others on the machine change least.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
SOURCE = HERE.parents[1] / "src"


def ask(python: str, script: str, *words: Any) -> dict[str, Any]:
    """The JSON object on the last line that a script of this folder prints."""
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [os.path.abspath(python), "-W", "ignore", str(HERE / script), *map(str, words)],
        cwd=tempfile.gettempdir(),  # MuJoCo leaves its log where it runs
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{script} with {python} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def in_turn(programs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """What each returned, round by round."""
    found: dict[str, list[Any]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            found[name].append(program())
    return found


def medians(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of every number; what is no number is taken from the first answer."""
    return {
        key: statistics.median(a[key] for a in answers) if isinstance(value, float | int) else value
        for key, value in answers[0].items()
    }


def cpu_seconds(work: Callable[[], Any], times: int) -> float:
    """CPU-seconds of one call, over `times` of them."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def median_microseconds(work: Callable[[], Any], times: int, groups: int = 15) -> float:
    """Median CPU-microseconds of one call over groups of `times` calls."""
    cpu_seconds(work, max(1, times // 10))
    return 1e6 * statistics.median(cpu_seconds(work, times) for _ in range(groups))


def write(name: str, found: dict[str, Any]) -> None:
    """Keep the figures beside the scripts, with how busy the machine was."""
    found["cores"], found["load"] = os.cpu_count(), [round(x, 2) for x in os.getloadavg()]
    (HERE / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
