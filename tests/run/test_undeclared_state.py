"""Nothing that learning changes is forgotten by a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from understudy.nets.model import NetConfig
from understudy.run import checkpoint
from understudy.run.cloning import BCConfig, Cloning
from understudy.run.source import OfflineConfig
from understudy.run.watch import HeldOutConfig
from worlds import toy_demos

SCRATCH = {
    "learner._spare": "room for a difference, written before it is read",
    "learner.optimizer._spare": "the same",
}
"""What learning changes and nobody reads later."""


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
    return {path for path in {*one, *other} if one.get(path) != other.get(path)}


def make(kind: str, memory: int) -> Cloning:
    demos = toy_demos(kind, "hybrid", 6, 10, np.random.default_rng(0), memory_task=memory > 0)
    config = BCConfig(
        steps=1000,
        net=NetConfig(hidden=(6,), memory=memory, entity_width=8),
        source=OfflineConfig(batch_size=16, length=4, turn=4),
        held_out=HeldOutConfig(every=4, fraction=0.3),
    )
    return Cloning(demos.spec, demos, config, lambda line: None)


def go_on(run: Cloning, steps: int) -> None:
    run.progress.total = run.progress.steps + steps
    run.learn()
    run.progress.total = 1000


@pytest.mark.parametrize(("kind", "memory"), [("vector", 0), ("vector", 3), ("all", 3)])
def test_whatever_learning_changes_is_in_the_checkpoint(kind, memory, tmp_path):
    run, fresh = make(kind, memory), make(kind, memory)
    before = walk(run)
    assert differing(before, walk(fresh)) <= set(SCRATCH), "the seed decides everything"
    go_on(run, 22)
    after = walk(run)
    changed = differing(before, after)
    checkpoint.save(tmp_path, 22, run.state_dict())
    fresh.load_state_dict(checkpoint.load(tmp_path).state)
    assert differing(after, walk(fresh)) <= set(SCRATCH)
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
