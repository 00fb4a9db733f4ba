"""Imports and whole processes: seconds, memory, and whether torch was loaded.

    python benchmarks/speed/start.py [--python PEER/bin/python] [--sb3 SB3/bin/python]

Each is a fresh process on one thread, run several times in turn after one that warms the file
cache; medians. PEER, if given, is an environment with `pip install imitation==1.0.1`, SB3 one with
`pip install stable-baselines3`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from rounds import ONE_THREAD, SOURCE, in_turn, write

WHETHER_TORCH = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules));"
COMMAND = f"{WHETHER_TORCH} from understudy.cli import main; sys.exit(main(sys.argv[1:]))"
CLONE = (
    f"{WHETHER_TORCH} from understudy import BC, load_demos;"
    "BC('CartPole-v1', load_demos(sys.argv[1]), steps=1000).learn().save(sys.argv[2])"
)
PPO = (
    f"{WHETHER_TORCH} from understudy import PPO;"
    "PPO('CartPole-v1', slots=1, rows=2048, steps=2048).learn()"
)
SB3 = (
    f"{WHETHER_TORCH} from stable_baselines3 import PPO;"
    "PPO('MlpPolicy', 'CartPole-v1', device='cpu').learn(2048)"
)
IMITATION = f"""{WHETHER_TORCH}
import numpy as np, gymnasium
from imitation.algorithms import bc
from imitation.data import types
env, n = gymnasium.make('CartPole-v1'), 5000
obs = np.zeros((n, 4), np.float32)
shown = types.Transitions(obs=obs, acts=np.zeros(n, int), next_obs=obs,
                          dones=np.zeros(n, bool), infos=np.array([{{}}] * n))
bc.BC(observation_space=env.observation_space, action_space=env.action_space, demonstrations=shown,
      rng=np.random.default_rng(0)).train(n_batches=1000, progress_bar=False)
"""


def process(python: str, *words: str) -> dict[str, float]:
    """Seconds by the clock and by the processor, and peak memory, of a whole process."""
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH", "")]))
    start = time.perf_counter()
    child = subprocess.Popen(
        [python, "-W", "ignore", *words],
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    said = child.stdout.read().split()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(words)[:200]} ended with {child.returncode}")
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2),
        "torch": said[-1] == "True",
    }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--python", metavar="PATH", help="the peer's interpreter")
    p.add_argument("--sb3", metavar="PATH", help="another peer's interpreter")
    p.add_argument("--rounds", type=int, default=7)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        demos, results = str(Path(folder) / "demos"), str(Path(folder) / "results")
        ours = partial(process, sys.executable, "-c")
        learn = ("CartPole-v1", "--demos", demos, "--steps", "1000", "--results", results)
        ours(COMMAND, "record", "CartPole-v1", "--episodes", "10", "-o", demos)
        programs = {
            "nothing": partial(ours, WHETHER_TORCH),
            "import numpy": partial(ours, f"{WHETHER_TORCH} import numpy"),
            "import understudy": partial(ours, f"{WHETHER_TORCH} import understudy"),
            "from understudy import BC, evaluate": partial(
                ours, f"{WHETHER_TORCH} from understudy import BC, evaluate"
            ),
            "understudy --help": partial(ours, COMMAND, "--help"),
            "BC(...).learn(1000).save(...)": partial(ours, CLONE, demos, results),
            "PPO(...).learn(2048)": partial(ours, PPO),
            "understudy learn, 1,000 updates": partial(ours, COMMAND, "learn", *learn),
        }
        if a.python:
            programs["imitation, 1,000 batches"] = partial(process, a.python, "-c", IMITATION)
        if a.sb3:
            sb3 = partial(process, a.sb3, "-c")
            programs["import stable_baselines3"] = partial(
                sb3, f"{WHETHER_TORCH} import stable_baselines3"
            )
            programs["stable-baselines3 PPO(...).learn(2048)"] = partial(sb3, SB3)
        answers = in_turn(programs, a.rounds + 1)
    found: dict = {"rounds": a.rounds, "processes": {}}
    for name, runs in answers.items():
        found["processes"][name] = middle = {
            key: round(statistics.median(run[key] for run in runs[1:]), 3)
            for key in ("seconds", "cpu_seconds", "peak_mib")
        }
        middle["torch"] = any(run["torch"] for run in runs)
        print(f"{name:36}", middle)
    write("start", found)


if __name__ == "__main__":
    main()
