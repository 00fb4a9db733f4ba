"""Workers live the same episodes as this process, and nothing is left of them."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from outside import surroundings
from strange import Count, OnlyHere, Rich, Surroundings
from understudy.data.action import Action
from understudy.envs.actors import random_actor
from understudy.envs.gym import GymEnv
from understudy.envs.pool import PoolEnv
from understudy.envs.shares import cut, joined, shares
from understudy.errors import EnvError

NOTHING = np.zeros((1, 0), np.float32)
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


def act(env, steps, seed=0):
    """What every slot says over some steps, copied."""
    actor, said = random_actor(env.behaviors["agent"], seed), []
    for _ in range(steps):
        moment = env.moments["agent"]
        action, _ = actor.act(moment.obs, {}, moment.fresh)
        moment = env.step({"agent": action})["agent"]
        ends = moment.reward, moment.terminated, moment.truncated, moment.fresh
        said.append([x.tolist() for x in (*moment.obs.values(), *ends)] + [env.seeds("agent")])
    return said


def workers_of(env):
    return [process.pid for process in env._processes]


def is_gone(pid: int) -> bool:
    """Whether a process is no more, or waits only to be counted as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("source", "workers"), [(Count, 1), (Count, 5), (Rich, 2), ("CartPole-v1", 2)]
)
def test_every_slot_lives_the_same_episodes_whoever_keeps_it(source, workers):
    here, there = GymEnv(source, 5), PoolEnv(source, 5, workers)
    for seed in (3, 4):
        here.reset(seed)
        there.reset(seed)
        assert act(here, 60) == act(there, 60)
    there.close()


def test_a_state_fits_whoever_keeps_the_slots():
    here, two = GymEnv(Rich, 5), PoolEnv(Rich, 5, 2)
    two.reset(1)
    act(two, 7)
    state = two.state_dict()
    expected = act(two, 30, seed=1)
    here.load_state_dict(state)
    assert act(here, 30, seed=1) == expected
    three = PoolEnv(Rich, 5, 3)
    three.load_state_dict(state)
    assert act(three, 30, seed=1) == expected
    two.load_state_dict(state)
    assert act(two, 30, seed=1) == expected
    with pytest.raises(EnvError, match="a state of 5 slots has no slot 5"):
        PoolEnv(Rich, 6, 1).load_state_dict(state)


@pytest.mark.parametrize("slots", [1, 2, 5, 8])
def test_shares_cover_every_slot_once_and_differ_by_one_at_most(slots):
    for workers in range(1, slots + 1):
        found = shares(slots, workers)
        assert [slot for share in found for slot in share] == list(range(slots))
        assert {len(share) for share in found} <= {slots // workers, -(-slots // workers)}


def test_a_state_that_is_cut_and_joined_is_the_same():
    env = GymEnv(Count, 5)
    env.reset(0)
    act(env, 3)
    state = env.state_dict()
    again = joined([cut(state, share) for share in shares(5, 2)])
    np.testing.assert_equal(again, state)


@pytest.mark.parametrize(
    ("wrong", "cause"), [("killed", "was ended by SIGKILL"), ("exit", "ended with exit code 3")]
)
def test_a_worker_that_ends_is_named_with_its_slots_and_the_cause(wrong, cause):
    before = set(multiprocessing.active_children())
    env = PoolEnv(Count, 4, 2, make_kwargs={"wrong": wrong})
    env.reset(0)
    with pytest.raises(EnvError) as caught:
        act(env, 5)
    assert "Count: the worker process of slots 0 to 1 " + cause in str(caught.value)
    assert "at step 2 after the reset" in str(caught.value)
    with pytest.raises(EnvError, match="its workers have ended"):
        env.reset(0)
    assert set(multiprocessing.active_children()) <= before


def test_a_worker_that_is_killed_between_steps_is_noticed_at_the_next():
    env = PoolEnv(Count, 3, 3)
    env.reset(0)
    os.kill(workers_of(env)[1], signal.SIGKILL)
    with pytest.raises(EnvError, match="worker process of slot 1 was ended by SIGKILL"):
        act(env, 1)


def test_an_environment_that_no_worker_can_make_is_said_with_the_reason():
    before = set(multiprocessing.active_children())
    with pytest.raises(EnvError, match="OnlyHere: OSError: the license is for one process"):
        PoolEnv(OnlyHere, 2, 2)
    assert set(multiprocessing.active_children()) <= before


def test_all_workers_are_heard_after_one_has_failed():
    env = PoolEnv(Count, 4, 2, make_kwargs={"wrong": "error"})
    env.reset(0)
    with pytest.raises(EnvError, match=r"slot 0, step 2, seed .*KeyError: 'door'"):
        act(env, 5)
    env.reset(0)
    here = GymEnv(Count, 4)
    here.reset(0)
    assert act(env, 30) == act(here, 30)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
def test_an_interruption_leaves_no_answer_behind():
    def stop(number, frame):
        raise KeyboardInterrupt

    env = PoolEnv(Count, 2, 2, make_kwargs={"wrong": "late"})
    env.reset(0)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            act(env, 5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # What came of the second step is not heard any more, and not taken for that of the third.
    action = {"agent": Action(NOTHING.repeat(2, 0), np.zeros((2, 1), np.int64))}
    assert env.step(action)["agent"].obs["obs"][:, 0].tolist() == [3, 3]
    here = GymEnv(Count, 2)
    here.reset(5)
    env.reset(5)
    assert act(env, 30) == act(here, 30)


def test_ctrl_c_in_a_terminal_reaches_workers_and_does_not_end_them():
    env = PoolEnv(Count, 2, 2)
    env.reset(0)
    for pid in workers_of(env):
        os.kill(pid, signal.SIGINT)
    assert len(act(env, 10)) == 10
    env.close()


def shared_files() -> set[str]:
    return set(os.listdir("/dev/shm")) if Path("/dev/shm").exists() else set()


@linux
def test_nothing_is_left_when_it_is_closed_or_no_longer_used():
    before = shared_files()
    closed, dropped = PoolEnv(Count, 2, 2), PoolEnv(Count, 2, 2)
    pids = workers_of(closed) + workers_of(dropped)
    assert not any(is_gone(pid) for pid in pids)
    closed.close()
    del dropped
    gc.collect()
    assert all(is_gone(pid) for pid in pids)
    assert shared_files() <= before


KILLED = """
from understudy.envs.pool import PoolEnv
env = PoolEnv("CartPole-v1", 2, 2)
env.reset(0)
print(*[process.pid for process in env._processes], flush=True)
input()
"""


@linux
def test_nothing_is_left_when_the_program_is_killed():
    before = shared_files()
    program = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings(),
    )
    assert program.stdout is not None
    pids = [int(word) for word in program.stdout.readline().split()]
    assert len(pids) == 2
    program.kill()
    program.communicate()
    wait_until(lambda: all(is_gone(pid) for pid in pids))
    assert shared_files() <= before


FORKED = """
import os
import numpy as np
from understudy.data.action import Action
from understudy.envs.pool import PoolEnv

env = PoolEnv("CartPole-v1", 2, 2)
env.reset(0)
child = os.fork()
if child == 0:
    env.close()
    del env
    os._exit(0)
print(os.waitpid(child, 0)[1])
action = Action(np.zeros((2, 0), np.float32), np.zeros((2, 1), np.int64))
print(env.step({"agent": action})["agent"].reward.tolist())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_of_the_program_does_not_end_its_workers(tmp_path):
    assert say("-c", FORKED, cwd=tmp_path).splitlines() == ["0", "[1.0, 1.0]"]


BY_ID = """
from understudy.envs.pool import PoolEnv
print("begun")
env = PoolEnv("CartPole-v1", 2, 2)
print(len(env.reset(0)["agent"].reward))
"""
BY_CLASS = """
import gymnasium
from understudy.envs.pool import PoolEnv
from understudy.errors import EnvError

class Mine(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}

def main():
    try:
        env = PoolEnv(Mine, 2, 2)
        print("opened", len(env.reset(0)["agent"].reward))
    except EnvError as error:
        print("refused", error)
"""
UNGUARDED = BY_CLASS + "main()\n"
GUARDED = BY_CLASS + 'if __name__ == "__main__":\n    main()\n'


def say(*words: object, cwd: Path, given: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        env=surroundings(),
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_script_without_a_guard_runs_once_where_workers_do_not_need_it(tmp_path):
    (tmp_path / "script.py").write_text(BY_ID)
    assert say("script.py", cwd=tmp_path).split() == ["begun", "2"]
    assert say("-c", BY_ID, cwd=tmp_path).split() == ["begun", "2"]
    assert say("-", cwd=tmp_path, given=BY_ID).split() == ["begun", "2"]


def test_what_is_defined_in_the_program_needs_a_guard_and_the_refusal_says_so(tmp_path):
    (tmp_path / "guarded.py").write_text(GUARDED)
    assert say("guarded.py", cwd=tmp_path) == "opened 2\n"
    (tmp_path / "unguarded.py").write_text(UNGUARDED)
    said = say("unguarded.py", cwd=tmp_path)
    assert said.count("refused") >= 1
    assert 'under `if __name__ == "__main__":`' in said
    assert "interactive session" in say("-c", UNGUARDED, cwd=tmp_path)


def test_what_cannot_be_sent_is_refused():
    with pytest.raises(EnvError, match="cannot be sent to a worker process"):
        PoolEnv(lambda: Count(), 2, 2)
    with pytest.raises(EnvError, match="exists already"):
        PoolEnv(Count(), 2, 2)


@pytest.mark.parametrize("workers", [0, 3, -1])
def test_workers_without_slots_are_refused(workers):
    with pytest.raises(EnvError, match="expected 1 to 2, the number of slots"):
        PoolEnv(Count, 2, workers)


def test_workers_compute_with_one_thread_and_this_process_as_before(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    env = PoolEnv(Surroundings, 2, 2)
    assert env.reset(0)["agent"].obs["obs"][:, 1].tolist() == [1, 1]
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_picture_is_of_the_first_slot():
    env = PoolEnv(Count, 3, 2, render_mode="rgb_array")
    assert env.render_fps == 20
    env.reset(0)
    action = {"agent": Action(NOTHING.repeat(3, 0), np.ones((3, 1), np.int64))}
    env.step(action)
    env.step(action)
    picture = env.render()
    assert picture is not None
    assert picture.shape == (4, 6, 3)
    assert (picture == 2).all()
    assert PoolEnv(Count, 2, 2).render() is None


def test_a_picture_that_fails_is_an_error_and_ends_no_worker():
    env = PoolEnv(Count, 2, 2, render_mode="rgb_array")
    with pytest.raises(EnvError, match=r"Count.*AttributeError: .*'t'"):
        env.render()
    env.reset(0)
    assert env.render() is not None


def test_a_reset_without_a_seed_draws_one_for_all_workers():
    env = PoolEnv(Count, 4, 2)
    assert env.seeds("agent") == [None] * 4
    env.reset()
    first = env.seeds("agent")
    assert len(set(first)) == 4
    assert None not in first
    env.reset()
    assert env.seeds("agent") != first
