"""Records until it is killed, and says on standard output what was acknowledged.

    python victim.py FILE SEED [LIMIT]
    python victim.py serve              # a victim for every line `FILE SEED`; forks, which is quick

Two slots of short and long episodes; everything in an episode follows from its label and step, so
whoever reads the file knows what must be there. Lines: `step LABEL T`, `end LABEL`, `gone LABEL`.
A server also says `pid N` before a victim begins and `dead` after it was killed.
LIMIT is the largest size of a file in bytes, as if the disk were full beyond it.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import numpy as np

from understudy.data.action import Action
from understudy.data.demos import Provenance
from understudy.data.episode import End
from understudy.data.formats.native import DemoWriter, EpisodeWriter
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError

SPEC = Spec(
    obs={
        "place": Obs(kind="vector", shape=(8,)),
        "eye": Obs(kind="image", shape=(12, 12, 3), dtype="uint8"),
    },
    action=ActionSpec(continuous=1, branches=(4,)),
)


def seen(label: int, t: int) -> dict[str, np.ndarray]:
    eye = np.arange(432, dtype=np.int64).reshape(12, 12, 3) + label * 7 + t
    return {"place": np.full(8, label + t / 1024, np.float32), "eye": eye.astype(np.uint8)}


def done(label: int, t: int) -> Action:
    return Action(np.array([label - t], np.float32), np.array([(label + t) % 4]))


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def take(slot: EpisodeWriter, label: int) -> None:
    t = slot.num_steps
    slot.step(done(label, t), float(t), seen(label, t + 1))
    say(f"step {label} {t}")


def main(path: Path, seed: int) -> None:
    rng = random.Random(seed)
    label = seed * 100
    with DemoWriter(path, SPEC, Provenance(format="understudy"), append=path.exists()) as writer:
        writer.layout.rows = rng.choice((3, 10, 100))
        slots: list[tuple[int, EpisodeWriter] | None] = [None, None]
        while True:
            i = rng.randrange(2)
            if (slot := slots[i]) is None:
                label += 1
                slots[i] = label, writer.begin(seen(label, 0), label=str(label))
            elif rng.random() < 0.02 and slot[1].num_steps:
                slot[1].end(End.TERMINATED)
                say(f"end {slot[0]}")
                slots[i] = None
            elif rng.random() < 0.005:
                say(f"gone {slot[0]}")
                slot[1].discard()
                slots[i] = None
            else:
                take(slot[1], slot[0])
            if rng.random() < 0.001:
                return


def limit(size: int) -> None:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def record(path: Path, seed: int) -> int:
    """One recorder after the other, until it is killed or something is wrong."""
    try:
        while True:
            main(path, seed)
            seed += 1
    except DemoError as error:
        say(f"error {error}")
        return 2


def serve() -> None:
    for line in sys.stdin:
        path, seed = line.split()
        pid = os.fork()
        if pid == 0:
            say(f"pid {os.getpid()}")
            os._exit(record(Path(path), int(seed)))
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
        sys.exit()
    if len(sys.argv) > 3:
        limit(int(sys.argv[3]))
    sys.exit(record(Path(sys.argv[1]), int(sys.argv[2])))
