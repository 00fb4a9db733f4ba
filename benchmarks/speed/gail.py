"""Steps of GAIL and AIRL on CartPole per CPU-second, beside the library `imitation`.

    python benchmarks/speed/gail.py --python PYTHON_WITH_IMITATION [--rounds 3]

Both learn from the same 500 pairs (one demonstration) with the same PPO (8
environments, 128 rows, 10 epochs of minibatches of 256), eight steps of a discriminator a rollout
on 256 rows of either kind, one thread each, in turn. `imitation` has no gradient penalty and no
notion of what an end is worth; ours is what `--with gail` does. Writes `gail.json` beside this
file; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from understudy.data.demos import Demos
from understudy.imitators import AIRL, GAIL
from understudy.presets import evaluate, record

HERE = Path(__file__).parent
OURS = {"gail": GAIL, "airl": AIRL}


def ours(method: str, demos: Demos, steps: int, seed: int) -> dict[str, Any]:
    """One run of ours."""
    begun, clock = time.process_time(), time.perf_counter()
    agent = OURS[method]("CartPole-v1", demos, steps=steps, seed=seed, workers=0).learn()
    cpu, wall = time.process_time() - begun, time.perf_counter() - clock
    assert agent.run is not None
    returns = evaluate(agent, "CartPole-v1", episodes=20).returns.tolist()
    done = agent.run.progress.steps
    return {"steps": done, "cpu_seconds": cpu, "seconds": wall, "returns": returns}


def theirs(python: str, method: str, demos: Demos, steps: int, seed: int) -> dict[str, Any]:
    """One run of `imitation`, in its own environment."""
    rows = demos.rows()
    at = np.flatnonzero(rows.acted)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shown.npz"
        np.savez(
            path,
            obs=rows.obs["obs"][at],
            acts=rows.action.discrete[at, 0],
            next_obs=rows.obs["obs"][at + 1],
            dones=np.zeros(len(at), bool),
        )
        command = [
            python,
            str(HERE / "imitation_gail.py"),
            method,
            str(steps),
            str(seed),
            str(path),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description="GAIL and AIRL beside imitation.")
    parser.add_argument("--python", required=True, help="of an environment with imitation 1.0.1")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--peer-steps", type=int, default=16_384)
    asked = parser.parse_args()
    found: dict[str, Any] = {"load_average": os.getloadavg()[0]}
    for method in OURS:
        runs: dict[str, list[dict[str, Any]]] = {"ours": [], "imitation": []}
        for seed in range(asked.rounds):
            demos = record("CartPole-v1", episodes=1, seed=seed)
            runs["ours"].append(ours(method, demos, asked.steps, seed))
            runs["imitation"].append(theirs(asked.python, method, demos, asked.peer_steps, seed))
        rate = {
            who: statistics.median(x["steps"] / x["cpu_seconds"] for x in some)
            for who, some in runs.items()
        }
        ratio = rate["ours"] / rate["imitation"]
        found[method] = {"steps_per_cpu_second": rate, "ratio": round(ratio, 1), "runs": runs}
        brought = {
            who: [round(float(np.mean(x["returns"]))) for x in some] for who, some in runs.items()
        }
        print(method, {k: round(v) for k, v in rate.items()}, f"{ratio:.1f}x", brought, flush=True)
    (HERE / "gail.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
