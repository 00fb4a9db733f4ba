"""The peer's side of `cloning.py`; run with the interpreter that has `imitation` 1.0.1."""

from __future__ import annotations

import argparse
import json
import time
from importlib import metadata

import gymnasium
import numpy as np
import torch
from imitation.algorithms import bc
from imitation.data import types
from played import returns
from stable_baselines3.common.policies import ActorCriticPolicy


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("demos")
    p.add_argument("--hidden", type=int, default=32)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(a.seed)
    shown, env = np.load(a.demos), gymnasium.make("CartPole-v1")
    policy = ActorCriticPolicy(
        env.observation_space, env.action_space, lambda _: 1e-3, net_arch=[a.hidden, a.hidden]
    )
    trainer = bc.BC(
        observation_space=env.observation_space,
        action_space=env.action_space,
        demonstrations=types.Transitions(
            obs=shown["obs"],
            acts=shown["actions"],
            next_obs=shown["next_obs"],
            dones=shown["terminals"],
            infos=np.array([{}] * len(shown["obs"])),
        ),
        rng=np.random.default_rng(a.seed),
        batch_size=a.batch,
        policy=policy,
    )
    silent = {"progress_bar": False, "log_interval": 10**9}
    trainer.train(n_batches=20, **silent)
    c, w = time.process_time(), time.perf_counter()
    trainer.train(n_epochs=a.epochs, **silent)
    cpu, wall = time.process_time() - c, time.perf_counter() - w
    samples = a.epochs * (len(shown["obs"]) // a.batch * a.batch)
    done = returns(lambda obs: trainer.policy.predict(obs, deterministic=True)[0])
    print(
        json.dumps(
            {
                "samples": samples,
                "per_cpu_second": samples / cpu,
                "per_second": samples / wall,
                "return": float(np.mean(done)),
                "versions": {name: metadata.version(name) for name in ("imitation", "torch")},
            }
        )
    )


if __name__ == "__main__":
    main()
