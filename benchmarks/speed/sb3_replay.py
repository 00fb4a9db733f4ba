"""The peer's side of `replay.py`; run with the interpreter that has `stable-baselines3`."""

from __future__ import annotations

import argparse
import json

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer

KINDS = {
    "hopper": (
        spaces.Box(-np.inf, np.inf, (11,), np.float32),
        spaces.Box(-1, 1, (3,), np.float32),
    ),
    "picture": (spaces.Box(0, 255, (1, 84, 84), np.uint8), spaces.Discrete(4)),
}


def held(kind: str, rows: int, lean: bool) -> float:
    """Bytes of all arrays, a row."""
    seen, done = KINDS[kind]
    buffer = ReplayBuffer(
        rows, seen, done, "cpu", optimize_memory_usage=lean, handle_timeout_termination=not lean
    )
    arrays = {id(x): x.nbytes for x in vars(buffer).values() if isinstance(x, np.ndarray)}
    return sum(arrays.values()) / rows


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("kind", choices=[*KINDS])
    p.add_argument("--rows", type=int, default=10_000)
    a = p.parse_args()
    print(
        json.dumps(
            {
                "stable-baselines3": held(a.kind, a.rows, lean=False),
                "stable-baselines3, lean": held(a.kind, a.rows, lean=True),
            }
        )
    )


if __name__ == "__main__":
    main()
