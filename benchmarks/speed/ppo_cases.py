"""The runs that `ppo.py` compares: the same environment, settings and steps for every side.

Needs nothing, so that it can be read in any side's environment.
"""

from __future__ import annotations

SB3_DEFAULTS = {
    "learning_rate": 3e-4,
    "schedule": "constant",
    "epochs": 10,
    "minibatch": 64,
    "clip": 0.2,
    "value_clip": None,
    "entropy": 0.0,
    "discount": 0.99,
    "lam": 0.95,
    "max_grad_norm": 0.5,
}

CASES = {
    # CleanRL's settings, which are those of "The 37 implementation details" (Huang et al., 2022).
    "cartpole": {
        **SB3_DEFAULTS,
        "env": "CartPole-v1",
        "slots": 4,
        "rows": 128,
        "learning_rate": 2.5e-4,
        "schedule": "linear",
        "epochs": 4,
        "minibatch": 128,
        "value_clip": 0.2,
        "entropy": 0.01,
        "steps": 40_960,
    },
    "defaults": {**SB3_DEFAULTS, "env": "CartPole-v1", "slots": 1, "rows": 2048, "steps": 16_384},
    "cheetah": {**SB3_DEFAULTS, "env": "HalfCheetah-v5", "slots": 1, "rows": 2048, "steps": 12_288},
    "cheetah 8": {
        **SB3_DEFAULTS,
        "env": "HalfCheetah-v5",
        "slots": 8,
        "rows": 256,
        "steps": 20_480,
    },
    # sb3-contrib's own defaults but for the width of the memory and no layers after it.
    "recurrent": {
        **SB3_DEFAULTS,
        "env": "CartPole-v1",
        "slots": 8,
        "rows": 128,
        "epochs": 10,
        "minibatch": 128,
        "memory": 64,
        "length": 16,
        "steps": 10_240,
    },
}

# One window of a whole rollout for every environment: what its kernel likes best.
CASES["recurrent, large batches"] = {**CASES["recurrent"], "minibatch": 1024, "steps": 20_480}
# rl-zoo's settings for CartPole, which SB3's users start from.
CASES["zoo"] = {
    **SB3_DEFAULTS,
    "env": "CartPole-v1",
    "slots": 8,
    "rows": 32,
    "learning_rate": 1e-3,
    "schedule": "linear",
    "clip_schedule": "linear",
    "epochs": 20,
    "minibatch": 256,
    "discount": 0.98,
    "lam": 0.8,
    "steps": 100_000,
}
# The quickest of some fifty that were drawn by chance, by CPU-seconds of seven other seeds.
CASES["quick"] = {
    **CASES["zoo"],
    "hidden": (32, 32),
    "rows": 64,
    "learning_rate": 5e-3,
    "clip_schedule": "constant",
    "epochs": 4,
    "minibatch": 128,
    "lam": 0.95,
    "steps": 60_000,
}
# The same rollouts of 8,192 rows, whatever the number of environments.
CASES["growth"] = {
    **SB3_DEFAULTS,
    "env": "CartPole-v1",
    "slots": 8,
    "rows": 1024,
    "epochs": 4,
    "minibatch": 256,
    "steps": 65_536,
}

PPO_CASES = ("cartpole", "defaults", "cheetah", "cheetah 8")
