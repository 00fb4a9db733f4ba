"""The peer's side of `ppo.py`; run with the interpreter that has `tianshou`."""

from __future__ import annotations

import argparse
import json
import time
import warnings
from importlib import metadata
from typing import Any

warnings.filterwarnings("ignore")

import gymnasium  # noqa: E402
import torch  # noqa: E402
from ppo_cases import CASES  # noqa: E402
from tianshou.algorithm import PPO  # noqa: E402
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy  # noqa: E402
from tianshou.algorithm.optim import AdamOptimizerFactory  # noqa: E402
from tianshou.data import Collector, CollectStats, VectorReplayBuffer  # noqa: E402
from tianshou.env import DummyVectorEnv  # noqa: E402
from tianshou.trainer import OnPolicyTrainerParams  # noqa: E402
from tianshou.utils.net.common import Net  # noqa: E402
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic  # noqa: E402


def learned(case: dict[str, Any], seed: int, steps: int) -> tuple[float, float]:
    """CPU-seconds and seconds of a run."""
    torch.manual_seed(seed)
    slots, rows = case["slots"], case["rows"]
    envs = DummyVectorEnv([lambda: gymnasium.make(case["env"]) for _ in range(slots)])
    envs.seed(seed)
    env = gymnasium.make(case["env"])

    def net() -> Net:
        return Net(
            state_shape=env.observation_space.shape,
            hidden_sizes=[64, 64],
            activation=torch.nn.Tanh,
        )

    choices = env.action_space.n
    policy = DiscreteActorPolicy(
        actor=DiscreteActor(preprocess_net=net(), action_shape=choices, softmax_output=False),
        dist_fn=lambda x: torch.distributions.Categorical(logits=x),
        action_space=env.action_space,
    )
    algorithm = PPO(
        policy=policy,
        critic=DiscreteCritic(preprocess_net=net()),
        optim=AdamOptimizerFactory(lr=case["learning_rate"], eps=1e-5),
        gamma=case["discount"],
        gae_lambda=case["lam"],
        max_grad_norm=case["max_grad_norm"],
        vf_coef=0.5,
        ent_coef=case["entropy"],
        eps_clip=case["clip"],
        value_clip=True,
        advantage_normalization=True,
    )
    buffer = VectorReplayBuffer(slots * rows + 8, slots)
    collector = Collector[CollectStats](algorithm, envs, buffer)
    cpu, wall = time.process_time(), time.perf_counter()
    algorithm.run_training(
        OnPolicyTrainerParams(
            training_collector=collector,
            test_collector=None,
            max_epochs=1,
            epoch_num_steps=steps,
            collection_step_num_env_steps=slots * rows,
            update_step_num_repetitions=case["epochs"],
            batch_size=case["minibatch"],
            verbose=False,
            show_progress=False,
        )
    )
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("case", choices=["cartpole"])
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    torch.set_num_threads(1)
    case = CASES[a.case]
    learned(case, a.seed, 2 * case["rows"] * case["slots"])  # whatever only a first run does
    cpu, wall = learned(case, a.seed, case["steps"])
    print(
        json.dumps(
            {
                "steps": case["steps"],
                "per_cpu_second": case["steps"] / cpu,
                "per_second": case["steps"] / wall,
                "versions": {n: metadata.version(n) for n in ("tianshou", "torch")},
            }
        )
    )


if __name__ == "__main__":
    main()
