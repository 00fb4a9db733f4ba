"""What a replay takes: memory beside Stable-Baselines3's, and time to write a checkpoint.

    python benchmarks/speed/replay.py --python SB3/bin/python

SB3 is an environment with `pip install stable-baselines3`. Memory is that of all arrays of a full
store, for rows as Hopper-v5 sees them and for pictures of 84x84; the peer's twice, as it is by
default and with `optimize_memory_usage`. Checkpoints are written whole, and in pieces of which only
those with new rows are written again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rounds import ask, write

from understudy.data.action import Action
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.envs.env import Moment
from understudy.run import checkpoint
from understudy.run.blocks import Blocks
from understudy.run.replay import Replay

HOPPER = Spec(
    obs={"obs": Obs(kind="vector", shape=(11,))},
    action=ActionSpec(continuous=3, low=(-1,) * 3, high=(1,) * 3),
)
PICTURE = Spec(
    obs={"obs": Obs(kind="image", shape=(84, 84, 1), dtype="uint8")},
    action=ActionSpec(branches=(4,)),
)


def held(replay: Replay) -> int:
    """Bytes of all its rows when it is full."""
    columns = [*replay.obs.values(), *replay.action, *replay.state.values()]
    columns += [replay.reward, replay.terminated, replay.acted, replay.fresh]
    return sum(x.nbytes for x in columns)


def fill(replay: Replay, spec: Spec, rows: int) -> None:
    """Live some rows; every thousandth ends an episode."""
    rng, one = np.random.default_rng(0), np.arange(1)
    seen = {n: rng.standard_normal((1, *f.shape)).astype(f.dtype) for n, f in spec.fields.items()}
    action, reward = Action.zeros(spec.action, 1), np.ones(1, np.float32)
    no, yes = np.zeros(1, bool), np.ones(1, bool)
    for t in range(rows):
        over = yes if t % 1000 == 999 else no
        replay.see(Moment(one, seen, reward, over, no, yes if t % 1000 == 0 else no))
        replay.do(one, action)


def seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return round(time.perf_counter() - start, 3)


def checkpoints(rows: int, new: int) -> dict[str, Any]:
    """Seconds and bytes of writing a full replay of a hopper, and again after some new rows."""
    replay = Replay(HOPPER, rows, 1)
    fill(replay, HOPPER, rows)
    found: dict[str, Any] = {"rows": rows, "new_rows": new, "mib": round(held(replay) / 2**20, 1)}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def save(step: int) -> None:
            checkpoint.save(root / "checkpoints", step, {"replay": replay.state_dict()})

        found["whole_seconds"] = seconds(lambda: save(1))
        replay.keep_in(Blocks(root / "rows", root / "checkpoints"))
        found["first_seconds"] = seconds(lambda: save(2))
        before = {path.name for path in (root / "rows").iterdir()}
        fill(replay, HOPPER, new)
        found["next_seconds"] = seconds(lambda: save(3))
        fresh = [p for p in (root / "rows").iterdir() if p.name not in before]
        found["next_mib"] = round(sum(p.stat().st_size for p in fresh) / 2**20, 1)
        again = Replay(HOPPER, rows, 1)
        again.keep_in(Blocks(root / "rows", root / "checkpoints"))
        state = checkpoint.load(root / "checkpoints").state["replay"]
        found["read_seconds"] = seconds(lambda: again.load_state_dict(state))
    return found


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--python", required=True, metavar="PATH", help="the peer's interpreter")
    p.add_argument("--rows", type=int, default=1_000_000)
    a = p.parse_args()
    found: dict[str, Any] = {"bytes_a_row": {}}
    for name, spec in (("hopper", HOPPER), ("picture", PICTURE)):
        rows = 10_000
        peer = ask(a.python, "sb3_replay.py", name, "--rows", rows)
        ours = held(Replay(spec, rows, 1)) / rows
        found["bytes_a_row"][name] = {"ours": ours, **peer}
        print(name, ours, peer)
    found["checkpoint"] = checkpoints(a.rows, 6000)
    print(found["checkpoint"])
    write("replay", found)


if __name__ == "__main__":
    main()
