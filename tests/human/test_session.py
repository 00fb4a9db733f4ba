"""A person records: what is written, taken back, marked and discarded, by lists of events."""

from __future__ import annotations

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from listed import Listed, down, tap, up
from understudy.data.demos import Provenance
from understudy.data.episode import ActedBy, End
from understudy.data.formats.door import load_demos
from understudy.data.formats.recorder import DemoWriter
from understudy.envs.retrace import Stage, retrace
from understudy.human.hands import Event, Hands
from understudy.human.keys import default_table
from understudy.human.session import Session
from understudy.run.quota import Ledger, Wanted

SPACE, BACK, MARK, DROP, QUIT = (
    tap(key) for key in ("space", "backspace", "return", "delete", "escape")
)


PERSON = Provenance(format="understudy", actor="human")


class Corridor(gymnasium.Env):
    """Ends at the right, three steps away; every step earns where it leads."""

    observation_space = gymnasium.spaces.Box(-9, 9, (2,), np.float64)
    action_space = gymnasium.spaces.Discrete(3)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    luck = False

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.start = 0, float(self.np_random.random())
        return self._seen(), {}

    def step(self, action):
        self.at += int(action) - 1
        drift = np.random.default_rng().random() if self.luck else 0.0
        seen = self._seen() + np.array([0.0, drift])
        return seen, float(self.at), self.at == 3, self.at == -3, {}

    def render(self):
        return np.full((8, 8, 3), 10 * (self.at + 5), np.uint8)

    def _seen(self):
        return np.array([self.at, self.start])


class Lucky(Corridor):
    luck = True


class Recorded:
    """What came of a session."""

    def __init__(self, tmp_path, waits, env=Corridor, wanted=None, holds=True, table=None, **more):
        self.told = []
        self.shell = Listed(*waits, holds=holds)
        with Stage(env(render_mode="rgb_array")) as stage:
            keys = replace(default_table(stage.spec.action), **{"undo_steps": 2, **(table or {})})
            self.ledger = Ledger(wanted or Wanted(episodes=5), 1)
            with DemoWriter(tmp_path / "by_hand", stage.spec, PERSON) as writer:
                hands = Hands(stage.spec.action, keys, 0.1)
                session = Session(
                    stage,
                    hands,
                    self.shell,
                    writer.begin,
                    self.ledger,
                    seed=1,
                    say=self.told.append,
                    **more,
                )
                session.run()
        self.demos = load_demos(tmp_path / "by_hand")

    def actions(self):
        return [e.action.discrete[:, 0].tolist() for e in self.demos]


RIGHT, LEFT = [down("right")], [down("left")]


def test_what_was_done_is_written_with_who_did_it(tmp_path):
    done = Recorded(tmp_path, [SPACE, RIGHT, [], SPACE, QUIT])
    (episode,) = done.demos
    # Time begins with the space bar: that step is the first, with nothing held (choice 1).
    assert done.actions() == [[1, 2, 2]]
    assert episode.obs["obs"][:, 0].tolist() == [0, 0, 1, 2]
    assert episode.end is End.OPEN
    assert episode.acted_by.tolist() == [ActedBy.HUMAN] * 3
    assert episode.seed is not None


def test_an_episode_that_is_over_waits_for_what_shall_become_of_it(tmp_path):
    waits = [[*SPACE, *RIGHT], [], [], SPACE, [up("right"), *LEFT], [], [], [*MARK, *SPACE], QUIT]
    done = Recorded(tmp_path, waits)
    assert done.actions() == [[2, 2, 2], [0, 0, 0]]
    first, second = done.demos
    assert (first.end, first.return_, first.tags) == (End.TERMINATED, 6.0, ())
    assert second.end is End.TRUNCATED
    assert second.tags == ("success",)
    assert first.seed != second.seed
    assert "over (terminated): space keeps it and goes on" in done.shell.shown[3]
    assert done.told[0] == "episode 1: 3 steps, return 6, terminated"
    assert done.told[1].endswith("truncated, a success")


def test_time_stands_still_while_it_is_paused(tmp_path):
    waits = [[*SPACE, *RIGHT], SPACE, [], [*SPACE], QUIT]
    done = Recorded(tmp_path, waits)
    assert done.actions() == [[2, 2]]
    assert done.shell.waited == [None, 0.1, None, None, 0.1]


def test_slow_motion_takes_longer_and_changes_no_action(tmp_path):
    done = Recorded(tmp_path, [[*SPACE, *RIGHT, *tap("tab")], tap("tab"), QUIT])
    assert done.actions() == [[2, 2]]
    assert done.shell.waited == [None, 0.4, 0.1]


def test_the_last_steps_can_be_taken_back(tmp_path):
    waits = [[*SPACE, *LEFT], RIGHT, [], [], BACK, [up("right"), *SPACE], QUIT]
    done = Recorded(tmp_path, waits)
    # Left, right, right and right; two are taken back; then left is still held.
    assert done.actions() == [[0, 2, 0]]
    (episode,) = done.demos
    assert episode.obs["obs"][:, 0].tolist() == [0, -1, 0, -1]
    with Stage(Corridor()) as stage:
        assert retrace(stage, episode).first is None


def test_the_end_can_be_taken_back_too(tmp_path):
    waits = [[*SPACE, *RIGHT], [], [], BACK, [up("right"), *SPACE], [], QUIT]
    done = Recorded(tmp_path, waits)
    assert done.actions() == [[2, 1, 1]]
    assert done.ledger.tries.tolist() == [0]


def test_where_nothing_can_be_taken_back_the_episode_is_discarded(tmp_path):
    waits = [[*SPACE, *RIGHT], [], BACK, QUIT]
    done = Recorded(tmp_path, waits, env=Lucky, table={"undo_steps": 1})
    assert done.actions() == []
    why = "cannot be lived again from its seed, so it was discarded"
    assert done.told == [f"episode 1: 2 steps, {why}"]


def test_a_discarded_episode_leaves_nothing_and_the_next_one_waits(tmp_path):
    waits = [[*SPACE, *RIGHT], DROP, [], [*SPACE], QUIT]
    done = Recorded(tmp_path, waits)
    assert done.actions() == [[2]]
    assert done.told[0] == "episode 1: 1 step, discarded"
    assert done.shell.waited[2] is None


def test_as_many_are_recorded_as_were_asked_for(tmp_path):
    life = [[], [], SPACE]
    done = Recorded(tmp_path, [[*SPACE, *RIGHT], *life, [], *life], wanted=Wanted(episodes=2))
    assert [len(a) for a in done.actions()] == [3, 3]
    assert done.shell.left == []


def test_episodes_that_bring_too_little_are_not_kept(tmp_path):
    waits = [[*SPACE, *LEFT], [], [], SPACE, [up("left"), *RIGHT], [], [], SPACE, QUIT]
    done = Recorded(tmp_path, waits, wanted=Wanted(episodes=5, min_return=1.0))
    assert [e.end for e in done.demos] == [End.TERMINATED]
    assert done.told[0].endswith("not kept: below 1")
    assert done.ledger.discarded == 1


def test_the_first_marked_episode_may_be_the_last(tmp_path):
    waits = [[*SPACE, *RIGHT], [], [], SPACE, [], [], [], [*MARK, *SPACE]]
    done = Recorded(tmp_path, waits, until_success=True)
    assert [e.tags for e in done.demos] == [(), ("success",)]


def test_where_keys_cannot_be_held_every_key_is_a_step(tmp_path):
    waits = [SPACE, tap("right"), tap("left"), tap("x"), tap("right"), QUIT]
    done = Recorded(tmp_path, waits, table={"wait": True})
    assert done.actions() == [[2, 0, 2]]
    assert done.shell.waited == [None] * 6


def test_noise_is_executed_and_what_was_meant_is_written_beside_it(tmp_path):
    done = Recorded(tmp_path, [SPACE, *[[]] * 40, QUIT], noise=1.0)
    (episode, *_) = done.demos
    assert episode.proposed is not None
    assert set(episode.meant.discrete[:, 0].tolist()) == {1}
    assert set(episode.action.discrete[:, 0].tolist()) != {1}


def test_closing_the_window_keeps_what_is_over_and_leaves_the_rest_open(tmp_path):
    done = Recorded(tmp_path, [[*SPACE, *RIGHT], [], [], [Event("closed")]])
    assert [e.end for e in done.demos] == [End.TERMINATED]


def test_a_failing_environment_leaves_what_was_recorded(tmp_path):
    class Failing(Corridor):
        def step(self, action):
            if self.at == 2:
                raise RuntimeError("out of order")
            return super().step(action)

    with pytest.raises(Exception, match="out of order"):
        Recorded(tmp_path, [[*SPACE, *RIGHT], [], [], []], env=Failing)
    (episode,) = load_demos(tmp_path / "by_hand")
    assert (len(episode), episode.end) == (2, End.OPEN)


def test_the_picture_of_every_moment_is_shown(tmp_path):
    done = Recorded(tmp_path, [[*SPACE, *RIGHT], [], QUIT])
    assert [int(p[0, 0, 0]) for p in done.shell.pictures if p is not None] == [50, 60, 70]
