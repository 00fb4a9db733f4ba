"""The loop: gather, learn, look; until it is done."""

from typing import Any

import numpy as np
import pytest

from understudy.data.batch import Batch
from understudy.errors import NonFiniteError
from understudy.run.loop import Behavior, Progress, Run, learn


def batch() -> Batch:
    ones = np.ones((1, 1), np.float32)
    return Batch(obs={}, code=ones[..., None], acted=ones, fresh=ones > 0)


class Served:
    """A source of so many batches per turn."""

    def __init__(self, turn: int) -> None:
        self.turn = turn
        self.served = 0

    def batches(self):
        for _ in range(self.turn):
            self.served += 1
            yield batch()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Counts:
    """A learner that writes down how far the run was at every update."""

    model: Any = None

    def __init__(self, then=lambda updates: None) -> None:
        self.progress: list[float] = []
        self.then = then

    def update(self, batch, progress):
        self.progress.append(progress)
        self.then(len(self.progress))
        return {"updates": len(self.progress)}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Looks:
    """A watcher that writes down what it sees, and may do something about it."""

    def __init__(self, then=lambda progress: None) -> None:
        self.seen: list[tuple[int, dict[str, float]]] = []
        self.then = then

    def see(self, progress, metrics):
        last = {name: float(m["updates"]) for name, m in metrics.items()}
        self.seen.append((progress.steps, last))
        self.then(progress)


def test_every_update_is_a_step_where_nothing_acts():
    learner, looks = Counts(), Looks()
    progress = learn(Run({"a": Behavior(Served(2), learner)}, Progress(4), [looks]))
    assert learner.progress == [0, 0.25, 0.5, 0.75]
    assert looks.seen == [(2, {"a": 2}), (4, {"a": 4})]
    assert progress.done
    assert progress.fraction == 1


def test_the_last_turn_is_cut_where_the_run_ends():
    source, learner = Served(3), Counts()
    learn(Run({"a": Behavior(source, learner)}, Progress(4)))
    assert len(learner.progress) == 4
    assert source.served == 4, "no batch was drawn that nobody learned from"


def test_steps_are_those_of_the_environment_where_something_acts():
    learner = Counts()
    run = Run({"a": Behavior(Served(3), learner)}, Progress(10), collect=lambda: 5)
    assert learn(run).steps == 10
    assert learner.progress == [0.5] * 3 + [1.0] * 3


def test_a_source_may_not_be_ready_as_long_as_something_acts():
    looks = Looks()
    learn(Run({"a": Behavior(Served(0), Counts())}, Progress(2), [looks], collect=lambda: 1))
    assert looks.seen == [(1, {}), (2, {})]


def test_a_run_that_could_never_end_is_an_error():
    with pytest.raises(RuntimeError, match="no source has a batch"):
        learn(Run({"a": Behavior(Served(0), Counts())}, Progress(2)))


def test_every_behavior_learns_in_every_turn():
    learners = {"a": Counts(), "b": Counts()}
    behaviors = {name: Behavior(Served(2), learner) for name, learner in learners.items()}
    learn(Run(behaviors, Progress(8)))
    assert [len(learner.progress) for learner in learners.values()] == [4, 4]


def test_a_stop_is_heeded_after_the_present_update_and_still_looked_at():
    progress, looks = Progress(100), Looks()

    def stop(updates):
        if updates == 7:
            progress.stop = "enough"

    learner = Counts(stop)
    learn(Run({"a": Behavior(Served(5), learner)}, progress, [looks]))
    assert progress.steps == 7
    assert [step for step, _ in looks.seen] == [5, 7]


def test_a_watcher_may_stop_the_run_and_the_others_still_look():
    def stop(progress):
        progress.stop = "seen enough"

    first, second = Looks(stop), Looks()
    progress = learn(Run({"a": Behavior(Served(2), Counts())}, Progress(9), [first, second]))
    assert progress.steps == 2
    assert len(second.seen) == 1


def test_a_run_that_is_done_does_nothing():
    learner = Counts()
    learn(Run({"a": Behavior(Served(2), learner)}, Progress(3, steps=3)))
    learn(Run({"a": Behavior(Served(2), learner)}, Progress(3, stop="no")))
    assert learner.progress == []


def test_progress_is_a_share_of_at_most_one():
    assert Progress(4, steps=1).fraction == 0.25
    assert Progress(4, steps=9).fraction == 1
    assert Progress(0).fraction == 1
    assert Progress(0).done


def test_a_resumed_run_keeps_its_steps_and_forgets_why_it_stopped():
    progress = Progress(10)
    progress.load_state_dict(Progress(4, steps=3, stop="interrupted").state_dict())
    assert (progress.steps, progress.total, progress.stop) == (3, 10, None)


def test_what_is_not_finite_is_said_with_its_step():
    class Sick(Counts):
        def update(self, batch, progress):
            raise NonFiniteError("the gradient of policy.0.weight is not finite")

    run = Run({"agent": Behavior(Served(3), Sick())}, Progress(9, steps=4))
    with pytest.raises(NonFiniteError, match=r"step 4: the gradient of policy\.0\.weight"):
        learn(run)
    assert run.progress.steps == 4
