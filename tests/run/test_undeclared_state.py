"""Nothing that learning changes is forgotten by a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from understudy.data.spec import ActionSpec
from understudy.learners.ppo import PPOConfig
from understudy.learners.sac import SACConfig
from understudy.nets.critic import CriticConfig
from understudy.nets.model import NetConfig
from understudy.run import checkpoint
from understudy.run.cloning import BCConfig, Cloning
from understudy.run.off_policy import OffPolicyConfig, off_policy
from understudy.run.on_policy import OnPolicyConfig, on_policy
from understudy.run.practice import PracticeConfig
from understudy.run.reinforcement import Reinforcement
from understudy.run.source import OfflineConfig
from understudy.run.watch import HeldOutConfig
from worlds import TinyEnv, toy_demos

SCRATCH = {
    r"(\w+\.)*_spare": "room for a difference, written before it is read",
    r"(\w+\.)*_runners(\..*)?": "room for an answer, made anew by whoever acts again",
    r"source\._?cast\.proposed\..*": "what was meant by the last action, said anew with every one",
}
"""What learning changes and nobody reads later, by the pattern of its path."""


def walk(root: Any) -> dict[str, Any]:
    """Every number, text, array and generator that can be reached, by the shortest path to it."""
    found: dict[str, Any] = {}
    seen: dict[int, Any] = {}
    queue = [("", root)]
    while queue:
        path, value = queue.pop(0)
        leaf = _leaf(value)
        if leaf is not None:
            found[path] = leaf
        elif id(value) not in seen:
            seen[id(value)] = value  # kept alive, so that no other object gets its id
            queue += [(f"{path}.{name}".lstrip("."), part) for name, part in _parts(value)]
    return found


def _leaf(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str | bytes | np.generic):
        return repr(value)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if type(value).__module__ == "torch" and hasattr(value, "detach"):
        return _leaf(value.detach().numpy())
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(key), part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((str(i), part) for i, part in enumerate(value))
    elif callable(value) and hasattr(value, "__closure__"):
        for i, cell in enumerate(value.__closure__ or ()):
            yield str(i), cell.cell_contents
    elif type(value).__module__.startswith(("understudy", "torch.nn", __name__)):
        names = list(getattr(value, "__dict__", {}))
        names += [s for c in type(value).__mro__ for s in getattr(c, "__slots__", ())]
        yield from ((n, getattr(value, n)) for n in names if hasattr(value, n))


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Paths at which two walks found something else, but for scratch."""
    odd = {path for path in {*one, *other} if one.get(path) != other.get(path)}
    return {path for path in odd if not any(re.fullmatch(known, path) for known in SCRATCH)}


def acting(which: str, net: dict[str, Any]) -> Reinforcement:
    """A run of PPO or SAC in a tiny world, leaning on demonstrations."""
    env = TinyEnv({"agent": [[3], [5]]}, {"agent": [1, 2]}, ActionSpec(branches=(3,)))
    seeing = NetConfig(hidden=(6,), **net)
    if which == "ppo":
        return on_policy(
            env,
            OnPolicyConfig(steps=1000, rows=8, net=seeing, learner=PPOConfig(length=4)),
            lambda line: None,
        )
    practice = PracticeConfig(
        capacity=60,
        batch_size=8,
        length=2,
        burn_in=2,
        n_step=2,
        warmup_steps=20,
        turn_steps=4,
        updates_per_step=0.7,
    )
    config = OffPolicyConfig(
        steps=1000,
        net=replace(seeing, normalize=False),
        critic=CriticConfig(hidden=(6,), num_critics=3, layer_norm=True),
        learner=SACConfig(),
        practice=practice,
    )
    return off_policy(env, config, lambda line: None)


def make(kind: str, memory: int) -> Cloning:
    demos = toy_demos(kind, "hybrid", 6, 10, np.random.default_rng(0), memory_task=memory > 0)
    config = BCConfig(
        steps=1000,
        net=NetConfig(hidden=(6,), memory=memory, entity_width=8),
        source=OfflineConfig(batch_size=16, length=4, turn=4),
        held_out=HeldOutConfig(every=4, fraction=0.3),
    )
    return Cloning(demos.spec, demos, config, lambda line: None)


def go_on(run: Cloning | Reinforcement, steps: int) -> None:
    run.progress.total = run.progress.steps + steps
    run.learn()
    run.progress.total = 1000


@pytest.mark.parametrize(("kind", "memory"), [("vector", 0), ("vector", 3), ("all", 3)])
def test_whatever_learning_changes_is_in_the_checkpoint(kind, memory, tmp_path):
    run, fresh = make(kind, memory), make(kind, memory)
    before = walk(run)
    assert not differing(before, walk(fresh)), "the seed decides everything"
    go_on(run, 22)
    after = walk(run)
    changed = differing(before, after)
    checkpoint.save(tmp_path, 22, run.state_dict())
    fresh.load_state_dict(checkpoint.load(tmp_path).state)
    assert not differing(after, walk(fresh))
    # The walk sees what it must: weights, moments, order, chance, the best look, progress.
    assert {
        "progress.steps",
        "learner.average",
        "learner.optimizer.mean",
        "learner.num_updates",
        "source.rng",
        "source._order",
        "source.num_epochs",
        "held_out.best_step",
        "held_out.best_weights",
    } <= changed
    assert any(path.endswith("flat.value") for path in changed)
    assert memory == 0 or any(path.startswith("source._state") for path in changed)


@pytest.mark.parametrize("net", [{}, {"memory": 3}, {"memory": 3, "cell": "gru"}], ids=str)
@pytest.mark.parametrize("which", ["ppo", "sac"])
def test_whatever_acting_and_learning_change_is_in_the_checkpoint(which, net, tmp_path):
    run, fresh = acting(which, net), acting(which, net)
    before = walk(run)
    assert not differing(before, walk(fresh)), "the seed decides everything"
    go_on(run, 70)
    after = walk(run)
    changed = differing(before, after)
    checkpoint.save(tmp_path, 70, run.state_dict())
    fresh.load_state_dict(checkpoint.load(tmp_path).state)
    assert not differing(walk(run), walk(fresh))
    seen = {
        "ppo": {"learner.optimizer.mean", "learner.rng", "source.store.obs.obs"},
        "sac": {
            "learner.policy_adam.mean",
            "learner.critic_adam.num_steps",
            "learner.heat.value",
            "learner.rng",
            "source.replay.count",
            "source.replay.obs.obs",
            "source._due",
        },
    }
    assert {"progress.steps", "source.rng", "source._tally._sums", *seen[which]} <= changed
    assert any(path.endswith("flat.value") for path in changed)
    if net and which == "sac":
        assert "source.replay.state.policy.h" in changed


def test_state_that_is_not_declared_is_found(tmp_path):
    run, fresh = make("vector", 0), make("vector", 0)
    update = run.learner.update

    class Counted:
        """Counts updates, and tells nobody."""

        def __init__(self):
            self.count = 0

        def __call__(self, batch, progress):
            self.count += 1
            return update(batch, progress)

    run.learner.update = Counted()
    fresh.learner.update = Counted()
    go_on(run, 3)
    fresh.load_state_dict(run.state_dict())
    assert "learner.update.count" in differing(walk(run), walk(fresh))
