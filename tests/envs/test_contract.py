"""What every adapter promises, tried on all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from strange import Count, Rich, small_pool
from understudy.data.action import Action
from understudy.envs.actors import random_actor
from understudy.envs.check import check_env
from understudy.envs.env import Env
from understudy.envs.envpool import EnvPoolVector
from understudy.envs.gym import GymEnv
from understudy.envs.pool import PoolEnv
from understudy.envs.vector import VectorGym
from understudy.errors import EnvError
from understudy.run.replay import Replay
from understudy.run.store import Store

SLOTS = 3


def vector(mode: AutoresetMode) -> Callable[..., Env]:
    def make(source: Any, **kwargs: Any) -> Env:
        make: Any = source if callable(source) else lambda **k: gymnasium.make(source, **k)
        return VectorGym(
            SyncVectorEnv([lambda: make(**kwargs)] * SLOTS, autoreset_mode=mode), max_entities=4
        )

    return make


def here(source: Any, **kwargs: Any) -> Env:
    return GymEnv(source, SLOTS, make_kwargs=kwargs)


def workers(source: Any, **kwargs: Any) -> Env:
    return PoolEnv(source, SLOTS, 2, make_kwargs=kwargs)


VECTORS: dict[str, Callable[..., Env]] = {mode.name: vector(mode) for mode in AutoresetMode}
ADAPTERS = {"here": here, "workers": workers, **VECTORS}


def native(env_id: str) -> Env:
    return VectorGym(
        gymnasium.make_vec(env_id, SLOTS, vectorization_mode="vector_entry_point"), max_entities=4
    )


def real_env_pool() -> Any:
    envpool = pytest.importorskip("envpool")
    return envpool.make("CartPole-v1", env_type="gymnasium", num_envs=SLOTS, seed=1)


@pytest.fixture(params=ADAPTERS)
def adapter(request) -> Iterator[Callable[..., Env]]:
    """Makes an `Env`; what it made is closed when the test is over."""
    made: list[Env] = []

    def make(source: Any, **kwargs: Any) -> Env:
        made.append(ADAPTERS[request.param](source, **kwargs))
        return made[-1]

    yield make
    for env in made:
        env.close()


Row = tuple[Any, ...]


def rows_of(env: Env, steps: int, seed: int = 3) -> list[list[Row]]:
    """What every slot says, row by row; its n-th action depends on the slot and n alone."""
    return list(rows_after(env, env.reset(seed)["agent"], steps, [0] * SLOTS))


def rows_after(env: Env, moment: Any, steps: int, spoken: list[int]) -> list[list[Row]]:
    spec = env.behaviors["agent"]
    rows: list[list[Row]] = [[] for _ in spoken]
    for _ in range(steps):
        for place, slot in enumerate(moment.slots.tolist()):
            seen = {name: x[place].tolist() for name, x in moment.obs.items()}
            said = (moment.reward, moment.terminated, moment.truncated, moment.fresh)
            rows[slot].append((seen, *(x[place].item() for x in said)))
        acts = []
        for slot in moment.slots.tolist():
            actor = random_actor(spec, 1000 * slot + spoken[slot])
            acts.append(actor.act({}, {}, np.zeros(1, bool))[0].at(0))
            spoken[slot] += 1
        moment = env.step({"agent": Action.stack(acts)})["agent"]
    return rows


@pytest.mark.parametrize("source", [Count, Rich, "CartPole-v1", "Pendulum-v1"])
def test_the_contract_is_kept(adapter, source):
    assert check_env(adapter(source), steps=120) == []


@pytest.mark.parametrize("env_id", ["CartPole-v1"])
def test_the_contract_is_kept_by_native_vector_environments(env_id):
    assert check_env(native(env_id), steps=200) == []


@pytest.mark.parametrize("make", [lambda: small_pool(SLOTS), real_env_pool])
def test_the_contract_is_kept_by_env_pools(make):
    assert check_env(VectorGym(EnvPoolVector(make())), steps=200) == []


def by_hand(make: Callable[[], Any], slot: int, spec: Any, count: int, seed: int = 3) -> list[Row]:
    """The rows of one slot, from an environment that is stepped without any adapter."""
    env, rows, spoken = make(), [], 0
    codec = GymEnv(make)._codec
    actions = GymEnv(make)._actions
    seeded: int | None = seed + slot
    while len(rows) < count:
        obs, _ = env.reset(seed=seeded)
        seeded, row = None, (0.0, False, False, True)
        while True:
            rows.append(({name: x.tolist() for name, x in codec.encode(obs).items()}, *row))
            actor = random_actor(spec, 1000 * slot + spoken)
            action = actor.act({}, {}, np.zeros(1, bool))[0].at(0)
            spoken += 1
            if row[1] or row[2]:
                break
            obs, reward, terminated, truncated, _ = env.step(actions.decode(action))
            row = (float(np.float32(reward)), terminated, truncated, False)
    return rows[:count]


def short_cart_pole(**kwargs: Any) -> Any:
    return gymnasium.make("CartPole-v1", max_episode_steps=18)


@pytest.mark.parametrize("source", [short_cart_pole, Count, Rich])
def test_every_autoreset_mode_says_what_the_environment_says(source):
    spec = GymEnv(source).behaviors["agent"]
    expected = [by_hand(source, slot, spec, 70) for slot in range(SLOTS)]
    ends = {row[2:4] for rows in expected for row in rows}
    assert (True, False) in ends
    for name, make in VECTORS.items():
        with closing(make(source)) as env:
            found = rows_of(env, 250)
        for slot in range(SLOTS):
            assert found[slot][:70] == expected[slot], (name, slot)


def test_time_limits_are_truncations_in_every_mode():
    for name, make in {"here": here, **VECTORS}.items():
        with closing(make("Pendulum-v1", max_episode_steps=5)) as env:
            found = rows_of(env, 30)
        # A row for each of six observations; nothing is done on the last.
        assert [row[3] for row in found[1]][:12] == ([False] * 5 + [True]) * 2, name
        assert not any(row[2] for row in found[1])


def test_no_slot_speaks_while_it_has_nothing_to_say():
    for mode in (AutoresetMode.SAME_STEP, AutoresetMode.DISABLED):
        with closing(vector(mode)(Count)) as env:
            moment = env.reset(0)["agent"]
            for _ in range(60):
                ended = moment.slots[moment.ended].tolist()
                actor = random_actor(env.behaviors["agent"])
                action, _ = actor.act(moment.obs, {}, moment.fresh)
                moment = env.step({"agent": action})["agent"]
                assert moment.slots.tolist() == (ended or list(range(SLOTS)))
                assert moment.fresh.all() == bool(ended)


def test_rows_are_kept_whole_by_stores(adapter):
    env = adapter(Count)
    spec = env.behaviors["agent"]
    store, replay = Store(spec, 40, SLOTS), Replay(spec, 100, SLOTS)
    moment = env.reset(0)["agent"]
    actor = random_actor(spec, 5)
    while True:
        for kept in (store, replay):
            kept.see(moment)
        if store.full:
            break
        action, _ = actor.act(moment.obs, {}, moment.fresh)
        for kept in (store, replay):
            kept.do(moment.slots, action)
        moment = env.step({"agent": action})["agent"]
    for slot in range(SLOTS):
        rows = int(store.at[slot])
        time, total = store.obs["obs"][: rows + 1, slot, :2].T
        acted, fresh = store.acted[:rows, slot], store.fresh[: rows + 1, slot]
        done = store.action.discrete[:rows, slot, 0]
        assert (time[1:][acted] == time[:-1][acted] + 1).all()
        assert (total[1:][acted] == (total[:-1] + done)[acted]).all()
        assert (store.reward[:rows, slot] == done * acted).all()
        # Nothing is done on an episode's last row, and the next begins after it.
        assert (fresh[1:] == ~acted).all()
        assert (time[fresh] == 0).all()
        assert (acted == replay.acted[:rows, slot]).all()
        assert (store.terminated[:rows, slot] == replay.terminated[:rows, slot]).all()
        # The task is over with the action before an episode's last row.
        assert (store.terminated[: rows - 1, slot] == ~acted[1:]).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("obs", ["observation 'obs' is nan at [1]"]),
        ("reward", ["the reward is inf"]),
        ("error", ["KeyError", "door"]),
    ],
)
def test_what_goes_wrong_is_named(adapter, wrong, words):
    env = adapter(Count, wrong=wrong)
    with pytest.raises(EnvError) as caught:
        rows_of(env, 10)
    text = str(caught.value)
    assert all(word in text for word in ["Count", *words]), text
    assert "\n" not in text
    if wrong != "error":
        assert "slot 0, step 2" in text
        assert "seed" in text


@pytest.mark.parametrize(
    "action",
    [
        Action(np.zeros((SLOTS, 0), np.float32), np.array([[0], [4], [0]])),
        Action(np.zeros((1, 0), np.float32), np.array([[0]])),
        Action(np.zeros((SLOTS, 1), np.float32), np.array([[0], [1], [0]])),
    ],
)
def test_an_action_that_does_not_fit_is_refused(adapter, action):
    env = adapter(Count)
    env.reset(0)
    with pytest.raises(EnvError, match=r"Count: .*(choice 4|actions)"):
        env.step({"agent": action})
    with pytest.raises(EnvError, match="no actions of behavior 'agent', found"):
        env.step({"other": action})


@pytest.mark.parametrize("make", [here, workers])
def test_a_state_leads_to_the_same_place(make):
    with closing(make(Count)) as env, closing(make(Count)) as other:
        for steps in (0, 1, 5, 33):
            spoken = [0] * SLOTS
            rows_after(env, env.reset(7)["agent"], steps, spoken)
            state, seeds = env.state_dict(), env.seeds("agent")
            expected = rows_after(env, env.moments["agent"], 40, list(spoken))
            other.load_state_dict(state)
            assert other.seeds("agent") == seeds
            assert rows_after(other, other.moments["agent"], 40, list(spoken)) == expected


@pytest.mark.parametrize("mode", VECTORS)
def test_a_vector_environment_has_no_state_and_says_so(mode):
    env = VECTORS[mode](Count)
    env.reset(0)
    with pytest.raises(EnvError, match="cannot be resumed exactly"):
        env.state_dict()
    with pytest.raises(EnvError, match="cannot be resumed exactly"):
        env.load_state_dict({})


def test_moments_can_be_read_after_the_end(adapter):
    env = adapter(Count)
    moment = env.reset(0)["agent"]
    first = moment.obs["obs"].copy()
    env.close()
    env.close()
    assert (moment.obs["obs"] == first).all()
