"""A plain loop for `ppo.py`: PPO in one file of torch, in the manner of CleanRL.

Written for this comparison, because CleanRL is a collection of scripts and no package that could
be installed: the same networks, losses, order of work and optimizer, a value and a log-probability
in every step, and nothing logged, which is in its favor. Run with an interpreter that has torch.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from importlib import metadata
from typing import Any

import gymnasium
import numpy as np
import torch
from ppo_cases import CASES
from torch import nn
from torch.distributions import Categorical


def tower(seen: int, out: int, gain: float) -> nn.Sequential:
    """Two layers of 64 and an output."""
    layers: list[nn.Module] = []
    for i, o, g in ((seen, 64, math.sqrt(2)), (64, 64, math.sqrt(2)), (64, out, gain)):
        layer = nn.Linear(i, o)
        nn.init.orthogonal_(layer.weight, g)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class Plain:
    """One run: environments, networks, optimizer."""

    def __init__(self, case: dict[str, Any], seed: int) -> None:
        torch.manual_seed(seed)
        self.case, self.rng, self.seed = case, np.random.default_rng(seed), seed
        make = [lambda: gymnasium.make(case["env"]) for _ in range(case["slots"])]
        self.envs = gymnasium.vector.SyncVectorEnv(
            make, autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP
        )
        seen = int(np.prod(self.envs.single_observation_space.shape))
        self.actor = tower(seen, int(self.envs.single_action_space.n), 0.01)
        self.critic = tower(seen, 1, 1.0)
        self.learned = [*self.actor.parameters(), *self.critic.parameters()]
        self.optimizer = torch.optim.Adam(self.learned, lr=case["learning_rate"], eps=1e-5)
        self.returns: list[float] = []
        self._sums = np.zeros(case["slots"])

    def learn(self, steps: int) -> int:
        """Steps taken."""
        c = self.case
        per_rollout = c["rows"] * c["slots"]
        seen, _ = self.envs.reset(seed=self.seed)
        obs, done = torch.as_tensor(seen), torch.zeros(c["slots"])
        updates = steps // per_rollout
        for update in range(updates):
            self.optimizer.param_groups[0]["lr"] = c["learning_rate"] * (1 - update / updates)
            obs, done, rows = self.collect(obs, done)
            self.update(*rows)
        return updates * per_rollout

    def collect(self, obs: Any, done: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        """A rollout: what was seen, done, its log-probability, advantage, target and value."""
        c = self.case
        t, n = c["rows"], c["slots"]
        seen = torch.zeros(t, n, *obs.shape[1:])
        acts, log_probs, rewards, dones, values = (torch.zeros(t, n) for _ in range(5))
        for k in range(t):
            seen[k], dones[k] = obs, done
            with torch.no_grad():
                dist = Categorical(logits=self.actor(obs))
                action = dist.sample()
                log_probs[k], values[k] = dist.log_prob(action), self.critic(obs).flatten()
            acts[k] = action
            following, reward, terminated, truncated, _ = self.envs.step(action.numpy())
            over = terminated | truncated
            rewards[k] = torch.as_tensor(reward)
            obs, done = torch.as_tensor(following), torch.as_tensor(over, dtype=torch.float32)
            self._sums += reward
            self.returns += self._sums[over].tolist()
            self._sums[over] = 0
        with torch.no_grad():
            after, advantage = self.critic(obs).flatten(), torch.zeros(t, n)
            later = torch.zeros(n)
            for k in reversed(range(t)):
                goes_on = 1 - (done if k == t - 1 else dones[k + 1])
                following = after if k == t - 1 else values[k + 1]
                error = rewards[k] + c["discount"] * following * goes_on - values[k]
                later = advantage[k] = error + c["discount"] * c["lam"] * goes_on * later
        rows = (acts, log_probs, advantage, advantage + values, values)
        return obs, done, (seen.flatten(0, 1), *(x.flatten() for x in rows))

    def update(self, seen: Any, acts: Any, old: Any, gain: Any, target: Any, value: Any) -> None:
        """The epochs over one rollout."""
        c = self.case
        for _ in range(c["epochs"]):
            order = torch.as_tensor(self.rng.permutation(len(acts)))
            for ix in order.split(c["minibatch"]):
                dist = Categorical(logits=self.actor(seen[ix]))
                ratio = (dist.log_prob(acts[ix]) - old[ix]).exp()
                a = (gain[ix] - gain[ix].mean()) / (gain[ix].std() + 1e-8)
                clipped = ratio.clamp(1 - c["clip"], 1 + c["clip"])
                policy_loss = -torch.min(a * ratio, a * clipped).mean()
                now = self.critic(seen[ix]).flatten()
                near = value[ix] + (now - value[ix]).clamp(-c["value_clip"], c["value_clip"])
                worse = torch.max((now - target[ix]) ** 2, (near - target[ix]) ** 2)
                loss = policy_loss + 0.25 * worse.mean() - c["entropy"] * dist.entropy().mean()
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.learned, c["max_grad_norm"])
                self.optimizer.step()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("case", choices=["cartpole"])
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    torch.set_num_threads(1)
    case = CASES[a.case]
    Plain(case, a.seed).learn(2 * case["rows"] * case["slots"])  # whatever only a first run does
    run = Plain(case, a.seed)
    cpu, wall = time.process_time(), time.perf_counter()
    steps = run.learn(case["steps"])
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        json.dumps(
            {
                "steps": steps,
                "per_cpu_second": steps / cpu,
                "per_second": steps / wall,
                "return": statistics.fmean(run.returns[-20:]),
                "versions": {n: metadata.version(n) for n in ("torch", "gymnasium")},
            }
        )
    )


if __name__ == "__main__":
    main()
