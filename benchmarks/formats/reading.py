"""How fast demonstrations are looked at, loaded and drawn from; writes `reading.json` beside this.

    python benchmarks/formats/reading.py [--gigabytes 2]

`demos show` of a million steps, a child process from start to end; pictures of one episode of 200
frames from an `imitation` folder; opening a large file of ours, and batches of 256 random rows of
it as training draws them, from a disk against from memory. What is timed is processor time, so that
what else the machine does counts less; the large file is deleted afterwards.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from compare import SPEC

from understudy.data.action import Action
from understudy.data.demos import Demos, Rows
from understudy.data.episode import End, Episode
from understudy.data.formats import imitation_arrow
from understudy.data.formats.door import load_demos
from understudy.data.formats.native import write_demos
from understudy.data.spec import ActionSpec, Obs, Spec

# By imitation's own loader, for one episode of 200 frames; measured before, on another day.
IMITATION_SECONDS = 3.5
STEPS = 1000


class Made(Sequence[Episode]):
    """As many episodes as asked for, made when they are asked for."""

    def __init__(self, count: int, spec: Spec) -> None:
        self._count, self._spec = count, spec

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._count:
            raise IndexError(index)
        rng = np.random.default_rng(index)
        (name, obs), done = next(iter(self._spec.obs.items())), self._spec.action
        return Episode(
            obs={name: rng.normal(size=(STEPS + 1, *obs.shape)).astype(np.float32)},
            action=Action(
                rng.normal(size=(STEPS, done.continuous)).astype(np.float32),
                np.zeros((STEPS, 0), np.int64),
            ),
            reward=rng.normal(size=STEPS).astype(np.float32),
            acted_by=np.zeros(STEPS, np.uint8),
            end=End.TERMINATED,
        )


def shown(folder: Path) -> dict[str, float]:
    """`demos show` on a million steps."""
    path = folder / "million.demos"
    write_demos(path, Demos(SPEC, Made(1000, SPEC)))
    seconds, most = [], 0
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "understudy", "demos", "show", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        most = max(most, after.ru_maxrss >> 10)
    return {"steps": 1_000_000, "cpu_s": round(statistics.median(seconds), 2), "peak_mib": most}


def pictures(folder: Path) -> dict[str, float]:
    """An episode of 200 pictures out of a folder of `imitation`."""
    rng = np.random.default_rng(0)
    spec = Spec(
        obs={"obs": Obs(kind="image", shape=(84, 84, 3), dtype="uint8")},
        action=ActionSpec(continuous=2),
    )
    episodes = [
        Episode(
            obs={"obs": rng.integers(0, 256, (201, 84, 84, 3), np.uint8)},
            action=Action(np.zeros((200, 2), np.float32), np.zeros((200, 0), np.int64)),
            reward=np.zeros(200),
            acted_by=np.zeros(200, np.uint8),
        )
        for _ in range(5)
    ]
    imitation_arrow.write(folder / "set", Demos(spec, episodes))
    seconds = _cpu(lambda: sum(len(e) for e in load_demos(folder / "set"))) / len(episodes)
    return {
        "cpu_ms_per_episode": round(seconds * 1e3, 2),
        "times_imitation": round(IMITATION_SECONDS / seconds),
    }


def large(folder: Path, gigabytes: float) -> dict[str, float]:
    """Opening a large file, and drawing batches from it."""
    spec = Spec(obs={"obs": Obs(kind="vector", shape=(128,))}, action=ActionSpec(continuous=8))
    path, count = folder / "large.demos", int(gigabytes * 2**30 / (STEPS * 4 * (128 + 8 + 1)))
    write_demos(path, Demos(spec, Made(count, spec)))
    begun = time.perf_counter()
    demos = load_demos(path)
    opened, clock = _cpu(lambda: load_demos(path)), time.perf_counter() - begun
    before, rng = _own(), np.random.default_rng(0)
    begun = time.process_time()
    rows = demos.rows()
    laid_out = time.process_time() - begun
    grown = _own() - before
    few = demos.pick(range(50)).rows()
    assert isinstance(rows.obs["obs"].base, np.memmap)
    assert not isinstance(few.obs["obs"].base, np.memmap)

    def batches(of: Rows, count: int = 200) -> float:
        index = [rng.integers(0, len(of), 256) for _ in range(count)]

        def draw() -> None:
            for at in index:
                _ = of.obs["obs"].take(at, 0), of.action.continuous.take(at, 0)

        return _cpu(draw) / count

    disk, memory = batches(rows), batches(few)
    return {
        "gib": round(path.stat().st_size / 2**30, 2),
        "open_cpu_s": round(opened, 3),
        "open_s": round(clock, 3),
        "laid_out_cpu_s": round(laid_out, 1),
        "batch_of_256_from_disk_ms": round(disk * 1e3, 3),
        "batch_of_256_from_memory_ms": round(memory * 1e3, 3),
        "grown_mib": grown >> 20,
    }


def _cpu(work: Callable[[], object], times: int = 5) -> float:
    seconds = []
    for _ in range(times):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return statistics.median(seconds)


def _own() -> int:
    """Bytes that this process alone holds: pages of files are the machine's to take back."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("RssAnon")]
    return int(line.split()[1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=2)
    args = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    folder = Path(tempfile.mkdtemp())
    try:
        for name, measure in (
            ("show", shown),
            ("imitation pictures", pictures),
            ("large", lambda folder: large(folder, args.gigabytes)),
        ):
            results[name] = measure(folder)
            print(name, results[name], flush=True)
    finally:
        shutil.rmtree(folder)
    text = json.dumps(results, indent=1)
    Path(__file__).with_name("reading.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
