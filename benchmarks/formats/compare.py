"""Compares containers for demonstrations and writes `results.json` beside this file.

    python benchmarks/formats/compare.py [--quick]

What is timed: steps per second while every one is acknowledged; loading and checking a million
steps in a thousand episodes; a batch of 256 random rows straight from the file; the file's size;
and, after a SIGKILL at a random moment, how many acknowledged steps are missing and how long it
takes until the rest is in memory. Rates are by the clock and by the processor, loads by the
processor alone, so that what else the machine does counts less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from containers import ROW, Arrow, Frames, SQLite

from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode
from understudy.data.formats.native import DemoWriter, read_demos, write_demos
from understudy.data.spec import ActionSpec, Obs, Spec

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(8,))}, action=ActionSpec(continuous=2))


class Native:
    """What understudy ships: SQLite with every check."""

    def record(self, path: Path) -> tuple[Callable[[bytes], None], Callable[[], None]]:
        writer = DemoWriter(path, SPEC, Provenance(format="understudy"))
        obs = {"obs": np.zeros(8, np.float32)}
        action = Action(np.zeros(2, np.float32), np.zeros(0, np.int64))
        episode = writer.begin(obs)

        def step(row: bytes) -> None:
            episode.step(action, 1.0, obs)

        return step, writer.close

    def write(self, path: Path, episodes: list[np.ndarray]) -> None:
        none = np.zeros((len(episodes[0]), 0), np.int64)
        made = [
            Episode(
                obs={"obs": np.concatenate([e["obs"], e["obs"][-1:]])},
                action=Action(np.ascontiguousarray(e["action"]), none),
                reward=np.ascontiguousarray(e["reward"]),
                acted_by=np.ascontiguousarray(e["by"]),
                end=End.TERMINATED,
            )
            for e in episodes
        ]
        write_demos(path, Demos(SPEC, made))

    def load(self, path: Path) -> list[Episode]:
        return list(read_demos(path))

    def batch(self, path: Path, places: list[tuple[int, int]]) -> np.ndarray:
        demos = read_demos(path)
        return np.stack([demos.episodes[e].obs["obs"][t] for e, t in places])


CONTAINERS: dict[str, Callable[[], object]] = {
    "frames": Frames,
    "arrow": Arrow,
    **{
        f"sqlite {journal} {synchronous}": lambda j=journal, s=synchronous: SQLite(j, s)
        for journal in ("DELETE", "TRUNCATE", "PERSIST", "WAL")
        for synchronous in ("OFF", "NORMAL", "FULL")
    },
    "understudy": Native,
}


def rate(name: str, folder: Path, seconds: float) -> dict[str, float]:
    """Acknowledged steps a second, and the slowest of them."""
    step, close = CONTAINERS[name]().record(folder / "rate")
    row, count, slowest = bytes(ROW.itemsize), 0, 0.0
    begun, busy = time.perf_counter(), time.process_time()
    now = begun
    while now - begun < seconds:
        before = now
        step(row)
        now = time.perf_counter()
        slowest = max(slowest, now - before)
        count += 1
    taken, busy = now - begun, time.process_time() - busy
    begun = time.perf_counter()
    close()
    return {
        "steps_per_second": round(count / taken),
        "us_per_step": round(taken / count * 1e6, 1),
        "cpu_us_per_step": round(busy / count * 1e6, 1),
        "slowest_step_ms": round(slowest * 1e3, 2),
        "close_ms": round((time.perf_counter() - begun) * 1e3, 1),
        "bytes_per_step_after_close": round((folder / "rate").stat().st_size / count, 1),
    }


def bulk(name: str, folder: Path, episodes: list[np.ndarray]) -> dict[str, float]:
    """Writing, loading and sampling a million steps."""
    container, path, rng = CONTAINERS[name](), folder / "bulk", random.Random(0)
    write = timed(lambda: container.write(path, episodes), 1)
    load = timed(lambda: container.load(path), 3)
    length = len(episodes[0])
    places = [(rng.randrange(len(episodes)), rng.randrange(length)) for _ in range(256)]
    batch = timed(lambda: container.batch(path, places), 5)
    steps = length * len(episodes)
    return {
        "write_million_s": round(write * 1e6 / steps, 3),
        "load_million_s": round(load * 1e6 / steps, 3),
        "random_256_ms": round(batch * 1e3, 2),
        "bytes_per_step": round(path.stat().st_size / steps, 2),
    }


def timed(work: Callable[[], object], times: int) -> float:
    """The least seconds of processor time of several runs; other programs do not count."""
    seconds = []
    for _ in range(times):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def killed(name: str, folder: Path, kills: int) -> dict[str, float]:
    """Steps lost and seconds to read what is left, after SIGKILLs at random moments."""
    rng, lost, seconds, most = random.Random(0), 0, [], 0
    for number in range(kills):
        path = folder / f"kill{number}"
        child = subprocess.Popen(
            [sys.executable, __file__, "--victim", name, str(path)], stdout=subprocess.PIPE
        )
        said = [child.stdout.readline()]
        time.sleep(rng.random() * 0.4)
        child.send_signal(signal.SIGKILL)
        said += child.communicate()[0].splitlines(True)
        acknowledged = sum(line.endswith(b"\n") for line in said)
        begun = time.perf_counter()
        there = sum(map(len, CONTAINERS[name]().load(path)))
        seconds.append(time.perf_counter() - begun)
        lost, most = lost + max(0, acknowledged - there), max(most, there)
    return {
        "kills": kills,
        "acknowledged_steps_lost": lost,
        "longest_recording_steps": most,
        "slowest_recovery_ms": round(max(seconds) * 1e3, 1),
    }


def victim(name: str, path: Path) -> None:
    step, _ = CONTAINERS[name]().record(path)
    row = bytes(ROW.itemsize)
    while True:
        step(row)
        os.write(1, b"\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--victim", nargs=2)
    args = parser.parse_args()
    if args.victim:
        return victim(args.victim[0], Path(args.victim[1]))
    rng = np.random.default_rng(0)
    count = 50 if args.quick else 1000
    episodes = [np.zeros(1000, ROW) for _ in range(count)]
    for rows in episodes:
        rows["obs"], rows["action"] = rng.normal(size=(1000, 8)), rng.normal(size=(1000, 2))
        rows["reward"] = rng.normal(size=1000)
    results = {"machine": machine(), "containers": {}}
    for name in CONTAINERS:
        folder = Path(tempfile.mkdtemp(dir="."))
        try:
            found = rate(name, folder, 0.5 if args.quick else 2)
            if name in ("frames", "arrow", "sqlite WAL NORMAL", "understudy"):
                found |= bulk(name, folder, episodes) | killed(
                    name, folder, 3 if args.quick else 10
                )
        finally:
            shutil.rmtree(folder)
        results["containers"][name] = found
        print(name, found, flush=True)
    if not args.quick:
        text = json.dumps(results, indent=1)
        Path(__file__).with_name("results.json").write_text(text + "\n")


def machine() -> dict[str, object]:
    import pyarrow

    return {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sqlite": sqlite3.sqlite_version,
        "pyarrow": pyarrow.__version__,
    }


if __name__ == "__main__":
    main()
