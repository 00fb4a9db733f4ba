"""Being told to stop."""

import signal
import threading

import pytest

from understudy.run.loop import Behavior, Progress, Run, learn
from understudy.run.signals import INTERRUPTED, heeding_signals


class Endless:
    """A source of nothing in particular, and a learner that is told to stop at its third update."""

    model = None

    def __init__(self, number):
        self.number, self.updates = number, 0

    def batches(self):
        while True:
            yield None

    def update(self, batch, progress):
        self.updates += 1
        if self.updates == 3:
            signal.raise_signal(self.number)
        return {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_after_the_present_update(number):
    endless, progress = Endless(number), Progress(10_000)
    part: object = endless
    with heeding_signals(progress):
        learn(Run({"a": Behavior(part, part)}, progress))  # type: ignore[arg-type]
    assert endless.updates == progress.steps == 3
    assert progress.stop == INTERRUPTED


def test_the_second_signal_raises_at_once():
    progress = Progress(9)
    with heeding_signals(progress):
        signal.raise_signal(signal.SIGTERM)
        assert progress.stop == INTERRUPTED
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_run_that_stops_anyway_is_marked_as_interrupted():
    progress = Progress(9, stop="no better")
    with heeding_signals(progress):
        signal.raise_signal(signal.SIGINT)
    assert progress.stop == INTERRUPTED


def test_the_handlers_from_before_are_there_again_afterwards():
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    with heeding_signals(Progress(9)):
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before

    def fail():
        with heeding_signals(Progress(9)):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [signal.getsignal(number) for number in numbers] == before


def test_outside_the_main_thread_nothing_is_changed():
    before, inside = signal.getsignal(signal.SIGTERM), []

    def work():
        with heeding_signals(Progress(9)):
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]
