"""Made-up demonstrations, held-out figures and evaluations for tests of what is said of them."""

from __future__ import annotations

import io

import numpy as np

from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import ActedBy, End, Episode
from understudy.data.spec import ActionSpec, Obs, Spec, present
from understudy.run.evaluate import Evaluation
from understudy.run.held_out import HeldOutReport, Likeness

HYBRID = Spec(
    obs={
        "body": Obs(kind="vector", shape=(3,)),
        "camera": Obs(kind="image", shape=(12, 16, 3), dtype="uint8"),
        "others": Obs(kind="entities", shape=(4, 2)),
        "allowed": Obs(kind="mask", shape=(5,), dtype="bool"),
    },
    action=ActionSpec(continuous=2, low=(-1, -1), high=(1, 1), branches=(3, 2)),
)
CHOICES = Spec(obs={"obs": Obs(kind="vector", shape=(2,))}, action=ActionSpec(branches=(3,)))


def make_episode(spec, steps, rng, *, reward: float | None = 1.0, end=End.TERMINATED):
    obs = {}
    for name, o in spec.obs.items():
        lead = (steps + 1, *o.shape)
        if o.kind == "image":
            obs[name] = rng.integers(0, 256, lead, dtype=np.uint8)
        elif o.kind == "mask":
            obs[name] = np.ones(lead, bool)
        else:
            obs[name] = rng.normal(size=lead).astype(o.dtype)
        if o.kind == "entities":
            obs[present(name)] = rng.random(lead[:2]) < 0.5
    a = spec.action
    discrete = [rng.integers(0, size, steps) for size in a.branches]
    return Episode(
        obs=obs,
        action=Action(
            rng.uniform(-1, 1, (steps, a.continuous)).astype(a.dtype),
            np.array(discrete, np.int64).reshape(len(a.branches), steps).T,
        ),
        reward=None if reward is None else np.full(steps, reward, np.float32),
        end=end,
        acted_by=np.full(steps, ActedBy.SCRIPT, np.uint8),
    )


def make_demos(
    spec=CHOICES, lengths=(5, 7, 9), *, reward: float | None = 1.0, seed=0, **provenance
):
    rng = np.random.default_rng(seed)
    episodes = [make_episode(spec, n, rng, reward=reward) for n in lengths]
    return Demos(spec, episodes, Provenance(**{"format": "memory", **provenance}))


def make_likeness(log_prob=-0.5, accuracy=(), explained=()):
    """Figures of one actor; the errors are those of a number whose variance is 1."""
    explained = np.array(explained, np.float64)
    return Likeness(
        log_prob=log_prob,
        accuracy=np.array(accuracy, np.float64),
        all_right=float(np.prod(accuracy)) if len(accuracy) else float("nan"),
        rmse=np.sqrt(1 - explained),
        explained=explained,
    )


def make_choices(
    policy, commonest=(0.5,), previous=(0.6,), training=None, *, steps=1000, episodes=5, **facts
):
    """A report on branches of two, by accuracies."""
    training = policy if training is None else training
    log_probs = {"policy": -0.3, "commonest": -0.7, **facts.pop("log_probs", {})}
    confusion = facts.get("confusion") or tuple(_confusion(p, steps) for p in policy)
    return HeldOutReport(
        policy=make_likeness(log_probs["policy"], policy),
        commonest=make_likeness(log_probs["commonest"], commonest),
        previous=make_likeness(-0.6, previous),
        training=make_likeness(-0.3, training),
        confusion=confusion,
        steps=steps,
        episodes=episodes,
    )


def make_numbers(policy, previous=(-1.0,), training=None, *, steps=1000, episodes=5):
    """A report on continuous numbers, by explained variance."""
    training = policy if training is None else training
    return HeldOutReport(
        policy=make_likeness(-1.0, (), policy),
        commonest=make_likeness(-1.4, (), [-0.001] * len(policy)),
        previous=make_likeness(-2.0, (), previous),
        training=make_likeness(-1.0, (), training),
        confusion=(),
        steps=steps,
        episodes=episodes,
    )


def make_evaluation(mean, std=5.0, episodes=100, seed=0):
    rng = np.random.default_rng(seed)
    return Evaluation(rng.normal(mean, std, episodes), rng.integers(50, 200, episodes))


class Screen(io.StringIO):
    """A stream that a person looks at."""

    encoding = "utf-8"

    def isatty(self):
        return True


class Ascii(io.StringIO):
    """A stream that has no letters but ASCII's."""

    encoding = "ascii"


def _confusion(right, steps):
    half = steps // 2
    wrong = round((1 - right) * half)
    return np.array([[half - wrong, wrong], [wrong, steps - half - wrong]])
